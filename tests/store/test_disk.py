from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from edge_agent.records import EventRecord, LossRecord, RecordClass, ScoreRecord
from edge_agent.store import disk, recovery, writer
from edge_agent.store.database import Database
from edge_agent.store.outbox import Entry, Stored, Waiting
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.store.journal import Journal
    from edge_agent.store.rows import Transaction


#: Turns of 20 rows: more than half a megabyte.
TURNS = 180


@pytest.fixture(autouse=True)
def _quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "RETRY", (0.05, 0.2))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["/usr/bin/umount", "-l", str(folder)], check=True)


def _until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 15
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def _status(journal: Journal) -> str:
    return str(journal.status()["state"])


def test_full_disk_stops_nothing_and_loses_nothing_it_had(small_disk: Path) -> None:
    """ENOSPC: go on in memory, tell, and write everything when there is room."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    heard: list[Stored] = []
    journal = made.journal(small_disk / "outbox.db")
    journal.start()
    journal.listen("scada", heard.extend)
    for at in range(TURNS):
        journal.submit([made.noisy(20, at=at)], {"core": str(at).encode()})
        if at % 50 == 0:
            made.everything(journal)
    _until(lambda: _status(journal) == "failing")
    journal.submit([made.alarm(1000)], {"core": b"alarm"})
    _until(lambda: any(s.record == made.alarm(1000) for s in heard))
    assert "full" in journal.status()["failing"]

    ballast.unlink()
    _until(lambda: _status(journal) == "ok")
    made.settle(journal)
    names = [s.record.name for s in heard if isinstance(s.record, EventRecord)]
    assert names[0] == "store failing"
    assert journal.stop(10)
    again = made.journal(small_disk / "outbox.db")
    assert again.start().checkpoint == {"core": b"alarm"}
    kept = [r for r in made.everything(again) if isinstance(r, ScoreRecord)]
    again.stop(10)
    assert [int(r.at[0]) for r in kept] == list(range(TURNS))


def test_read_only_start_works_in_memory_and_heals(tmp_path: Path) -> None:
    """No folder to write to: scoring begins anyway, and the store follows later."""
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    heard: list[Stored] = []
    journal = made.journal(blocked / "outbox.db")
    recovered = journal.start()
    journal.listen("scada", heard.extend)
    (first,) = journal.submit([made.scores(3)], {"core": b"1"})
    journal.submit([made.alarm(1)], {"core": b"2"})
    _until(lambda: any(s.record == made.alarm(1) for s in heard))
    assert _status(journal) == "failing"
    assert [type(r) for r in made.everything(journal)][-1] is ScoreRecord

    blocked.unlink()
    _until(lambda: _status(journal) == "ok")
    assert journal.stop(10)
    again = made.journal(blocked / "outbox.db")
    assert again.start().checkpoint == {"core": b"2"}
    found = made.everything(again)
    again.stop(10)

    assert recovered.checkpoint == {}
    assert first.seq > 0, "a boot that could not be counted is told apart by its seq"
    assert made.alarm(1) in found[:3]
    assert made.same(found[-1], made.scores(3))


def test_memory_is_bounded_and_drops_are_counted(tmp_path: Path) -> None:
    """While the disk fails, the oldest scores go first and are in a loss record."""
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    journal = made.journal(blocked / "outbox.db", limit="100kB")
    journal.start()
    for at in range(200):
        journal.submit([made.scores(20, at=at)], {})
    journal.submit([made.alarm(1)], {})
    assert journal.status()["memory_rows"] < 700

    blocked.unlink()
    _until(lambda: _status(journal) == "ok")
    journal.stop(10)
    again = made.journal(blocked / "outbox.db", limit="1MB")
    again.start()
    again.submit([made.event()], {})
    found = made.everything(again)
    again.stop(10)

    kept = sum(len(r) for r in found if isinstance(r, ScoreRecord))
    lost = sum(r.count for r in found if isinstance(r, LossRecord))
    assert kept + lost == 200 * 20
    assert made.alarm(1) in found


def test_what_an_output_has_is_not_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledged while the disk is full: no memory or disk counts it as lost."""
    journal = made.journal(tmp_path / "outbox.db", limit="100kB")
    journal.start()
    first = [journal.submit([made.scores(20, at=at)], {})[0] for at in range(10)]
    made.settle(journal)
    full, commit = threading.Event(), Database.commit

    def failing(self: Database, work: Transaction) -> object:
        if full.is_set():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return commit(self, work)

    monkeypatch.setattr(Database, "commit", failing)
    full.set()
    second = [journal.submit([made.scores(20, at=at)], {})[0] for at in range(10)]
    _until(lambda: _status(journal) == "failing")
    journal.acknowledge("scada", [one.id for one in first + second])
    third = [journal.submit([made.scores(20, at=at)], {})[0] for at in range(15)]
    full.clear()
    _until(lambda: _status(journal) == "ok")
    made.settle(journal)
    found = made.everything(journal)
    journal.stop(10)

    assert sum(len(r) for r in found if isinstance(r, ScoreRecord)) == 20 * len(third)
    assert [r for r in found if isinstance(r, LossRecord)] == []


def test_what_was_acknowledged_during_a_commit_that_failed_waits_no_longer() -> None:
    """It is not there to be dropped, and counted as lost, when memory is full."""
    waiting = Waiting(limit=1000)
    stored = Stored(1, made.scores(3))
    waiting.add(Entry(stored, RecordClass.SCORE, 3, 900, owed=0b11, since=0))
    entries, acks = waiting.begin()
    waiting.acknowledge(0b01, [1], now=1)
    waiting.abandon(entries, acks, now=2)
    assert waiting.entries[1].owed == 0b10
    waiting.begin()
    waiting.acknowledge(0b10, [1], now=3)
    waiting.abandon(entries, {}, now=4)

    assert waiting.entries == {}
    assert waiting.acks == {1: 0b10}, "the commit may have reached the disk"
    waiting.add(Entry(Stored(9, stored.record), RecordClass.SCORE, 3, 2000, 1, 0))
    assert sum(loss.count for loss in waiting.losses.values()) == 3


def test_silent_disk_does_not_hold_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that does not answer for half a second: the alarm goes out without it."""
    hang = threading.Event()
    journal = made.journal(tmp_path / "outbox.db")
    journal.start()
    heard: list[Stored] = []
    journal.listen("scada", heard.extend)
    commit = writer.Writer._write

    def slow(self: writer.Writer, work: object) -> object:
        hang.wait(10)
        return commit(self, work)  # type: ignore[arg-type]

    monkeypatch.setattr(writer.Writer, "_write", slow)
    journal.submit([made.alarm(1)], {})
    _until(lambda: any(s.record == made.alarm(1) for s in heard))

    assert not hang.is_set()
    hang.set()
    assert journal.stop(10)
    assert [s.record for s in heard].count(made.alarm(1)) == 1


def test_bug_in_the_writer_ends_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error nobody expected does not leave a journal that silently keeps nothing."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    journal = made.journal(tmp_path / "outbox.db")
    journal.start()

    def broken(*_: object) -> None:
        raise AssertionError("bug")

    monkeypatch.setattr(writer.Writer, "_write", broken)
    journal.submit([made.alarm(1)], {})
    with pytest.raises(RuntimeError, match="journal"):
        _until(lambda: journal.submit([], {}) == [made])  # type: ignore[comparison-overlap]
    journal.stop(1)


def test_unreadable_file_on_a_working_disk_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad block does not heal: after some attempts the agent begins a new store."""
    path = tmp_path / "outbox.db"
    first = made.journal(path)
    first.start()
    first.submit([made.alarm(1)], {"core": b"1"})
    assert first.stop(10)
    bad, opened = path.stat().st_ino, Database

    def opening(file: Path, limit: int) -> Database:
        if file.exists() and file.stat().st_ino == bad:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return opened(file, limit)

    monkeypatch.setattr(recovery, "Database", opening)
    journal = made.journal(path)
    assert journal.start().checkpoint == {}
    journal.submit([made.alarm(2)], {"core": b"2"})
    _until(lambda: _status(journal) == "ok")
    made.settle(journal)
    found = made.everything(journal)
    journal.stop(10)

    assert {made.alarm(1), made.alarm(2)} <= {
        r for r in found if not isinstance(r, (EventRecord, ScoreRecord))
    }
    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) == 1
