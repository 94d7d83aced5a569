"""A disk that is full, read-only, or fails one sync in five: nothing stops, all counts.

The journal runs on `forgetful` with turns as fast as they come. An output takes
some of the oldest now and then, alarms are told after their commit. At the end the
disk is well again, and what was submitted is what was delivered, what is still owed,
and what the ledger counted as lost: row by row.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.records import AlarmRecord, EventRecord, LossRecord, ScoreRecord
from edge_agent.store import codec, disk
from tests.campaigns.forgetful import Mounted
from tests.campaigns.telling import Findings, Progress, quantiles, quiet
from tests.store import made
from tests.store.lives import owed

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

#: What is done to the disk, and back.
TROUBLES: dict[str, tuple[tuple[str, float], tuple[str, float]]] = {
    "disk full": (("room", 1), ("room", 0)),
    "read-only": (("readonly", 1), ("readonly", 0)),
    "one sync in five fails": (("failing", 0.2), ("failing", 0)),
    "every sync fails": (("failing", 1), ("failing", 0)),
}
_ROWS, _TURNS, _LIMIT, _SPARED = 20, 1500, "600kB", 60


def run(count: int, seed: int, kept: Path) -> Findings:
    """Trouble the disk so often.

    Args:
        count: troubles, each on a store of its own.
        seed: of what is acknowledged and which syncs fail.
        kept: not used.
    """
    del kept
    quiet()
    disk.RETRY = (0.02, 0.1)
    found, progress = Findings("troubles", seed), Progress("troubles", count)
    tallies = {name: _Tally() for name in TROUBLES}
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="disk-")))
        mounted = stack.enter_context(Mounted(place / "disk", seed))
        for number in range(count):
            name = list(TROUBLES)[number % len(TROUBLES)]
            folder = mounted.folder / f"store-{number}"
            folder.mkdir()
            bad, good = TROUBLES[name]
            if name == "disk full":
                bad = (bad[0], mounted.order("count")["held"] + 200_000)
            _Run(folder / "store.db", seed + number, tallies[name]).through(
                partial(mounted.order, *bad), partial(mounted.order, *good)
            )
            progress.step(number + 1, name)
    for name, tally in tallies.items():
        if not tally.runs:
            continue
        found.figures |= {
            f"{name}: runs": tally.runs,
            f"{name}: rows submitted": tally.submitted,
            f"{name}: delivered / still owed / counted lost": [
                tally.delivered,
                tally.owed,
                tally.lost,
            ],
            f"{name}: neither": tally.missing,
            f"{name}: counted lost, and delivered": tally.twice,
            f"{name}: turns while it failed": tally.turns,
            f"{name}: submit, s": quantiles(tally.took),
            f"{name}: alarm told after, s": quantiles(tally.alarms),
            f"{name}: told as failing, and as well again": [tally.told, tally.well],
        }
        found.promise(
            not tally.missing, f"{name}: submitted == delivered + owed + lost"
        )
        found.promise(tally.told and tally.well, f"{name}: told")
        found.promise(tally.turns > 0, f"{name}: scoring goes on")
    return found


class _Tally:
    def __init__(self) -> None:
        self.runs = self.submitted = self.delivered = self.owed = self.lost = 0
        self.missing = self.twice = self.turns = self.told = self.well = 0
        self.took: list[float] = []
        self.alarms: list[float] = []


class _Run:
    """One store in trouble."""

    def __init__(self, path: Path, seed: int, tally: _Tally) -> None:
        self._path, self._tally = path, tally
        self._dice = random.Random(seed)
        self._alarmed = threading.Event()
        self._delivered: Counter[int] = Counter()

    def through(self, bad: Callable[[], object], good: Callable[[], object]) -> None:
        """A third of the turns on a good disk, one in trouble, one on a good disk."""
        journal = made.journal(self._path, limit=_LIMIT)
        journal.start()
        journal.listen("scada", self._hear)
        submitted, failing = 0, 0
        for turn in range(_TURNS):
            if turn == _TURNS // 3:
                bad()
            if turn == 2 * _TURNS // 3:
                good()
            submitted += self._turn(journal, turn)
            failing += journal.status()["state"] == "failing"
        _until_well(journal)
        made.settle(journal)
        self._close(journal, submitted, failing)

    def _turn(self, journal: Journal, turn: int) -> int:
        began = time.monotonic()
        journal.submit([made.scores(_ROWS, at=turn)], {"core": str(turn).encode()})
        self._tally.took.append(time.monotonic() - began)
        if turn % 100 == 50:
            self._alarmed.clear()
            began = time.monotonic()
            journal.submit([made.alarm(turn)], {})
            assert self._alarmed.wait(20)
            self._tally.alarms.append(time.monotonic() - began)
        if turn % 5 == 0:
            self._acknowledge(journal)
        time.sleep(0.001)
        return _ROWS

    def _hear(self, records: list[Stored]) -> None:
        if any(isinstance(one.record, AlarmRecord) for one in records):
            self._alarmed.set()

    def _acknowledge(self, journal: Journal) -> None:
        """Take some as the store itself gives them.

        Not the oldest: those may be dropped just while they are given.
        """
        some = _SPARED + self._dice.randrange(1, 5)
        given = journal.backlog("scada", -1, some).result(20)[_SPARED:]
        for one in given:
            self._delivered[one.id] += codec.rows_of(one.record)
        journal.acknowledge("scada", [one.id for one in given])

    def _close(self, journal: Journal, submitted: int, failing: int) -> None:
        tally, events = self._tally, []
        assert journal.stop(20)
        again = made.journal(self._path, limit="1GiB")
        again.start()
        again.submit([made.event("the end")], {})
        made.settle(again)
        found = owed(again)
        again.stop(20)
        rows = lost = 0
        for one in found:
            record = one.record
            # what an output has and the disk does not know yet is sent again
            if isinstance(record, ScoreRecord) and one.id not in self._delivered:
                rows += len(record)
            if isinstance(record, LossRecord) and record.subject == "score":
                lost += record.count
            if isinstance(record, EventRecord):
                events.append(record.name)
        delivered = self._delivered.total()
        tally.runs += 1
        tally.submitted += submitted
        tally.delivered += delivered
        tally.owed += rows
        tally.lost += lost
        missing = submitted - delivered - rows - lost
        tally.missing += max(missing, 0)
        tally.twice += max(-missing, 0)
        tally.turns += failing
        tally.told += "store failing" in events
        tally.well += "store works again" in events


def _until_well(journal: Journal) -> None:
    give_up = time.monotonic() + 30
    while journal.status()["state"] != "ok":
        assert time.monotonic() < give_up
        time.sleep(0.01)
