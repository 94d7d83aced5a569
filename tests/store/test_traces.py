"""What alarms leave behind in the store, and how it is found again."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import StoreDamaged
from edge_agent.records import AlarmState, Fallback, RecordClass
from edge_agent.store import bodies, disk, offline, pages, traces
from edge_agent.store.archive import Fill
from edge_agent.store.database import Database
from edge_agent.store.looking import Query
from edge_agent.store.outbox import SEQ_BITS, Entry, Stored
from edge_agent.store.rings import Ring
from edge_agent.store.rows import Refused, Transaction, crc_of
from edge_agent.store.schema import APPLICATION_ID, MIGRATIONS, migrate
from edge_agent.store.traces import Origin, Trace
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.records import AlarmRecord
    from edge_agent.store.journal import Journal
    from edge_agent.store.looking import Found

DIGEST = "0123abcd" + "5" * 56
ORIGIN = Origin("gw-07", "c" * 64)
_LOOK = """
import sys, pathlib
from edge_agent.store import looking, offline
offline.look(pathlib.Path(sys.argv[1]), looking.Query.of("last"))
"""
MODEL = replace(made.PUMPS, model_digest=DIGEST)


def alarm(
    at: int, state: AlarmState = AlarmState.ACTIVE, since: int = -1
) -> AlarmRecord:
    """A transition of a model with a digest."""
    since = at if since < 0 else since
    record = made.alarm(at, state=state)
    name = f"P-101-{since:x}"
    return replace(record, info=MODEL, occurrence=name, since=since)


def asked(journal: Journal, what: str) -> Found:
    """What the running journal says."""
    return journal.look(what).result(10)


def times(found: Found) -> list[int]:
    """When the found transitions were."""
    return [trace.at for trace in found.traces]


def kept(path: Path) -> int:
    """Rows of the table, read without the store's code."""
    with closing(sqlite3.connect(path)) as sql:
        return int(sql.execute("SELECT count(*) FROM alarm").fetchone()[0])


def test_an_acknowledged_alarm_is_still_known(tmp_path: Path) -> None:
    """The outbox forgets what was sent; who raised it stays, with all that matters."""
    first = made.journal(tmp_path / "store.db", origin=ORIGIN)
    first.start()
    record = replace(alarm(5), fallback=Fallback.LAST_KNOWN_GOOD, part="77")
    (one,) = first.submit([record], {})
    made.settle(first)
    first.acknowledge("scada", [one.id])
    assert first.stop(10)
    second = made.journal(tmp_path / "store.db", origin=ORIGIN)
    second.start()
    assert made.everything(second) == []
    (trace,) = asked(second, "P-101-5").traces
    second.stop(10)

    assert trace == Trace(
        id=one.id,
        occurrence="P-101-5",
        gateway="gw-07",
        pipeline="pump-anomaly",
        asset="P-101",
        state=1,
        at=5,
        since=5,
        wall_offset=0,
        score=3.0,
        threshold=2.5,
        severity=700,
        reason=record.reason,
        part="77",
        model="pump-anomaly",
        model_version="3",
        model_digest=DIGEST,
        fallback=1,
        configuration="c" * 64,
    )
    assert (trace.boot, trace.seq) == (1, 0)


def test_both_transitions_are_found_by_either_name(tmp_path: Path) -> None:
    """Occurrence, event id and `last` lead to the episode, a digest to all of them."""
    journal = made.journal(tmp_path / "store.db", origin=ORIGIN)
    journal.start()
    journal.submit([made.scores(3), alarm(5), alarm(6)], {})
    journal.submit([alarm(9, AlarmState.NORMAL, since=5)], {})
    made.settle(journal)
    found = {
        what: times(asked(journal, what))
        for what in ("P-101-5", "gw-07-1-3", "gw-07-1-5", "last", "0123abcd", DIGEST)
    }
    unknown = ("gw-08-1-3", "gw-07-2-3", "gw-07-1-0", f"gw-07-0-{(1 << SEQ_BITS) + 3}")
    strange = [asked(journal, what) for what in unknown]
    newest = [trace.occurrence for trace in strange[0].newest]
    journal.stop(10)

    assert found == {
        "P-101-5": [5, 9],
        "gw-07-1-3": [5, 9],
        "gw-07-1-5": [5, 9],
        "last": [5, 9],
        "0123abcd": [5, 6, 9],
        DIGEST: [5, 6, 9],
    }
    # an id of another gateway is not this one's, though its numbers are
    assert [times(one) for one in strange] == [[], [], [], []]
    assert newest == ["P-101-5", "P-101-6"]


def test_an_id_tells_two_pipelines_of_one_asset_apart(tmp_path: Path) -> None:
    """Two models that alarm at the same moment share an occurrence, not an id."""
    other = replace(MODEL, pipeline="bearing", model_digest="f" * 64)
    journal = made.journal(tmp_path / "store.db", origin=ORIGIN)
    journal.start()
    journal.submit([alarm(5), replace(alarm(5), info=other)], {})
    made.settle(journal)
    both, one = asked(journal, "P-101-5"), asked(journal, "gw-07-1-1")
    journal.stop(10)

    assert [trace.pipeline for trace in both.traces] == ["pump-anomaly", "bearing"]
    assert [trace.pipeline for trace in one.traces] == ["bearing"]


@pytest.mark.parametrize(
    "what",
    [
        *(
            "",
            "-",
            "--",
            "a-1-2-3",
            "x" * 5000,
            "\ud800",
            "\0",
            "P-101-5\0",
            "%",
            "' OR 1",
        ),
        *(
            "gw-999999-1",
            "gw-07-1-99999999999999",
            "gw-07-1-" + "9" * 400,
            "\u0663-1-\u0661",
        ),
        *("0" * 65, "abcdefg", "last ", "LAST"),
    ],
)
def test_no_question_disturbs_the_journal(tmp_path: Path, what: str) -> None:
    """Whatever is asked: an answer, and the writer goes on."""
    journal = made.journal(tmp_path / "store.db", origin=ORIGIN)
    journal.start()
    journal.submit([alarm(5)], {})
    made.settle(journal)

    assert times(asked(journal, what)) == ([5] if what.strip() == "last" else [])
    journal.submit([alarm(6)], {})
    made.settle(journal)
    assert times(asked(journal, "last")) == [6]
    assert journal.stop(10)


def test_an_agent_without_outputs_remembers_its_alarms(tmp_path: Path) -> None:
    """Nobody is owed them, so this trace is the only one."""
    journal = made.journal(tmp_path / "store.db", (), origin=ORIGIN)
    journal.start()
    journal.submit([made.scores(), alarm(5)], {"alarms": b"x"})
    journal.stop(10)
    status = journal.status()

    assert (status["rows"], status["alarms_kept"]) == (0, 1)
    assert times(offline.look(tmp_path / "store.db", Query.of("last"))) == [5]


def test_an_alarm_sent_while_the_disk_fails_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCADA has it and says so before the disk works: it is known all the same."""
    monkeypatch.setattr(disk, "RETRY", (0.05, 0.2))
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    journal = made.journal(blocked / "store.db", origin=ORIGIN)
    journal.start()
    (one,) = journal.submit([alarm(5)], {})
    journal.acknowledge("scada", [one.id])
    before = times(asked(journal, "last"))
    blocked.unlink()
    made.settle(journal)
    after = times(asked(journal, "last"))
    owed = [record for record in made.everything(journal) if record == alarm(5)]
    assert journal.stop(10)

    assert (before, after, owed) == ([5], [5], [])
    assert kept(blocked / "store.db") == 1


def test_the_ring_keeps_the_newest_and_counts_what_it_forgot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its bound the oldest goes, by design: counted in the status, no loss."""
    monkeypatch.setattr(traces, "KEPT", 7)
    journal = made.journal(tmp_path / "store.db", origin=ORIGIN)
    journal.start()
    for at in range(10):
        journal.submit([alarm(at)], {})
        made.settle(journal)
    first, last = asked(journal, "P-101-2"), asked(journal, "P-101-3")
    journal.stop(10)
    status = journal.status()
    again = made.journal(tmp_path / "store.db", origin=ORIGIN)
    again.start()
    again.submit([alarm(10)], {})
    again.stop(10)
    later = again.status()

    assert (status["alarms_kept"], status["alarms_forgotten"]) == (7, 3)
    assert (later["alarms_kept"], later["alarms_forgotten"]) == (7, 1)
    assert (times(first), times(last)) == ([], [3])
    assert status["rows_lost"] == 0
    assert kept(tmp_path / "store.db") == 7


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.text(max_size=600)), max_size=4)
    ),
    st.integers(500, 5000),
)
def test_the_ring_never_holds_more_than_its_share(
    groups: list[list[tuple[int, str]]], limit: int
) -> None:
    """Any alarms in any order: within the bytes, the newest kept, the count right."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as sql:
        migrate(sql)
        ring, written = Ring(), set[int]()
        for group in groups:
            stored = [
                Stored(
                    id_,
                    replace(
                        alarm(id_), reason=text.encode("utf-8", "replace").decode()
                    ),
                )
                for id_, text in group
            ]
            written |= {one.id for one in stored}
            ring = traces.write(sql, traces.left_by(stored, ORIGIN), ring, limit)
            measured = traces.measured(sql)
            assert (ring.rows, ring.bytes) == (measured.rows, measured.bytes)
            assert ring.bytes <= limit or ring.rows == 1
        ids = [id_ for (id_,) in sql.execute("SELECT id FROM alarm")]
        rows = sql.execute(f"SELECT {traces.COLUMNS} FROM alarm").fetchall()  # noqa: S608 - constants

    assert len(list(traces.intact(rows))) == len(ids) == ring.rows
    assert not written or max(written) in ids


def test_a_commit_that_fails_leaves_the_count_as_it_was(tmp_path: Path) -> None:
    """The ring's size in memory is that of the disk also after a rollback."""
    with closing(Database(tmp_path / "store.db", 1 << 20)) as database:
        entry = Entry(Stored(1, alarm(1)), RecordClass.ALARM, 1, 300, 0, 0)
        refused = Refused(1, "scada", None, 0, 1, b"")  # type: ignore[arg-type]
        with pytest.raises(sqlite3.IntegrityError):
            database.commit(Transaction([entry], refused=[refused]))
        assert database.fill == Fill()
        database.commit(Transaction([entry]))
        assert database.fill.alarms.rows == 1


def test_a_changed_row_is_left_out_and_counted(tmp_path: Path) -> None:
    """A flipped bit must not name the wrong model."""
    path = tmp_path / "store.db"
    journal = made.journal(path, origin=ORIGIN)
    journal.start()
    journal.submit([alarm(5), alarm(6)], {})
    assert journal.stop(10)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("UPDATE alarm SET model_digest = ? WHERE at = 5", ("e" * 64,))
        sql.commit()
    found = offline.look(path, Query.of("P-101-5"))

    assert times(found) == []
    assert found.damaged > 0
    assert times(offline.look(path, Query.of("last"))) == [6]


def test_traces_are_salvaged_from_a_damaged_file(tmp_path: Path) -> None:
    """A broken page costs what was on it; the other alarms stay known."""
    path = tmp_path / "store.db"
    journal = made.journal(path, origin=ORIGIN)
    journal.start()
    for at in range(60):
        journal.submit([alarm(at)], {})
    assert journal.stop(10)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("UPDATE alarm SET model = 'other' WHERE at = 30")
        sql.execute("PRAGMA writable_schema = ON")
        (root,) = sql.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'outbox'"
        ).fetchone()
        sql.commit()
    content = bytearray(path.read_bytes())
    content[(root - 1) * pages.PAGE : root * pages.PAGE] = b"\xff" * pages.PAGE
    path.write_bytes(content)

    again = made.journal(path, origin=ORIGIN)
    assert [event.name for event in again.start().events] == ["store damaged"]
    again.submit([alarm(60)], {})
    made.settle(again)
    found = asked(again, DIGEST[:8])
    again.stop(10)

    assert times(found) == [at for at in range(61) if at != 30]


def old_store(path: Path, record: AlarmRecord) -> None:
    """A file of the first version with one alarm that SCADA does not have."""
    info = asdict(replace(record.info, model_digest=""))
    del info["model_digest"]
    packed = msgspec.msgpack.encode(info)
    values = msgspec.msgpack.decode(bodies.packed_alarm(record, b"12345678")[1:])
    body = b"A" + msgspec.msgpack.encode(values[:-1])
    head = (1 << SEQ_BITS, 0, 1, record.at, record.at, 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.executescript(MIGRATIONS[0])
        sql.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        sql.execute("PRAGMA user_version = 1")
        row = (b"12345678", zlib.crc32(packed), packed)
        sql.execute("INSERT INTO info VALUES (?, ?, ?)", row)
        sql.execute("INSERT INTO output VALUES (0, 'scada')")
        sql.execute("UPDATE boot SET number = 1")
        sql.execute(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*head, 1, crc_of(head, body), body),
        )


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    """After an update: what waited is sent as it was, new alarms leave their trace."""
    path = tmp_path / "store.db"
    old_store(path, made.alarm(5))
    unknown = offline.look(path, Query.of("last"))
    journal = made.journal(path, origin=ORIGIN)
    recovered = journal.start()
    owed = made.everything(journal)
    journal.submit([alarm(6)], {})
    made.settle(journal)
    found = asked(journal, "last")
    assert journal.stop(10)
    again = made.journal(path, origin=ORIGIN)
    again.start()
    still = made.everything(again)
    again.stop(10)

    assert unknown.newest == ()
    assert (recovered.boot, recovered.events) == (2, [])
    assert owed == [made.alarm(5)]
    assert owed[0].info.model_digest == ""  # type: ignore[union-attr]
    assert times(found) == [6]
    assert still == [made.alarm(5), alarm(6)]


def test_offline_reading_is_refused_while_an_agent_has_the_file(tmp_path: Path) -> None:
    """Its newest rows are in its own memory: only the agent can be asked."""
    path = tmp_path / "store.db"
    journal = made.journal(path, origin=ORIGIN)
    journal.start()
    journal.submit([alarm(5)], {})
    made.settle(journal)
    # a process of its own: locks of files are between processes
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    journal.submit([alarm(6)], {})
    made.settle(journal)
    assert journal.status()["state"] == "ok"
    assert journal.stop(10)

    assert "StoreInUse" in done.stderr
    assert "running agent" in done.stderr


def test_offline_reading_sees_what_a_killed_agent_wrote_last(tmp_path: Path) -> None:
    """The newest rows lie in the log beside the file: they are seen, it stays."""
    path, dead = tmp_path / "store.db", tmp_path / "dead"
    journal = made.journal(path, origin=ORIGIN)
    journal.start()
    journal.submit([alarm(5)], {})
    made.settle(journal)
    shutil.copytree(tmp_path, dead)  # what SIGKILL leaves
    assert journal.stop(10)
    before = {file.name: file.read_bytes() for file in dead.iterdir()}
    found = offline.look(dead / "store.db", Query.of("last"))

    assert times(found) == [5]
    assert {file.name: file.read_bytes() for file in dead.iterdir()} == before


def test_a_copy_that_finds_no_room_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small memory disk is not filled by a question; the error says what to do."""
    path, dead = tmp_path / "store.db", tmp_path / "dead"
    journal = made.journal(path)
    journal.start()
    journal.submit([alarm(5)], {})
    made.settle(journal)
    shutil.copytree(tmp_path, dead)
    assert journal.stop(10)
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    with pytest.raises(OSError, match="start the agent and ask again"):
        offline.look(dead / "store.db", Query.of("last"))


def test_offline_reading_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """No lock, no side file, not a byte: an agent can start at any moment."""
    path = tmp_path / "state" / "store.db"
    journal = made.journal(path, origin=ORIGIN)
    journal.start()
    journal.submit([alarm(5)], {})
    assert journal.stop(10)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with offline._opened(path) as sql:
        assert sql.execute("SELECT count(*) FROM alarm").fetchone() == (1,)
        again = made.journal(path, origin=ORIGIN)
        again.start()
        assert again.stop(10)
    path.with_name("store.db.boot").write_bytes(before["store.db.boot"])
    journal_files = {file.name for file in path.parent.iterdir()}
    times_found = times(offline.look(path, Query.of("last")))

    assert journal_files == set(before)
    assert times_found == [5]


def test_what_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    """A wrong path, other bytes, another program's file: an error that says so."""
    with pytest.raises(FileNotFoundError):
        offline.look(tmp_path / "none.db", Query.of("last"))
    bytes_ = tmp_path / "bytes.db"
    bytes_.write_bytes(b"no database at all" * 1000)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as sql:
        sql.execute("CREATE TABLE alarm(x)")
    for path in (bytes_, foreign):
        with pytest.raises(StoreDamaged, match=path.name):
            offline.look(path, Query.of("last"))
