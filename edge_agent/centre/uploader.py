"""The store's records to the archive: gathered, planned, put, then forgotten.

A plan is on the disk before its first object is sent, and the records stay in the
store until its last one is there. Whatever ends the process in between, the next one
makes the same objects of the same records and puts them under the same names. Where
the store had to drop some of them meanwhile, the objects are others and the plan is
written anew; a reader tells the rows that are there twice by their key.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.centre import compaction
from edge_agent.centre.account import Account
from edge_agent.centre.packing import packed, weight
from edge_agent.centre.plan import Plan, Position
from edge_agent.centre.rows import DAY, date
from edge_agent.centre.underway import ROWS, Note, Shelf
from edge_agent.errors import SinkLost
from edge_agent.records import RawRecord, ScoreRecord
from edge_agent.records.appetites import CENTRAL, CENTRE
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.centre.bucket import Bucket
    from edge_agent.centre.packing import Packed
    from edge_agent.centre.told import Entry
    from edge_agent.centre.underway import Outbox
    from edge_agent.clock import Clock
    from edge_agent.config.keeping import Centre
    from edge_agent.instruments import Instruments
    from edge_agent.records.appetites import Appetite
    from edge_agent.store.outbox import Stored

    Entries = Callable[[int, int], Sequence[Entry]]
    """Entries of the evidence log after a number, at most so many; may read files."""

log = structlog.get_logger()

#: Entries of the evidence log in one plan.
ENTRIES = 500
#: Ns for which a record that was acknowledged is remembered: longer than any flush.
REMEMBERED = 60 * NANOSECONDS
#: Records remembered at most.
MOST_SETTLED = 50_000
#: Ns after midnight until a day is put together: late rows have come by then.
LATE = 3_600 * NANOSECONDS


class Uploader:
    """Keeps the archive supplied.

    Args:
        settings: of the centre.
        site, gateway: whose rows; partitions of the archive.
        outbox: the journal.
        reach: opens the bucket; may raise SinkLost.
        folder: for the plan, below the state's.
        clock: agent time.
        instruments: counters.
        entries: of the evidence log; None without one.
    """

    name = CENTRAL

    def __init__(
        self,
        settings: Centre,
        site: str,
        gateway: str,
        outbox: Outbox,
        reach: Callable[[], Bucket],
        folder: Path,
        *,
        clock: Clock,
        instruments: Instruments,
        entries: Entries | None = None,
    ) -> None:
        self._every = max(int(settings.every * NANOSECONDS), 1)
        self._phase = phase(gateway, self._every)
        self._rate = settings.max_rate
        self._whose = (site, gateway)
        self._outbox = outbox
        self._reach = reach
        self._note = Note(folder)
        self._shelf = Shelf(self.name, outbox)
        self._entries = entries
        self._clock = clock
        self._account = Account(clock, instruments)
        self._position: Position | None = None
        self._made: Packed | None = None
        self._settled: list[tuple[int, tuple[int, ...]]] = []
        self._due = 0
        self._enough = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave = asyncio.Event()
        self._within = 0.0
        outbox.listen(self.name, self._arrive, live=False)

    async def run(self) -> None:
        """Upload until the store is lost or `finish` is called.

        Raises:
            SinkLost: it could not be reached, or took nothing; call again later.
        """
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                work = tasks.create_task(self._work())
                leaving = tasks.create_task(self._leave.wait())
                await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    await asyncio.wait((work,), timeout=self._within)
                    work.cancel()
                leaving.cancel()
        except BaseExceptionGroup as group:
            lost, other = group.split(SinkLost)
            if lost is None or other is not None:
                raise
            first = lost.exceptions[0]
            self._account.lost(str(first))
            raise first from None
        finally:
            self._account.reached = False

    def finish(self, within: float) -> None:
        """End what is under way and let `run` return; what is owed stays owed.

        Args:
            within: seconds until it is broken off.
        """
        self._within = within
        self._leave.set()

    def status(self) -> dict[str, Any]:
        """How far the archive is, for a technician."""
        position = self._position or Position()
        return self._account.status(position, self._due)

    # --- work --------------------------------------------------------------------

    async def _work(self) -> None:
        if self._position is None:
            self._position = await asyncio.to_thread(self._note.read)
            self._remember(self._position.settled)
            self._due = next_due(self._clock.now(), self._every, self._phase)
            if oldest := await self._shelf.oldest():
                self._account.owe(oldest, 0)
        bucket = await asyncio.to_thread(self._reach)
        await bucket.check()
        self._account.reached = True
        await self._resume(bucket)
        while not self._leave.is_set():
            await self._until_due()
            if not self._leave.is_set():
                await self._round(bucket)

    async def _until_due(self) -> None:
        """Wait for the next moment of this gateway, or for a full object."""
        seconds = (self._due - self._clock.now()) / NANOSECONDS
        if seconds > 0 and not self._account.full(ROWS):
            self._enough.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._enough.wait()
            except TimeoutError:
                return

    async def _round(self, bucket: Bucket) -> None:
        """Upload all that is owed, one plan after the other."""
        more = True
        while more and not self._leave.is_set():
            mark = self._account.mark()
            known = {one for _, ids in self._settled for one in ids}
            records = await self._shelf.next(known)
            entries = await self._next_entries()
            more = (
                len(entries) == ENTRIES
                or sum(weight(one.record) for one in records) >= ROWS
            )
            if records or entries:
                await self._plan(records, entries)
                await self._send(bucket)
            if not more:
                self._account.drained(mark)
        self._due = next_due(self._clock.now(), self._every, self._phase)
        await self._put_together(bucket)

    async def _next_entries(self) -> Sequence[Entry]:
        if self._entries is None or self._position is None:
            return ()
        after = self._position.evidence
        return await asyncio.to_thread(self._entries, after, ENTRIES)

    async def _plan(self, records: Sequence[Stored], entries: Sequence[Entry]) -> None:
        """Make the objects, and write down what they are made of."""
        made = await asyncio.to_thread(packed, records, entries, *self._whose)
        for stored, reason in made.refused:
            self._outbox.quarantine(self.name, stored, reason)
        before = self._position or Position()
        last = entries[-1].number if entries else before.evidence
        plan = Plan(
            tuple(one.id for one in records),
            (before.evidence, last),
            tuple(one.planned for one in made.objects),
        )
        if plan != before.plan:
            await self._write(
                Position(plan, self._known(), before.evidence, before.days)
            )
        self._made = made

    async def _send(self, bucket: Bucket) -> None:
        """Put what is planned, then let the store forget it."""
        position, made = self._position, self._made
        if position is None or position.plan is None or made is None:
            return
        for one in made.objects:
            await bucket.send(str(one.named), one.body)
            self._account.sent(one)
            if self._rate is not None:
                await asyncio.sleep(len(one.body) / self._rate)
        plan = position.plan
        days = {*position.days, *(one.named.day for one in made.objects)}
        self._remember(plan.ids)
        # before the store is told: it writes that down when it next writes anyway
        await self._write(
            Position(None, self._known(), plan.entries[1], tuple(sorted(days)))
        )
        self._made = None
        self._outbox.acknowledge(self.name, plan.ids)

    async def _resume(self, bucket: Bucket) -> None:
        """Finish the plan that a crash or a lost link left."""
        position = self._position
        if position is None or position.plan is None:
            return
        if self._made is None:
            plan = position.plan
            records = await self._shelf.again(plan.ids)
            entries = await self._entries_again(*plan.entries)
            if not records and not entries:
                # all of it was there, and the store knew
                days = {*position.days, *(_day(one.name) for one in plan.objects)}
                last = max(plan.entries[1], position.evidence)
                await self._write(
                    Position(None, self._known(), last, tuple(sorted(days)))
                )
                return
            await self._plan(records, entries)
        await self._send(bucket)

    async def _entries_again(self, after: int, last: int) -> Sequence[Entry]:
        if self._entries is None or last <= after:
            return ()
        found = await asyncio.to_thread(self._entries, after, last - after)
        return [one for one in found if one.number <= last]

    async def _put_together(self, bucket: Bucket) -> None:
        """Make one object of each finished day's many, where they lie in a folder."""
        position = self._position
        if not bucket.is_folder or position is None:
            return
        wall = self._clock.now() + self._clock.wall_offset() - LATE
        today = date(wall // 1000 // DAY)
        done = [day for day in position.days if day < today]
        for day in done[:1]:  # one a round: the next has time
            found = await asyncio.to_thread(
                compaction.compact_day, bucket, *self._whose, day
            )
            if found.removed:
                log.info("archive put together", day=day, **found._asdict())
            left = tuple(one for one in position.days if one != day)
            await self._write(
                Position(position.plan, position.settled, position.evidence, left)
            )

    # --- bookkeeping -------------------------------------------------------------

    async def _write(self, position: Position) -> None:
        await asyncio.to_thread(self._note.write, position)
        self._position = position

    def _remember(self, ids: Sequence[int]) -> None:
        now = self._clock.now()
        self._settled = [
            (at, known) for at, known in self._settled if now - at < REMEMBERED
        ]
        self._settled.append((now, tuple(ids)))
        while sum(len(known) for _, known in self._settled[:-1]) > MOST_SETTLED:
            del self._settled[0]

    def _known(self) -> tuple[int, ...]:
        return tuple(sorted({one for _, ids in self._settled for one in ids}))

    def _arrive(self, records: list[Stored]) -> None:
        """New records; called in one of the journal's threads."""
        for stored in records:
            self._account.owe(stored, weight(stored.record))
        loop = self._loop
        if loop is not None and self._account.full(ROWS):
            try:
                loop.call_soon_threadsafe(self._enough.set)
            except RuntimeError:  # the loop is closed: we stop
                return


def appetite(settings: Centre) -> Appetite:
    """Which records the archive takes."""
    left_out: set[type] = set() if settings.predictions else {ScoreRecord}
    return CENTRE - left_out if settings.raw else CENTRE - left_out - {RawRecord}


def phase(gateway: str, every: int) -> int:
    """When within an interval a gateway comes, ns: all of a fleet at other times."""
    digest = hashlib.sha256(gateway.encode()).digest()
    return int.from_bytes(digest[:8], "big") % every


def next_due(now: int, every: int, start: int) -> int:
    """The next of a gateway's moments after now."""
    return now + every - (now - start) % every


def _day(name: str) -> str:
    return name.rsplit("/", 2)[-2].removeprefix("day=")
