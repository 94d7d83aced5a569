"""The store's records to the archive: gathered, planned, put, then forgotten.

A plan is on the disk before its first object is sent, and the records stay in the
store until its last one is there. Whatever ends the process in between, the next one
makes the same objects of the same records and puts them under the same names. Where
the store had to drop some of them meanwhile, the objects are others and the plan is
written anew; a reader tells the rows that are there twice by their key.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.centre import compaction, refusals
from edge_agent.centre.account import Account
from edge_agent.centre.aside import Aside
from edge_agent.centre.packing import packed, weight
from edge_agent.centre.plan import Plan, Position
from edge_agent.centre.pruning import Pruning
from edge_agent.centre.rhythm import Settled, next_due, phase
from edge_agent.centre.rows import DAY, date
from edge_agent.centre.underway import ENTRIES, PATIENCE, ROWS, Note, Shelf
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
    from edge_agent.centre.underway import Entries
    from edge_agent.clock import Clock
    from edge_agent.config.keeping import Centre
    from edge_agent.instruments import Instruments
    from edge_agent.records.appetites import Appetite
    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

log = structlog.get_logger()

#: Seconds for putting a day's objects together.
LONG = 3_600.0
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
        outbox: Journal,
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
        self._pruning = Pruning(site, gateway, settings.keep)
        self._outbox = outbox
        self._reach = reach
        self._note = Note(folder)
        self._clock = clock
        self._account = Account(clock, instruments)
        self._peer = Aside(refusals.silent("the configured one"))
        self._disk = Aside(refusals.stuck(folder))
        self._shelf = Shelf(self.name, outbox, entries, self._disk)
        self._position: Position | None = None
        self._made: Packed | None = None
        self._settled = Settled()
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

    @property
    def evidence_sent(self) -> int:
        """Number of the last entry of evidence that the archive has; any thread."""
        return self._position.evidence if self._position is not None else 0

    def finish(self, within: float) -> None:
        """End what is under way and let `run` return; what is owed stays owed.

        Args:
            within: seconds until it is broken off.
        """
        self._within = within
        self._leave.set()
        self._enough.set()

    def status(self) -> dict[str, Any]:
        """How far the archive is, for a technician."""
        position = self._position or Position()
        return self._account.status(position, self._due)

    # --- work --------------------------------------------------------------------

    async def _work(self) -> None:
        if self._position is None:
            self._position = await self._disk.call(PATIENCE, self._note.read)
            self._settled.add(self._position.settled, self._clock.now())
            self._due = next_due(self._clock.now(), self._every, self._phase)
            if oldest := await self._shelf.oldest():
                self._account.owe(oldest, 0)
        bucket = await self._peer.call(PATIENCE, self._reach)
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
        self._enough.clear()
        if seconds <= 0 or self._account.full(ROWS) or self._leave.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._enough.wait()

    async def _round(self, bucket: Bucket) -> None:
        """Upload all that is owed, one plan after the other."""
        more = True
        while more and not self._leave.is_set():
            mark = self._account.mark()
            records = await self._shelf.next(self._settled.ids())
            entries = await self._shelf.entries((self._position or Position()).evidence)
            more = len(entries) == ENTRIES or self._shelf.is_full(records)
            if records or entries:
                await self._plan(records, entries)
                await self._send(bucket)
            if not more:
                self._account.drained(mark)
        self._due = next_due(self._clock.now(), self._every, self._phase)
        await self._put_together(bucket)

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
            known = tuple(sorted(self._settled.ids()))
            await self._write(Position(plan, known, before.evidence, before.days))
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
        # before the store is told: it writes that down when it next writes anyway
        await self._settle(position.plan)
        self._made = None
        self._outbox.acknowledge(self.name, position.plan.ids)

    async def _resume(self, bucket: Bucket) -> None:
        """Finish the plan that a crash or a lost link left."""
        position = self._position
        if position is None or position.plan is None:
            return
        if self._made is None:
            plan = position.plan
            records = await self._shelf.again(plan.ids)
            entries = await self._shelf.entries_again(*plan.entries)
            if not records and not entries:
                # all of it was there, and the store knew
                await self._settle(plan)
                return
            await self._plan(records, entries)
        await self._send(bucket)

    async def _settle(self, plan: Plan) -> None:
        """Note that everything of a plan is there."""
        position = self._position or Position()
        self._settled.add(plan.ids, self._clock.now())
        days = {*position.days, *(_day(one.name) for one in plan.objects)}
        last = max(plan.entries[1], position.evidence)
        known = tuple(sorted(self._settled.ids()))
        await self._write(Position(None, known, last, tuple(sorted(days))))

    async def _put_together(self, bucket: Bucket) -> None:
        """Make one object of each finished day's many, where they lie in a folder."""
        position = self._position
        if not bucket.is_folder or position is None:
            return
        wall = self._clock.now() + self._clock.wall_offset() - LATE
        today = date(wall // 1000 // DAY)
        done = [day for day in position.days if day < today]
        for day in done[:1]:  # one a round: the next has time
            work = partial(compaction.compact_day, bucket, *self._whose, day)
            found = await self._peer.call(LONG, work)
            if found.removed:
                log.info("archive put together", day=day, **found._asdict())
            left = tuple(one for one in position.days if one != day)
            await self._write(
                Position(position.plan, position.settled, position.evidence, left)
            )
        await self._peer.call(LONG, partial(self._pruning.look, bucket, wall))

    # --- bookkeeping -------------------------------------------------------------

    async def _write(self, position: Position) -> None:
        await self._disk.call(PATIENCE, partial(self._note.write, position))
        self._position = position

    def _arrive(self, records: list[Stored]) -> None:
        """New records; called in one of the journal's threads."""
        for stored in records:
            self._account.owe(stored, weight(stored.record))
        loop = self._loop
        if loop is not None and self._account.full(ROWS):
            with contextlib.suppress(RuntimeError):  # the loop is closed: we stop
                loop.call_soon_threadsafe(self._enough.set)


def appetite(settings: Centre) -> Appetite:
    """Which records the archive takes."""
    left_out: set[type] = set() if settings.predictions else {ScoreRecord}
    return CENTRE - left_out if settings.raw else CENTRE - left_out - {RawRecord}


def _day(name: str) -> str:
    return name.rsplit("/", 2)[-2].removeprefix("day=")
