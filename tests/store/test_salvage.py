from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge_agent.records import AlarmRecord, LossRecord, ScoreRecord
from edge_agent.store import chores, engine, holdings, pages, pending, soundness, writer
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.store.journal import Journal

_TURNS = 400


def _filled(path: Path) -> None:
    journal = made.journal(path)
    journal.start()
    for at in range(_TURNS):
        journal.submit([made.scores(20, at=at), made.alarm(at)], {"core": b"%d" % at})
    assert journal.stop(20)


def _broken(path: Path) -> None:
    """A page in the middle is gone."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)


def _broken_scores(path: Path) -> None:
    """A page is gone that holds scores of the middle: no start looks at it."""
    with closing(sqlite3.connect(path)) as sql:
        (body,) = sql.execute(
            "SELECT body FROM outbox WHERE class = 3 AND at_first = ?", (_TURNS // 2,)
        ).fetchone()
    content = bytearray(path.read_bytes())
    page = content.index(body) // pages.PAGE * pages.PAGE
    content[page : page + pages.PAGE] = b"\xff" * pages.PAGE
    path.write_bytes(content)


def _until(true: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def _idle(journal: Journal) -> None:
    _until(lambda: not journal.status()["chore"])


def test_a_second_connection_is_refused_and_that_is_told(tmp_path: Path) -> None:
    """The defect of SQLite before 3.51.3 needs two connections; there is one."""
    path = tmp_path / "outbox.db"
    journal = made.journal(path)
    journal.start()
    with (
        closing(sqlite3.connect(path, timeout=0)) as second,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        second.execute("SELECT * FROM boot").fetchone()
    told = journal.status()["engine"]
    journal.stop(10)

    version = sqlite3.sqlite_version
    assert told == f"SQLite {version}, wal, a second connection is refused"


def test_where_locks_do_nothing_there_is_no_log_to_be_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that lets a second one in gets a rollback journal, and says so."""
    path = tmp_path / "outbox.db"
    _filled(path)
    monkeypatch.setattr(engine, "refuses_another", lambda _: False)
    monkeypatch.setattr(engine, "has_reset_bug", lambda: True)
    journal = made.journal(path)
    assert journal.start().events == []
    journal.submit([made.alarm(_TURNS)], {"core": b"new"})
    made.settle(journal)
    told = journal.status()["engine"]
    logs = list(tmp_path.glob("*-wal"))
    assert journal.stop(10)
    again = made.journal(path)
    assert again.start().checkpoint == {"core": b"new"}
    found = made.everything(again)
    again.stop(10)

    assert "truncate, a second connection is NOT refused" in told
    assert logs == []
    assert sum(isinstance(r, AlarmRecord) for r in found) == _TURNS + 1


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
    ],
)
def test_which_versions_have_the_defect(
    version: tuple[int, int, int], bad: bool
) -> None:
    """3.7.0 to 3.51.2, as SQLite's authors say."""
    assert engine.has_reset_bug(version) is bad


def test_salvage_goes_on_where_a_crash_ended_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stop left in the damaged file is carried over by the next start."""
    path = tmp_path / "outbox.db"
    _filled(path)
    _broken(path)
    with monkeypatch.context() as slow:
        slow.setattr(writer, "AT_ONCE", 0)
        slow.setattr(chores, "PAUSE", 60.0)
        first = made.journal(path)
        recovered = first.start()
        first.submit([made.alarm(_TURNS)], {})
        made.settle(first)
        _until(lambda: first.status()["chore"])
        told = first.status()["chore"]
        assert first.stop(10)
    assert [e.name for e in recovered.events] == ["store damaged"]
    assert recovered.checkpoint == {"core": b"%d" % (_TURNS - 1)}
    assert told.startswith("carrying over outbox.db.damaged-")

    second = made.journal(path)
    again = second.start()
    _idle(second)
    alarms = [r.at for r in made.everything(second) if isinstance(r, AlarmRecord)]
    second.stop(10)
    third = made.journal(path)
    assert third.start().events == []
    left = third.status()["chore"]
    third.stop(10)

    assert again.events == [], "told once"
    assert again.checkpoint == recovered.checkpoint
    assert alarms[0] == 0
    assert {_TURNS - 1, _TURNS} <= set(alarms)
    assert len(alarms) > _TURNS * 9 // 10
    assert len(set(alarms)) == len(alarms)
    assert left == ""
    assert pending.read(path) == []


def test_commits_do_not_wait_for_a_salvage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alarm is on disk while a damaged file is still being carried over."""
    path = tmp_path / "outbox.db"
    _filled(path)
    _broken(path)
    monkeypatch.setattr(writer, "AT_ONCE", 0)
    monkeypatch.setattr(chores, "PAUSE", 60.0)
    journal = made.journal(path)
    journal.start()
    journal.submit([made.alarm(_TURNS)], {})
    made.settle(journal)
    _until(lambda: journal.status()["chore"])
    assert journal.stop(10)

    assert pending.read(path) != []


def test_a_large_store_is_looked_through_beside_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its start does not wait for that; a changed body is found and counted as lost."""
    path = tmp_path / "outbox.db"
    _filled(path)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(
            "UPDATE outbox SET body = CAST(substr(body, 1, 300) || x'00'"
            " || substr(body, 302) AS BLOB) WHERE class = 3 AND at_first = 7"
        )
        sql.commit()
    monkeypatch.setattr(soundness, "WHOLE", 0)
    journal = made.journal(path)
    journal.start()
    _idle(journal)
    journal.submit([made.event()], {})
    made.settle(journal)
    found = made.everything(journal)
    journal.stop(10)

    (lost,) = [r for r in found if isinstance(r, LossRecord)]
    assert (lost.count, lost.first, lost.last) == (20, 7, 7)
    assert sum(isinstance(r, ScoreRecord) for r in found) == _TURNS - 1


def test_damage_found_beside_work_is_put_aside_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken page of a large store shows in the look through; the rest is kept."""
    path = tmp_path / "outbox.db"
    _filled(path)
    _broken_scores(path)
    # its start looks at nothing of the outbox, not even how much there is
    monkeypatch.setattr(soundness, "WHOLE", 0)
    monkeypatch.setattr(holdings, "measured", lambda _: holdings.Held())
    journal = made.journal(path)
    recovered = journal.start()
    _until(lambda: list(tmp_path.glob("outbox.db.damaged-*")))
    _until(lambda: journal.status()["state"] == "ok")
    _idle(journal)
    found = made.everything(journal)
    journal.stop(10)

    assert recovered.events == []
    alarms = {r.at for r in found if isinstance(r, AlarmRecord)}
    assert {0, _TURNS - 1} <= alarms


def test_a_second_agent_leaves_the_log_of_the_first_alone(tmp_path: Path) -> None:
    """It would write over what the first is just writing."""
    path = tmp_path / "outbox.db"
    first = made.journal(path)
    first.start()
    first.submit([made.alarm(1)], {})
    made.settle(first)
    before = (tmp_path / "outbox.db-wal").stat().st_mtime_ns
    script = (
        "import pathlib, sys; from tests.store import made;"
        " made.journal(pathlib.Path(sys.argv[1])).start()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    after = (tmp_path / "outbox.db-wal").stat().st_mtime_ns
    first.stop(10)

    assert "StoreInUse" in done.stderr
    assert after == before


def test_the_ledger_of_a_damaged_store_is_carried_over(tmp_path: Path) -> None:
    """What it had counted and not yet told is told by the new one."""
    path = tmp_path / "outbox.db"
    _filled(path)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("INSERT INTO ledger VALUES ('rows', 'score', 'disk full', 7, 1, 9)")
        sql.commit()
    _broken(path)
    journal = made.journal(path)
    journal.start()
    _idle(journal)
    journal.submit([made.event()], {})
    made.settle(journal)
    found = [r for r in made.everything(journal) if isinstance(r, LossRecord)]
    journal.stop(10)

    assert ("disk full", 7) in {(r.cause, r.count) for r in found}


def test_a_file_that_was_emptied_is_no_fresh_start(tmp_path: Path) -> None:
    """A repaired file system leaves files of no bytes; that is told as damage."""
    path = tmp_path / "outbox.db"
    _filled(path)
    path.write_bytes(b"")
    journal = made.journal(path)
    recovered = journal.start()
    journal.stop(10)

    assert [e.name for e in recovered.events] == ["store damaged"]
    assert recovered.boot == 2
