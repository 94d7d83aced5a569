"""Keeps looking into drop folders, each in a thread that may hang with its share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from edge_agent.errors import SourceLost

if TYPE_CHECKING:
    from edge_agent.labels.folder import DropFolder

#: Seconds between two looks, and until a look counts as hanging.
LOOK, PATIENCE = 5.0, 120.0


class Watching:
    """One folder; `supervision` calls `run` again and again.

    Args:
        folder: what is looked into.
        every: seconds between two looks.
    """

    def __init__(self, folder: DropFolder, every: float = LOOK) -> None:
        self.name = f"labels:{folder.pipeline}"
        self._folder, self._every = folder, every
        self._thread: threading.Thread | None = None
        self._state, self._error = "down", ""

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            SourceLost: the folder is not there, may not be read, or hangs.
        """
        self._folder.stopping.clear()
        try:
            while True:
                await self._look()
                self._state, self._error = "up", ""
                await asyncio.sleep(self._every)
        except SourceLost as lost:
            self._error = str(lost)
            raise
        finally:
            self._state = "down"
            self._folder.stopping.set()

    async def _look(self) -> None:
        where = self._folder.folder
        if self._thread is not None and self._thread.is_alive():
            raise SourceLost(f"{where} does not answer; is the share still there?")
        loop = asyncio.get_running_loop()
        looked: asyncio.Future[OSError | None] = loop.create_future()

        def tell(error: OSError | None) -> None:
            if not looked.done():
                looked.set_result(error)

        def look() -> None:
            failed = self._failure()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, failed)

        # a daemon: a share that hangs must not keep the process
        self._thread = threading.Thread(target=look, name=self.name, daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(PATIENCE):
                error = await looked
        except TimeoutError:
            raise SourceLost(
                f"{where} does not answer; is the share still there?"
            ) from (None)
        if error is not None:
            reason = (error.strerror or str(error)).lower()
            raise SourceLost(
                f"labels folder {where}: {reason}; make it, and let the agent's user"
                " read and write it"
            ) from error

    def _failure(self) -> OSError | None:
        try:
            self._folder.look()
        except OSError as error:
            return error
        return None

    def status(self) -> dict[str, Any]:
        """For the status document."""
        return {
            "type": "folder",
            "endpoint": str(self._folder.folder),
            "state": self._state,
            "last_error": self._error,
            "files_read": self._folder.read,
            "files_refused": self._folder.refused,
        }
