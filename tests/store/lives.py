"""Lives of `tests.store.victim`, what they said, and what their store owes after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored


@dataclass
class Said:
    """What the killed processes had said before they died."""

    committed: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)
    acked: set[tuple[int, int]] = field(default_factory=set)

    def read(self, output: bytes) -> None:
        """Add what one of them has said."""
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
def victims(module: str = "tests.store.victim") -> Iterator[subprocess.Popen[bytes]]:
    """The process that forks them."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process


def live_and_die(
    forks: subprocess.Popen[bytes],
    path: Path,
    number: int,
    diary: Path,
    after: float,
    first: Callable[[], object] = lambda: None,
) -> bytes:
    """One life on a store; returns its diary.

    Args:
        forks: see `victims`.
        path: the store.
        number: seed of the life.
        diary: where it writes what it says.
        after: seconds until it is killed.
        first: called just before.
    """
    assert forks.stdin is not None
    assert forks.stdout is not None
    forks.stdin.write(f"{path} {number} {diary}\n".encode())
    forks.stdin.flush()
    pid = int(forks.stdout.readline())
    time.sleep(after)
    first()
    os.kill(pid, signal.SIGKILL)
    assert forks.stdout.readline() == b"dead\n"
    return diary.read_bytes()


def owed(journal: Journal) -> list[Stored]:
    """Everything SCADA is still owed, urgent records first."""
    found: list[Stored] = []
    for urgent in (True, False):
        after = -1
        while chunk := journal.backlog("scada", after, 500, urgent=urgent).result(20):
            after = chunk[-1].id
            found += chunk
    return found
