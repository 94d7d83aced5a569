"""Child processes of the demo: started, watched, and ended whatever happens.

Each gets a session of its own, so that Ctrl-C reaches the demo alone and the children
are ended in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import signal
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOST = "127.0.0.1"
_LAST_LINES = 15
_FIRST_PORT, _PORTS, _TRIES = 20_000, 12_000, 100


class DemoFailed(Exception):
    """The demo cannot go on; the text says what failed and shows the child's log."""


class Child:
    """One process, its output in a file.

    Args:
        name: for messages and for the log's name.
        words: program and arguments.
        folder: where the log is written.
        talks: it takes lines on stdin and answers on stdout.
    """

    def __init__(
        self, name: str, words: Sequence[str], folder: Path, *, talks: bool = False
    ) -> None:
        self.name = name
        self._words = tuple(words)
        self._path = folder / f"{name}.log"
        self._talks = talks
        self._process: asyncio.subprocess.Process | None = None
        self._expected = False

    @property
    def running(self) -> bool:
        """It has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; what was started before must have been stopped.

        Raises:
            DemoFailed: the program cannot be started.
        """
        pipe = asyncio.subprocess.PIPE if self._talks else None
        with self._path.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._words,
                    stdin=pipe or asyncio.subprocess.DEVNULL,
                    stdout=pipe or log,
                    stderr=log,
                    # what libraries leave in the temporary folder goes with ours
                    env={**os.environ, "TMPDIR": str(self._path.parent)},
                    start_new_session=True,
                )
            except OSError as error:
                raise DemoFailed(f"cannot start {self._words[0]}: {error}") from error
        self._expected = False

    def tell(self, line: bytes) -> None:
        """Write a line to its stdin; nothing happens when it is not running."""
        if self.running and self._process is not None and self._process.stdin:
            self._process.stdin.write(line + b"\n")

    async def answer(self) -> str:
        """The next line of its stdout.

        Raises:
            DemoFailed: it ended instead.
        """
        assert self._process is not None  # noqa: S101 - callers have started it
        assert self._process.stdout is not None  # noqa: S101 - and it talks
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            raise self.failure()
        return line.decode().strip()

    async def stop(self, number: int = signal.SIGTERM, patience: float = 6.0) -> int:
        """End it: a signal, and SIGKILL when it does not obey.

        Returns:
            Its exit code, negative for a signal.
        """
        process = self._process
        if process is None:
            return 0
        self._expected = True
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            try:
                async with asyncio.timeout(patience):
                    await process.wait()
            except TimeoutError:
                process.kill()
        return await process.wait()

    async def kill(self) -> None:
        """End it at once."""
        await self.stop(signal.SIGKILL)

    def check(self) -> None:
        """Make sure it has not ended by itself.

        Raises:
            DemoFailed: it has.
        """
        if self._process is not None and not self.running and not self._expected:
            raise self.failure()

    def failure(self) -> DemoFailed:
        """What to say when it has ended by itself."""
        code = self._process.returncode if self._process else None
        text = self._path.read_text(encoding="utf-8", errors="replace")
        last = "\n".join(f"  {line}" for line in text.splitlines()[-_LAST_LINES:])
        return DemoFailed(
            f"{self.name} ended with code {code}; its last words:\n{last}"
        )


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on at the moment.

    Below those the system gives to outgoing connections: a server that is away for a
    while must find its port free again.

    Raises:
        DemoFailed: there is none.
    """
    for _ in range(_TRIES):
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as listener:
            try:
                listener.bind((HOST, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
    raise DemoFailed("no TCP port is free")


async def listening(port: int, child: Child, within: float = 20.0) -> None:
    """Wait until a child accepts connections.

    Raises:
        DemoFailed: it ended, or does not within the time.
    """
    try:
        async with asyncio.timeout(within):
            while not await _accepts(port):
                child.check()
                await asyncio.sleep(0.03)
    except TimeoutError:
        raise DemoFailed(
            f"{child.name} does not listen on port {port} after {within:g} s"
        ) from None


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
