"""The end of the log on disk: a file that only grows, synced after every write."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge_agent.durable import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Tail:
    """Writes at a place that is known to be good.

    A write that failed leaves the file open to doubt: it is cut back to that place
    before the next one, and opened anew, as a kernel forgets what it could not sync.

    Args:
        path: the segment.
        size: bytes of it that are good.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self._descriptor = -1

    def write(self, body: bytes) -> None:
        """Add to it; on disk when this returns.

        Raises:
            OSError: the disk refused; what was there is there.
        """
        try:
            fresh = self._descriptor < 0
            if fresh:
                self._descriptor = os.open(self.path, _FLAGS, 0o640)
                os.ftruncate(self._descriptor, self.size)
            view, at = memoryview(body), self.size
            while view:
                written = os.pwrite(self._descriptor, view, at)
                view, at = view[written:], at + written
            os.fdatasync(self._descriptor)
            if fresh and not self.size:
                sync_folder(self.path.parent)
        except OSError:
            self.close()
            raise
        self.size += len(body)

    def close(self) -> None:
        """Leave the file."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
