"""A process that journals as fast as it can, until it is killed.

Turns are counted; every third one raises an alarm, every fourth a finding, every
fifth a drift row, every one makes scores. The checkpoint holds the turn and the last
alarm, so the next life goes on behind it.
What the journal says it committed, and what is about to be acknowledged, is
written down first, in one write to a file: `C boot seq at kind` and `A boot seq`.
Each life is a fork of one process, which says its pid as it begins.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.records import AlarmRecord, ScoreRecord
from edge_agent.samples import NANOSECONDS
from tests.store import made

if TYPE_CHECKING:
    from edge_agent.records import Record
    from edge_agent.store.outbox import Stored

HOUR = 3600 * NANOSECONDS
_DIARY = -1


def _say(lines: list[str]) -> None:
    os.write(_DIARY, "".join(f"{line}\n" for line in lines).encode())


def _told(stored: list[Stored]) -> None:
    lines = []
    for one in stored:
        record = one.record
        if isinstance(record, AlarmRecord):
            lines.append(f"C {one.boot} {one.seq} {record.at} alarm")
        if isinstance(record, ScoreRecord):
            lines.append(f"C {one.boot} {one.seq} {int(record.at[0])} score")
    _say(lines)


def live(path: Path, seed: int, diary: Path) -> None:
    """Journal until killed."""
    global _DIARY  # noqa: PLW0603 - one life a process
    _DIARY = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(1, f"{os.getpid()}\n".encode())
    dice = random.Random(seed)
    journal = made.journal(path, flush="5ms")
    state = journal.start().checkpoint.get("core", b'{"turn": 0, "alarm": 0}')
    turn, alarm = json.loads(state)["turn"], json.loads(state)["alarm"]
    journal.listen("scada", _told, live=False)
    while True:
        turn += 1
        records: list[Record] = [made.scores(5, at=turn)]
        if turn % 3 == 0:
            alarm = turn
            records.append(made.alarm(turn))
        if turn % 4 == 0:
            records.append(made.finding(turn, id=str(turn)))
        if turn % 5 == 0:
            # an hour each: of a day that is long past, they are added up
            records.append(
                made.drift(turn * HOUR, (turn + 1) * HOUR, (float(turn % 3),))
            )
        checkpoint = json.dumps({"turn": turn, "alarm": alarm}).encode()
        journal.submit(records, {"core": checkpoint})
        if turn % 7 == 0:
            owed = journal.backlog("scada", -1, 8).result()
            acked = [s for s in owed if dice.random() < 0.7]
            _say([f"A {s.boot} {s.seq}" for s in acked])
            journal.acknowledge("scada", [s.id for s in acked])


def main() -> None:
    """Live once for each line ``path seed diary``: imports are paid for once."""
    for line in sys.stdin:
        path, seed, diary = line.split()
        child = os.fork()
        if not child:
            live(Path(path), int(seed), Path(diary))
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    main()
