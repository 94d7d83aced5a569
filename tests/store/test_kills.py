from __future__ import annotations

import json
import os
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge_agent.records import AlarmRecord, ScoreRecord
from edge_agent.store import drifts, findings, offline
from edge_agent.store.history import Of, Query
from edge_agent.store.traces import KEPT
from tests.store import made
from tests.store.lives import Said, live_and_die, owed, victims

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.store.outbox import Stored

#: EDGE_AGENT_KILLS=500 is the long run whose figure is published.
KILLS = int(os.environ.get("EDGE_AGENT_KILLS", "20"))
SEED = int(os.environ.get("EDGE_AGENT_SEED", "1"))


@pytest.mark.crash
@pytest.mark.timeout(30 + 3 * KILLS)
def test_nothing_committed_is_lost_by_kills(tmp_path: Path) -> None:
    """SIGKILL at random moments: committed and unacknowledged is there, in order."""
    path, dice, said = tmp_path / "outbox.db", random.Random(SEED), Said()
    with victims() as forks:
        for number in range(KILLS):
            after = dice.uniform(0.0, 0.25)
            diary = tmp_path / f"diary-{number}"
            said.read(live_and_die(forks, path, number, diary, after))

    journal = made.journal(path)
    recovered = journal.start()
    found = owed(journal)
    journal.stop(20)

    ids = [(s.boot, s.seq) for s in found]
    scores = [s for s in found if isinstance(s.record, ScoreRecord)]
    assert set(said.committed) - said.acked <= set(ids)
    assert [s.id for s in scores] == sorted(s.id for s in scores)
    assert len(set(ids)) == len(ids)
    assert max(boot for boot, _ in said.committed) < recovered.boot <= KILLS + 1
    assert recovered.events == []
    last = json.loads(recovered.checkpoint["core"])["alarm"]
    _check_alarms(found, said, last)
    # acknowledged or not, each left its trace in the commit that remembers it
    with closing(sqlite3.connect(path)) as sql:
        traces = [at for (at,) in sql.execute("SELECT at FROM alarm ORDER BY id")]
        told = [at for (at,) in sql.execute("SELECT at FROM finding ORDER BY id")]
    assert traces == list(range(3, last + 1, 3))[-len(traces) :]
    assert len(traces) == min(last // 3, KEPT)
    turn = json.loads(recovered.checkpoint["core"])["turn"]
    assert told == list(range(4, turn + 1, 4))[-findings.KEPT :]
    _check_drift(path, turn)


def _check_drift(path: Path, turn: int) -> None:
    """Each block counts once, whether it was added up with others or not."""
    query = Query(Of.DRIFT)
    rows = [row for page in offline.pages(path, query) for row in page.drift]
    turns = list(range(5, turn + 1, 5))
    assert sum(row.rows for row in rows) == len(turns)
    assert sum(row.blocks for row in rows) == len(turns)
    # where the machine let them live at all
    assert turn < 250 or max(row.blocks for row in rows) > 1
    flow = drifts.merged(rows[::-1]).block
    assert flow.total[0] == sum(t % 3 - 1.0 for t in turns)


def _check_alarms(owed: list[Stored], said: Said, last: int) -> None:
    """Each alarm happened once, and the checkpoint knows of exactly those."""
    alarms = {
        (s.boot, s.seq): s.record.at for s in owed if isinstance(s.record, AlarmRecord)
    }
    told = {key: at for key, (at, kind) in said.committed.items() if kind == "alarm"}
    times = sorted((told | alarms).values())
    assert times == list(range(3, last + 1, 3))
