"""The plan's file, and what a plan is made of: read, and read again after a crash."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog

from edge_agent import durable
from edge_agent.centre import plan, refusals
from edge_agent.centre.packing import weight
from edge_agent.errors import SinkLost
from edge_agent.store.outbox import UNSEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.centre.aside import Aside
    from edge_agent.centre.plan import Position
    from edge_agent.centre.told import Entry
    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

    Entries = Callable[[int, int], Sequence[Entry]]
    """Entries of the evidence log after a number, at most so many; may read files."""

log = structlog.get_logger()

#: Records asked for at once: 50,000 rows at most, where a turn has 1,000.
PAGE = 50
#: What one plan holds at most.
ROWS, RECORDS, ENTRIES = 50_000, 10_000, 500
#: Seconds for a file on the agent's own disk.
PATIENCE = 60.0


class Note:
    """The plan's file.

    Args:
        folder: of the state; made where missing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plan.json"

    def read(self) -> Position:
        """What it says; nothing where it is missing or damaged.

        Raises:
            SinkLost: the disk does not give it.
        """
        try:
            return plan.decoded(self._path.read_bytes())
        except FileNotFoundError:
            return plan.Position()
        except ValueError as why:
            # what is sent twice for it is told by its key
            log.warning("plan unreadable", path=str(self._path), why=str(why))
            return plan.Position()
        except OSError as why:
            raise SinkLost(refusals.no_note(self._path, why)) from None

    def write(self, position: Position) -> None:
        """Replace it.

        Raises:
            SinkLost: the disk does not take it.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            durable.write_whole(self._path, plan.encoded(position), 0o640)
        except OSError as why:
            raise SinkLost(refusals.no_note(self._path, why)) from None


class Shelf:
    """The store's records as the upload takes them from it.

    Args:
        name: of the output.
        outbox: the journal.
        entries: of the evidence log; None without one.
        disk: where those are read.
    """

    def __init__(
        self, name: str, outbox: Journal, entries: Entries | None, disk: Aside
    ) -> None:
        self._name = name
        self._outbox = outbox
        self._entries = entries
        self._disk = disk

    async def next(self, settled: set[int]) -> list[Stored]:
        """The oldest records that are owed, for one plan, by rising id.

        Args:
            settled: those that are there already; acknowledged again when met.
        """
        found: list[Stored] = []
        rows = 0
        for urgent in (True, False):
            after = -1
            while rows < ROWS and len(found) < RECORDS:
                page = await self._page(after, urgent)
                if not page:
                    break
                after = page[-1].id
                if known := [one.id for one in page if one.id in settled]:
                    self._outbox.acknowledge(self._name, known)
                for one in page:
                    room = rows < ROWS and len(found) < RECORDS
                    if room and one.id not in settled:
                        found.append(one)
                        rows += weight(one.record)
        return sorted(found, key=lambda one: one.id)

    def is_full(self, records: Sequence[Stored]) -> bool:
        """Whether there may be more than what `next` gave."""
        rows = sum(weight(one.record) for one in records)
        return rows >= ROWS or len(records) >= RECORDS

    async def again(self, ids: Sequence[int]) -> list[Stored]:
        """Those of some records that are still owed, by rising id."""
        wanted = set(ids)
        found: dict[int, Stored] = {}
        for first, last in _stretches(ids):
            for urgent in (True, False):
                after = first - 1
                while after < last and (page := await self._page(after, urgent)):
                    after = page[-1].id
                    found |= {one.id: one for one in page if one.id in wanted}
        return [found[one] for one in sorted(found)]

    async def entries(self, after: int, limit: int = ENTRIES) -> Sequence[Entry]:
        """Entries of the evidence log after a number."""
        if self._entries is None or limit <= 0:
            return ()
        return await self._disk.call(PATIENCE, partial(self._entries, after, limit))

    async def entries_again(self, after: int, last: int) -> Sequence[Entry]:
        """Those of some entries that are still there."""
        found = await self.entries(after, last - after)
        return [one for one in found if one.number <= last]

    async def oldest(self) -> Stored | None:
        """One of the records that have been owed for longest."""
        for urgent in (True, False):
            asked = self._outbox.backlog(self._name, -1, 1, urgent=urgent)
            if found := await asyncio.wrap_future(asked):
                return found[0]
        return None

    async def _page(self, after: int, urgent: bool) -> list[Stored]:
        asked = self._outbox.backlog(self._name, after, PAGE, urgent=urgent)
        return await asyncio.wrap_future(asked)


def _stretches(ids: Sequence[int]) -> list[tuple[int, int]]:
    """First and last id of what is numbered together: each boot's two halves."""
    ends: dict[int, tuple[int, int]] = {}
    for one in ids:
        half = one // UNSEEN
        ends[half] = (ends.get(half, (one, one))[0], one)
    return list(ends.values())
