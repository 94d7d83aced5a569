from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.records import AlarmRecord, EventRecord, FindingRecord, ScoreRecord
from edge_agent.store.history import Of, Query
from edge_agent.store.schema import MIGRATIONS
from tests.store import made

RELEASED = Path(__file__).parent / "released"
_FIRST_WITH_ALARMS, _FIRST_WITH_REST = 2, 3


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_store_of_an_older_agent_keeps_everything(
    tmp_path: Path, version: int
) -> None:
    """What an agent of that version left is owed, kept and gone on with as it was."""
    path = tmp_path / "outbox.db"
    shutil.copyfile(RELEASED / f"version-{version}.db", path)
    journal = made.journal(path)
    recovered = journal.start()
    found = made.everything(journal)
    kept = journal.recall(Query(Of.ALARMS)).result(10)
    drift = journal.recall(Query(Of.DRIFT)).result(10)
    journal.submit([made.event("still here")], {})
    assert journal.stop(10)

    assert recovered.events == []
    assert recovered.checkpoint == {"core": b"5"}
    assert recovered.boot == 2
    scores = [r for r in found if isinstance(r, ScoreRecord)]
    for at, record in enumerate(scores):
        assert made.same(record, made.scores(4, at=at))
    assert len(scores) == 6
    alarms = [r for r in found if isinstance(r, AlarmRecord)]
    assert alarms == [made.alarm(at, asset=at % 3) for at in (0, 2, 4)]
    assert made.event(at=3) in [r for r in found if isinstance(r, EventRecord)]
    findings = [r for r in found if isinstance(r, FindingRecord)]
    expected = [made.finding(at, id=str(at)) for at in (0, 3)]
    assert findings == (expected if version >= _FIRST_WITH_REST else [])
    assert len(kept.alarms) == (3 if version >= _FIRST_WITH_ALARMS else 0)
    assert len(drift.drift) == (2 if version >= _FIRST_WITH_REST else 0)
    with closing(sqlite3.connect(path)) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_every_version_of_the_file_has_one_that_was_released() -> None:
    """Whoever adds a migration keeps a file of the version before."""
    there = sorted(int(f.stem.partition("-")[2]) for f in RELEASED.glob("*.db"))

    assert there[: len(MIGRATIONS) - 1] == list(range(1, len(MIGRATIONS)))
