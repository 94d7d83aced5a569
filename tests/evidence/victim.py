"""A process that raises alarms and keeps evidence of them until it is killed.

Each life is a fork of one process, which says its pid as it begins. What the journal
says it committed is written to the file ``diary``: the alarms' times, which count up
through all lives.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Store
from edge_agent.evidence.keeper import Keeper
from edge_agent.evidence.log import Log
from edge_agent.evidence.retention import Limits
from edge_agent.instruments import Instruments
from edge_agent.records import AlarmRecord
from edge_agent.records.appetites import EVIDENCE, EVIDENCE_LOG
from edge_agent.store.journal import Journal
from tests.store import made

if TYPE_CHECKING:
    from edge_agent.store.outbox import Stored


def journal_of(folder: Path) -> Journal:
    """A journal with SCADA beside the log."""
    return Journal(
        folder / "store.db",
        sinks=("scada", EVIDENCE_LOG),
        settings=Store.model_validate({"flush": "10ms"}),
        clock=SystemClock(),
        instruments=Instruments(),
        appetites={EVIDENCE_LOG: EVIDENCE},
    )


async def live(folder: Path) -> None:
    """Until killed."""
    os.write(1, f"{os.getpid()}\n".encode())
    diary = os.open(folder / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def told(stored: list[Stored]) -> None:
        times = [one.record.at for one in stored if isinstance(one.record, AlarmRecord)]
        os.write(diary, "".join(f"{at}\n" for at in times).encode())

    journal = journal_of(folder)
    state = journal.start().checkpoint.get("turn", b"0")
    journal.listen("scada", told, live=False)
    clock = SystemClock()
    log = Log(folder / "evidence", "gw-1", clock, Limits(segment=20_000))
    keeper = Keeper(log, journal, "gw-1", clock, lambda one: journal.submit([one], {}))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keeper.run())
        turn = int(state)
        while True:
            turn += 1
            alarms = [made.alarm(turn * 10 + place) for place in range(turn % 4)]
            journal.submit(alarms, {"turn": str(turn).encode()})
            await asyncio.sleep(0.002)


def main() -> None:
    """Live once for each line: imports are paid for once."""
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(live(Path(sys.argv[1])))
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    main()
