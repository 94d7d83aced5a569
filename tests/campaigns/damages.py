"""Damaged databases: whatever happened to the file, the agent starts and says so.

Each is a copy of a store that was killed at work (file and log) or stopped in order,
harmed in one way. Then a journal starts on it: how long that takes, what is told, what
is read back, and that work goes on.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.records import (
    AlarmRecord,
    EventRecord,
    FindingRecord,
    LossRecord,
    ScoreRecord,
)
from edge_agent.store import pages
from edge_agent.store.schema import APPLICATION_ID, MIGRATIONS
from tests.campaigns.telling import Findings, Progress, quantiles, quiet
from tests.store import made
from tests.store.lives import live_and_die, victims

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.records import Record

_PAGE = pages.PAGE
_TURNS = 60


def _changed(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def flip(path: Path, dice: random.Random) -> None:
    """Some bits anywhere."""

    def change(content: bytearray) -> None:
        for _ in range(dice.choice([1, 8, 200])):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)

    _changed(path, change)


def cut_off(path: Path, dice: random.Random) -> None:
    """The end is missing."""
    _changed(path, lambda c: c.__delitem__(slice(dice.randrange(len(c)), None)))


def zero_pages(path: Path, dice: random.Random) -> None:
    """Pages of zeros."""

    def change(content: bytearray) -> None:
        for _ in range(dice.choice([1, 3])):
            page = dice.randrange(len(content) // _PAGE) * _PAGE
            content[page : page + _PAGE] = bytes(_PAGE)

    _changed(path, change)


def swap_pages(path: Path, dice: random.Random) -> None:
    """Two pages in each other's place: a lost write of a mapping."""

    def change(content: bytearray) -> None:
        pages = len(content) // _PAGE
        one, other = (dice.randrange(pages) * _PAGE for _ in range(2))
        kept = content[one : one + _PAGE]
        content[one : one + _PAGE] = content[other : other + _PAGE]
        content[other : other + _PAGE] = kept

    _changed(path, change)


def torn_log(path: Path, dice: random.Random) -> None:
    """The log ends within a frame, or has a hole."""
    log = _log(path)
    if not log.exists():
        cut_off(path, dice)
    elif dice.random() < 0.5:
        cut_off(log, dice)
    else:
        flip(log, dice)


def swapped_log(path: Path, dice: random.Random) -> None:
    """The log of another file."""
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other, isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode = WAL")
        sql.execute("CREATE TABLE theirs(x)")
        sql.execute(
            "INSERT INTO theirs VALUES (randomblob(?))", (dice.randrange(9000),)
        )
        shutil.copyfile(_log(other), _log(path))


def garbage(path: Path, dice: random.Random) -> None:
    """Nothing of it is left."""
    path.write_bytes(dice.randbytes(dice.randrange(1, 200_000)))


def empty(path: Path, dice: random.Random) -> None:
    """No bytes: a file system that was repaired."""
    del dice
    path.write_bytes(b"")


def foreign(path: Path, dice: random.Random) -> None:
    """A database of somebody else."""
    path.unlink()
    _log(path).unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(f"PRAGMA application_id = {dice.randrange(1 << 30)}")
        sql.execute("CREATE TABLE theirs(x)")
        sql.commit()


def newer(path: Path, dice: random.Random) -> None:
    """Of an agent that is not written yet."""
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        version = len(MIGRATIONS) + dice.randrange(1, 5)
        sql.execute(f"PRAGMA user_version = {version}")


def hurt_header(path: Path, dice: random.Random) -> None:
    """The first bytes."""

    def change(content: bytearray) -> None:
        at = dice.randrange(100)
        content[at : at + 8] = dice.randbytes(8)

    _changed(path, change)


def hurt_schema(path: Path, dice: random.Random) -> None:
    """The first page behind its header."""

    def change(content: bytearray) -> None:
        at = dice.randrange(100, _PAGE - 200)
        content[at : at + 200] = dice.randbytes(200)

    _changed(path, change)


HARMS = (
    flip,
    cut_off,
    zero_pages,
    swap_pages,
    torn_log,
    swapped_log,
    garbage,
    empty,
    foreign,
    newer,
    hurt_header,
    hurt_schema,
)


def run(count: int, seed: int, kept: Path) -> Findings:
    """Harm so many stores.

    Args:
        count: stores.
        seed: of the harm.
        kept: not used.
    """
    del kept
    quiet()
    found, progress = Findings("damages", seed), Progress("damages", count)
    tally = _Tally()
    with tempfile.TemporaryDirectory(prefix="damages-") as place:
        folder = Path(place)
        stores = [_stopped(folder / "stopped"), _killed(folder / "killed", seed)]
        for number in range(count):
            harm = HARMS[number % len(HARMS)]
            source = stores[number // len(HARMS) % len(stores)]
            work = folder / f"harmed-{number}"
            shutil.copytree(source, work)
            dice = random.Random(seed + number)
            tally.start(work / "store.db", dice, harm)
            shutil.rmtree(work)
            progress.step(number + 1, harm.__name__)
    found.figures = {
        "databases": count,
        "told as damaged, of them": dict(tally.told),
        "not told: SQLite saw no harm, of them": dict(tally.silent),
        "records read back": tally.records,
        "ready, s": quantiles(tally.ready),
        "records that say something wrong": tally.wrong,
        "could not start or go on": len(tally.failed),
    }
    for one in tally.failed:
        found.promise(held=False, what=one)
    found.promise(not tally.wrong, "nothing wrong is passed on")
    found.promise(max(tally.ready) < 10, "ready within 10 s")
    return found


class _Tally:
    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.silent: Counter[str] = Counter()
        self.records = self.wrong = 0
        self.ready: list[float] = []
        self.failed: list[str] = []

    def start(
        self,
        path: Path,
        dice: random.Random,
        harm: Callable[[Path, random.Random], None],
    ) -> None:
        """Harm a store and start on it."""
        name = harm.__name__
        harm(path, dice)
        journal = made.journal(path)
        began = time.monotonic()
        try:
            recovered = journal.start()
            self.ready.append(time.monotonic() - began)
            journal.submit([made.event("still here")], {"core": b"new"})
            made.settle(journal)
            _done(journal.status)
            records = made.everything(journal)
            events = {r.name for r in records if isinstance(r, EventRecord)}
            stopped = journal.stop(20)
        except Exception as error:  # noqa: BLE001 - it is what is looked for
            self.failed.append(f"{name}: {error!r}")
            return
        told = any(event.name == "store damaged" for event in recovered.events)
        (self.told if told else self.silent)[name] += 1
        aside = list(path.parent.glob("store.db.damaged-*"))
        if told != bool(aside) or "still here" not in events or not stopped:
            self.failed.append(f"{name}: told {told}, aside {aside}, events {events}")
        self.records += len(records)
        self.wrong += _wrong(records)


def _done(status: Callable[[], dict[str, object]]) -> None:
    give_up = time.monotonic() + 30
    while status()["chore"] and time.monotonic() < give_up:
        time.sleep(0.01)


def _wrong(records: Sequence[Record]) -> int:
    return sum(not _right(record) for record in records)


def _right(record: Record) -> bool:
    match record:
        case ScoreRecord():
            return made.same(record, made.scores(len(record), at=int(record.at[0])))
        case AlarmRecord():
            return record == made.alarm(record.at)
        case FindingRecord():
            return record == made.finding(record.at, id=str(record.at))
        case EventRecord() | LossRecord():
            return True
        case _:
            return False


def _stopped(folder: Path) -> Path:
    """A store whose agent stopped in order."""
    folder.mkdir()
    journal = made.journal(folder / "store.db")
    journal.start()
    for at in range(_TURNS):
        records: list[Record] = [made.scores(20, at=at), made.alarm(at)]
        records += [made.finding(at, id=str(at)), made.drift(at, at + 1)]
        journal.submit(records, {"core": str(at).encode()})
    assert journal.stop(20)
    return folder


def _killed(folder: Path, seed: int) -> Path:
    """A store whose agent was killed: its newest rows are in the log."""
    folder.mkdir()
    with victims("tests.campaigns.powercuts") as forks:
        live_and_die(forks, folder / "store.db", seed, folder / "diary", 1.0)
    return folder
