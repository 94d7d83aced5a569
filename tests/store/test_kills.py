from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from edge_agent.records import AlarmRecord, ScoreRecord
from edge_agent.store import drifts, findings, offline
from edge_agent.store.history import Of, Query
from edge_agent.store.traces import KEPT
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

#: EDGE_AGENT_KILLS=500 is the long run whose figure is published.
KILLS = int(os.environ.get("EDGE_AGENT_KILLS", "20"))
SEED = int(os.environ.get("EDGE_AGENT_SEED", "1"))


@dataclass
class _Said:
    """What the killed processes had said before they died."""

    committed: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)
    acked: set[tuple[int, int]] = field(default_factory=set)

    def read(self, output: bytes) -> None:
        for line in output.decode().splitlines(keepends=True):
            match line.split():
                # a line cut by the kill says nothing
                case ["C", boot, seq, at, kind] if line.endswith("\n"):
                    self.committed[int(boot), int(seq)] = int(at), kind
                case ["A", boot, seq] if line.endswith("\n"):
                    self.acked.add((int(boot), int(seq)))
                case _:
                    pass


@contextmanager
def _victims() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.store.victim"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process


def _live_and_die(
    victims: subprocess.Popen[bytes], path: Path, number: int, after: float
) -> bytes:
    assert victims.stdin is not None
    assert victims.stdout is not None
    diary = path.with_name(f"diary-{number}")
    victims.stdin.write(f"{path} {number} {diary}\n".encode())
    victims.stdin.flush()
    pid = int(victims.stdout.readline())
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    assert victims.stdout.readline() == b"dead\n"
    return diary.read_bytes()


def _owed(journal: Journal) -> list[Stored]:
    found: list[Stored] = []
    for urgent in (True, False):
        after = -1
        while chunk := journal.backlog("scada", after, 500, urgent=urgent).result(20):
            after = chunk[-1].id
            found += chunk
    return found


@pytest.mark.crash
@pytest.mark.timeout(30 + 3 * KILLS)
def test_nothing_committed_is_lost_by_kills(tmp_path: Path) -> None:
    """SIGKILL at random moments: committed and unacknowledged is there, in order."""
    path, dice, said = tmp_path / "outbox.db", random.Random(SEED), _Said()
    with _victims() as victims:
        for number in range(KILLS):
            after = dice.uniform(0.0, 0.25)
            said.read(_live_and_die(victims, path, number, after))

    journal = made.journal(path)
    recovered = journal.start()
    owed = _owed(journal)
    journal.stop(20)

    ids = [(s.boot, s.seq) for s in owed]
    scores = [s for s in owed if isinstance(s.record, ScoreRecord)]
    assert set(said.committed) - said.acked <= set(ids)
    assert [s.id for s in scores] == sorted(s.id for s in scores)
    assert len(set(ids)) == len(ids)
    assert max(boot for boot, _ in said.committed) < recovered.boot <= KILLS + 1
    assert recovered.events == []
    last = json.loads(recovered.checkpoint["core"])["alarm"]
    _check_alarms(owed, said, last)
    # acknowledged or not, each left its trace in the commit that remembers it
    with closing(sqlite3.connect(path)) as sql:
        traces = [at for (at,) in sql.execute("SELECT at FROM alarm ORDER BY id")]
        found = [at for (at,) in sql.execute("SELECT at FROM finding ORDER BY id")]
    assert traces == list(range(3, last + 1, 3))[-len(traces) :]
    assert len(traces) == min(last // 3, KEPT)
    turn = json.loads(recovered.checkpoint["core"])["turn"]
    assert found == list(range(4, turn + 1, 4))[-findings.KEPT :]
    _check_drift(path, turn)


def _check_drift(path: Path, turn: int) -> None:
    """Each block counts once, whether it was added up with others or not."""
    query = Query(Of.DRIFT)
    rows = [row for page in offline.pages(path, query) for row in page.drift]
    turns = list(range(5, turn + 1, 5))
    assert sum(row.rows for row in rows) == len(turns)
    assert sum(row.blocks for row in rows) == len(turns)
    assert max((row.blocks for row in rows), default=1) > 1
    flow = drifts.merged(rows[::-1]).block
    assert flow.total[0] == sum(t % 3 - 1.0 for t in turns)


def _check_alarms(owed: list[Stored], said: _Said, last: int) -> None:
    """Each alarm happened once, and the checkpoint knows of exactly those."""
    alarms = {
        (s.boot, s.seq): s.record.at for s in owed if isinstance(s.record, AlarmRecord)
    }
    told = {key: at for key, (at, kind) in said.committed.items() if kind == "alarm"}
    times = sorted((told | alarms).values())
    assert times == list(range(3, last + 1, 3))
