"""A gateway's upload that is killed: a journal that fills, and what is owed goes out.

Reads lines ``FOLDER SHARE STEP`` and lives once for each, in a fork: imports are paid
for once. A life ends itself with SIGKILL at its step, or runs until it is killed. A
step is ``plan``, ``put``, ``done`` or ``told`` (before what the name says, behind it
with a ``+``), a colon and how often it may pass. Every row is written to
``FOLDER/diary`` once it is committed. A life says its pid as it begins; ``dead`` and
its signal follow.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.centre.bucket import Bucket
from edge_agent.config.keeping import Centre
from edge_agent.records import ScoreRecord
from edge_agent.records.appetites import CENTRAL
from tests.centre import made
from tests.store import made as records

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.store.outbox import Stored

_TURNS = 400


class _Deadly:
    """Ends the process at one of its calls."""

    def __init__(self, step: str) -> None:
        self.name, _, count = step.partition(":")
        self._left = int(count or 0)

    def at(self, name: str) -> None:
        """Here is a step."""
        if name == self.name:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _watched(deadly: _Deadly, name: str, call: Callable[..., Any]) -> Any:  # noqa: ANN401
    def watched(*given: Any) -> Any:  # noqa: ANN401 - as the one it stands for
        deadly.at(name)
        done = call(*given)
        deadly.at(f"{name}+")
        return done

    return watched


def _told(diary: int, stored: list[Stored]) -> None:
    lines = [
        f"{one.boot} {one.seq + row}\n"
        for one in stored
        if isinstance(one.record, ScoreRecord)
        for row in range(len(one.record))
    ]
    os.write(diary, "".join(lines).encode())


async def live(folder: Path, share: Path, step: str) -> None:
    """Submit, upload, die."""
    deadly = _Deadly(step)
    diary = os.open(folder / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    journal = made.journal(folder)
    journal.start()
    journal.acknowledge = _watched(  # type: ignore[method-assign]
        deadly, "told", journal.acknowledge
    )
    upload = made.uploader(
        folder, journal, Centre(path=share, every=0.03), log=made.Log(7)
    )
    arrive = upload._arrive

    def both(stored: list[Stored]) -> None:
        _told(diary, stored)
        arrive(stored)

    journal.listen(CENTRAL, both, live=False)
    write = upload._note.write
    upload._note.write = lambda position: _watched(  # type: ignore[method-assign]
        deadly, "plan" if position.plan else "done", write
    )(position)
    Bucket.put = _watched(deadly, "put", Bucket.put)  # type: ignore[method-assign]
    os.write(1, f"{os.getpid()}\n".encode())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(upload.run())
        for turn in range(_TURNS):
            told = [records.scores(3, at=made.DAY + turn)]
            journal.submit(
                [*told, records.alarm(made.DAY + turn)] if turn % 5 == 0 else told, {}
            )
            await asyncio.sleep(0.003)
        upload.finish(1)


def main() -> None:
    """Live once for each line."""
    for line in sys.stdin:
        folder, share, step = line.split()
        child = os.fork()
        if not child:
            asyncio.run(live(Path(folder), Path(share), step))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os.write(1, f"dead {os.WTERMSIG(status)}\n".encode())


if __name__ == "__main__":
    main()
