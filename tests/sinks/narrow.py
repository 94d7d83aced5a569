"""A link between a client and its server: slow, narrow, cut, or open at one end only.

``python -m tests.sinks.narrow PORT TO_PORT DELAY_MS BYTES_A_SECOND`` runs until killed;
tests use `Narrow` within their event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CHUNK = 4096
#: Pieces under way in one direction before the sender has to wait.
_QUEUE = 256


@dataclass
class Narrow:
    """What happens to bytes on their way.

    Attributes:
        to_port: of the server.
        delay: seconds one way.
        rate: bytes a second towards the server; 0 for any number.
        port: where clients connect.
    """

    to_port: int
    delay: float = 0.0
    rate: float = 0.0
    port: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def cut(self) -> None:
        """End all connections at once, with a reset."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def hold(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._flowing.clear()

    def let_go(self) -> None:
        """Whatever was held goes on."""
        self._flowing.set()

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Narrow]:
        """Listen while the block runs."""
        self._flowing.set()
        server = await asyncio.start_server(self._join, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.let_go()
            self.cut()

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there[1]}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(reader, there[1], self.rate))
                tasks.create_task(self._carry(there[0], writer, 0.0))
        except* (OSError, EOFError):
            pass
        finally:
            for one in (writer, there[1]):
                one.transport.abort()
                self._open.discard(one)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float
    ) -> None:
        """One direction; raises EOFError at its end."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUE)

        async def take() -> None:
            gone = loop.time()
            while piece := await reader.read(_CHUNK):
                gone = max(gone, loop.time()) + (len(piece) / rate if rate else 0.0)
                await pieces.put((gone + self.delay, piece))
            raise EOFError

        async def give() -> None:
            while True:
                due, piece = await pieces.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                await self._flowing.wait()
                writer.write(piece)
                await writer.drain()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(take())
            tasks.create_task(give())


async def _main() -> None:
    port, to_port = map(int, sys.argv[1:3])
    delay, rate = float(sys.argv[3]) / 1000, float(sys.argv[4])
    async with Narrow(to_port, delay, rate).serving(port):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_main())
