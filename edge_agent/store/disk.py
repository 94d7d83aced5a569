"""What is known of the disk: does it work, since when not, when to try again."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from edge_agent.records import EventRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.store.schema import code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.clock import Clock

log = structlog.get_logger()

#: Seconds between two attempts while the disk is failing: first and longest.
RETRY = (1.0, 30.0)
_ADVICE = (
    "Scoring and sending go on, records wait in memory. Check free space, mount"
    " options and owner of the folder; it recovers by itself"
)


class Disk:
    """The condition of the disk, told once when it changes.

    Args:
        path: the store's file.
        clock: agent time.
        tell: takes an event for the operator.
    """

    def __init__(
        self, path: Path, clock: Clock, tell: Callable[[EventRecord], None]
    ) -> None:
        self._path = path
        self._clock = clock
        self._tell = tell
        self._wait = RETRY[0]
        self.failures = 0
        """Attempts in a row that failed."""
        self.failing_since: int | None = None
        self.failure = ""
        self.not_before = 0
        """Agent time of the next attempt."""
        self.doubtful = False
        """The open file must not be trusted: open it anew."""
        self.full = False
        """There is no room; nothing else is wrong."""

    def failed(self, error: BaseException) -> None:
        """An attempt failed: wait longer before each further one."""
        now = self._clock.now()
        self.failure = str(error)
        self.failures += 1
        self.full = (
            isinstance(error, sqlite3.Error) and code_of(error) == sqlite3.SQLITE_FULL
        )
        self.doubtful = self.doubtful or not self.full
        if self.failing_since is None:
            self.failing_since, self._wait = now, RETRY[0]
            log.error("store failing", path=str(self._path), error=self.failure)
            self._say("store failing", f"{self.failure}. {_ADVICE}")
        else:
            self._wait = min(self._wait * 2, RETRY[1])
        self.not_before = now + int(self._wait * NANOSECONDS)

    def worked(self) -> None:
        """An attempt succeeded."""
        if self.failing_since is None:
            return
        seconds = (self._clock.now() - self.failing_since) / NANOSECONDS
        self.failing_since, self.not_before, self.failure = None, 0, ""
        self.full, self.failures = False, 0
        log.info("store works again", path=str(self._path), failed_s=round(seconds, 1))
        self._say("store works again", f"it had failed for {seconds:.0f} s")

    def room_to_make(self, held: int, limit: int) -> int:
        """Bytes of old records that give way: no room on disk, nor soon in memory."""
        return held if self.full and held > limit // 2 else 0

    def _say(self, name: str, message: str) -> None:
        self._tell(EventRecord(self._clock.now(), name, str(self._path), message))


def written_by(thread: int | None) -> int:
    """Bytes a thread caused to be written, as the kernel counts; 0 if it does not.

    Args:
        thread: its native id.
    """
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/self/task/{thread}/io").read_text("ascii").splitlines()
        found = next(line for line in lines if line.startswith("write_bytes:"))
        return int(found.split()[1])
    return 0
