"""A broker of MQTT 3.1.1 that ends the connection on some payloads, without a word."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@dataclass
class Choking:
    """What it got, and what it cannot bear.

    Attributes:
        chokes: on a topic and payload.
        taken: topic and payload of what it acknowledged.
        choked: the same of what it hung up for.
    """

    chokes: Callable[[bytes, bytes], bool]
    taken: list[tuple[bytes, bytes]] = field(default_factory=list)
    choked: list[tuple[bytes, bytes]] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Choking]:
        """Listen while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while await self._packet(reader, writer):
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _packet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one; False to hang up."""
        first, size, shift = (await reader.readexactly(1))[0], 0, 0
        while True:
            byte = (await reader.readexactly(1))[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = await reader.readexactly(size)
        kind = first >> 4
        if kind == 1:
            writer.write(b"\x20\x02\x00\x00")
        elif kind == 12:
            writer.write(b"\xd0\x00")
        elif kind == 3:
            return self._publish(body, writer)
        return kind != 14

    def _publish(self, body: bytes, writer: asyncio.StreamWriter) -> bool:
        end = 2 + int.from_bytes(body[:2], "big")
        message = body[2:end], body[end + 2 :]
        if self.chokes(*message):
            self.choked.append(message)
            return False
        self.taken.append(message)
        writer.write(b"\x40\x02" + body[end : end + 2])
        return True
