"""What bounds the store on the disk, and what it writes."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Store
from edge_agent.instruments import Instruments
from edge_agent.records import RecordClass
from edge_agent.records.appetites import SCADA
from edge_agent.store import checkpoints, ledger, pages, squeeze
from edge_agent.store.database import Database
from edge_agent.store.flow import Flow
from edge_agent.store.holdings import measured
from edge_agent.store.journal import Journal
from edge_agent.store.outbox import Entry, Loss, Stored
from edge_agent.store.pledge import Pledge
from edge_agent.store.rows import Transaction
from edge_agent.store.tray import Tray
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LIMIT = 400_000


def _entries(first: int, count: int, rows: int = 10) -> list[Entry]:
    records = [made.noisy(rows, at=first + i) for i in range(count)]
    return [
        Entry(
            Stored((1 << 44) + (first + i) * rows, record), record.kind, rows, 0, 1, 0
        )
        for i, record in enumerate(records)
    ]


def _opened(path: Path, limit: int = _LIMIT) -> Database:
    database = Database(path, limit)
    database.set_outputs(["scada"])
    return database


def test_the_file_stays_within_its_bound_over_many_cycles(tmp_path: Path) -> None:
    """Filled beyond its limit and drained, again and again: the file does not creep."""
    path, number, sizes = tmp_path / "store.db", 0, []
    with closing(_opened(path)) as database:
        for cycle in range(12):
            for _ in range(8):
                entries = _entries(number, 20, rows=30)
                number += 20
                database.commit(Transaction(entries))
                assert database.held.bytes <= _LIMIT
                file, log = pages.on_disk(path)
                assert file <= pages.most(_LIMIT)
                assert log <= pages.LOG + (1 << 20)
            ids = [
                id_
                for (id_,) in database._sql.execute("SELECT id FROM outbox").fetchall()
            ]
            # every third record stays owed for a while: pages are left half full
            taken = [id_ for place, id_ in enumerate(ids) if (place + cycle) % 3]
            database.commit(Transaction(acks=dict.fromkeys(taken, 1)))
            database._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            sizes.append(path.stat().st_size)
    assert max(sizes[2:]) <= 1.5 * _LIMIT
    assert max(sizes[6:]) <= 1.1 * max(sizes[:6])


def test_pages_half_full_count(tmp_path: Path) -> None:
    """Where what is held is little but its pages are many, records give way."""
    path = tmp_path / "store.db"
    with closing(_opened(path)) as database:
        database.commit(Transaction(_entries(0, 100)))
        over = pages.most(0) // pages.PAGE
        database._sql.execute("CREATE TABLE ballast(x BLOB)")
        database._sql.execute(
            "INSERT INTO ballast VALUES (zeroblob(?))", (over * pages.PAGE + _LIMIT,)
        )
        database.commit(Transaction(_entries(100, 1)))
        assert database.held.records[RecordClass.SCORE] == 0
        losses = database.ledger()
    assert sum(loss.count for loss in losses.values()) == 1010


def test_a_log_that_cannot_be_folded_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite hides a failed checkpoint; the commit behind it fails, and is told."""
    monkeypatch.setattr(pages, "_TOO_LONG", 200_000)
    path = tmp_path / "store.db"
    with closing(_opened(path)) as database:
        database._sql.execute("PRAGMA wal_autocheckpoint = 0")
        number = 0
        while pages.on_disk(path)[1] <= 200_000:
            database.commit(Transaction(_entries(number, 20)))
            number += 20
        database.commit(Transaction(_entries(number, 1)))
        assert pages.on_disk(path)[1] <= 200_000, "it is folded before more is written"

        monkeypatch.setattr(pages, "_TOO_LONG", 0)
        # a reader keeps the log: this connection's own, as nobody else may open it
        cursor = database._sql.execute("SELECT id FROM outbox")
        cursor.fetchone()
        with pytest.raises(sqlite3.OperationalError):
            database.commit(Transaction(_entries(number + 1, 1)))
        cursor.close()
        database.commit(Transaction(_entries(number + 1, 1)))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 48 MB in a file."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    image, folder = tmp_path / "image", tmp_path / "small"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(48 << 20)
    for command in (
        ["/usr/sbin/mkfs.ext4", "-q", str(image)],
        ["/usr/bin/mount", "-o", "loop", str(image), str(folder)],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this machine does not let root make a small file system")
    yield folder
    subprocess.run(["/usr/bin/umount", "-l", str(folder)], check=True)


def test_a_small_disk_is_not_filled_to_the_brim(small_disk: Path) -> None:
    """Without store.limit an outage ends at what the disk spares; a part stays free."""
    path = small_disk / "store.db"
    clock = SystemClock()
    pledge = Pledge(path, Store(), Flow(), clock, lambda _: None)
    total = os.statvfs(small_disk).f_blocks * os.statvfs(small_disk).f_frsize
    assert pledge.limit < total
    losses: dict[tuple[str, str, str], Loss] = {}
    with closing(_opened(path, pledge.limit)) as database:
        number = 0
        while not losses:
            losses = database.commit(Transaction(_entries(number, 20, rows=200)))
            number += 20
        for _ in range(10):
            database.commit(Transaction(_entries(number, 20, rows=200)))
            number += 20
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    assert free > total // 10


def test_a_journal_without_a_limit_says_what_it_takes(tmp_path: Path) -> None:
    """The derived limit is in the status from the start."""
    journal = Journal(
        tmp_path / "outbox.db",
        sinks=("scada",),
        settings=Store(),
        clock=SystemClock(),
        instruments=Instruments(),
    )
    journal.start()
    status = journal.status()
    journal.stop(10)

    assert 0 < status["limit_bytes"] <= 1 << 30
    assert status["promise_state"] == "unknown"
    assert "not measured yet" in status["promise"]


@given(st.binary(max_size=600), st.booleans())
def test_a_squeezed_body_comes_back(body: bytes, marked: bool) -> None:
    """Whatever a body is, even one that looks squeezed."""
    body = squeeze.MARK + body if marked else body
    assert squeeze.whole(squeeze.squeezed(body)) == body


@given(st.binary(max_size=200))
def test_a_damaged_squeezed_body_is_refused_as_one(body: bytes) -> None:
    """Nothing but a ValueError comes of bytes that no squeezing made."""
    try:
        squeeze.whole(squeeze.MARK + body)
    except ValueError:
        return
    assert squeeze.whole(squeeze.squeezed(body)) == body


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that claims to be larger than any is refused."""
    monkeypatch.setattr(squeeze, "_MOST", 1 << 16)
    with pytest.raises(ValueError, match="too large"):
        squeeze.whole(squeeze.squeezed(bytes(1 << 20)))


def test_saved_state_is_squeezed_and_checked(tmp_path: Path) -> None:
    """A part comes back as it was, takes less, and is reported when it is damaged."""
    body = bytes(range(64)) * 100
    with closing(_opened(tmp_path / "store.db")) as database:
        for _ in range(3):
            database.commit(Transaction(checkpoint={"alarms/pump": body, "x": b"1"}))
        sql = database._sql
        assert database.checkpoint() == ({"alarms/pump": body, "x": b"1"}, [])
        ((size,),) = sql.execute(
            "SELECT length(body) FROM checkpoint WHERE name = 'alarms/pump'"
        ).fetchall()
        assert size < len(body) // 10
        sql.execute(
            "UPDATE checkpoint SET body = substr(body, 1, 40) WHERE name != 'x'"
        )
        assert checkpoints.read(sql) == ({"x": b"1"}, ["alarms/pump"])


class _Hands:
    """A clock that is set by hand."""

    at = 10**18

    def now(self) -> int:
        """Agent time."""
        return self.at

    def wall_offset(self) -> int:
        """None."""
        return 0


def test_state_goes_with_what_it_remembers() -> None:
    """Scores do not carry the state with each commit; an alarm or drift row does."""
    clock = _Hands()
    tray = Tray(1.0, 1 << 20, [SCADA], clock)
    tray.begin(1, 0, {})
    second, carried = 10**9, []
    for turn in range(25):
        records = [made.scores(1, at=turn)]
        if turn == 3:
            records.append(made.drift(turn, turn + 1))  # type: ignore[arg-type]
        tray.put(records, {"core": str(turn).encode()})
        clock.at += second
        work = tray.next(0)
        assert work is not None
        tray.committed(work)
        carried.append(work.checkpoint.get("core"))
    assert carried[3] == b"3"
    assert carried[:3] == [None] * 3
    waits = [turn for turn, body in enumerate(carried) if body]
    assert max(b - a for a, b in itertools.pairwise(waits)) <= 10
    tray.put([], {"core": b"last"})
    tray.stop()
    last = tray.next(0)
    assert last is not None
    assert last.checkpoint == {"core": b"last"}


def test_many_are_dropped_at_once(tmp_path: Path) -> None:
    """Half of some ten thousand go in two statements; what is held is as counted."""
    with closing(_opened(tmp_path / "store.db", 1 << 30)) as database:
        sql = database._sql
        rows = (
            (i * 10, 3 if i % 10 else 1, 1, i, i, 0, 1, 0, bytes(20))
            for i in range(20_000)
        )
        with database._transaction():
            sql.executemany("INSERT INTO outbox VALUES (?,?,?,?,?,?,?,?,?)", rows)
        database.held = measured(sql)
        said: list[str] = []
        sql.set_trace_callback(said.append)
        losses: dict[tuple[str, str, str], Loss] = {}
        gone = ledger.drop_oldest(sql, RecordClass.SCORE, 9_000 * 84, 0, "full", losses)
        sql.set_trace_callback(None)
        database.held.take(gone)

        assert (gone.records, gone.rows, gone.bytes) == (9_000, 9_000, 9_000 * 84)
        assert len(said) == 2
        again = measured(sql)
        assert (again.kinds, again.rows) == (database.held.kinds, database.held.rows)
        assert list(losses.values()) == [Loss(9_000, 1, 9_999)]
        oldest = sql.execute("SELECT min(id) FROM outbox WHERE class = 3").fetchone()
        assert oldest == (100_010,)
        assert sql.execute(
            "SELECT count(*) FROM outbox WHERE class = 1"
        ).fetchone() == (2_000,)


def test_an_index_that_lost_a_row_is_made_anew(tmp_path: Path) -> None:
    """Damage in an index hides records from an output: it is found at the start."""
    path = tmp_path / "store.db"
    with closing(_opened(path)) as database:
        alarms = [made.alarm(at) for at in range(5)]
        database.commit(
            Transaction(
                [
                    Entry(Stored(i + 1, a), a.kind, 1, 0, 1, 0)
                    for i, a in enumerate(alarms)
                ]
            )
        )
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA writable_schema = ON")
        kept = sql.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'outbox_urgent'"
        ).fetchone()
        # an index that does not know of the row that follows
        sql.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'class < 3', 'class < -1')"
            " WHERE name = 'outbox_urgent'"
        )
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("REINDEX")
        sql.execute("PRAGMA writable_schema = ON")
        sql.execute(
            "UPDATE sqlite_schema SET sql = ? WHERE name = 'outbox_urgent'", kept
        )
    with closing(_opened(path)) as database:
        found, bad = database.owed_to(1, -1, 100, urgent=True)
    assert (len(found), bad) == (5, [])
