"""Servers that say what no real broker would, byte for byte."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Sequence


@asynccontextmanager
async def scripted(
    answers: Sequence[bytes],
    *,
    hang_up: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A port that gives fixed answers, one for each packet that comes."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(1000)
            writer.write(answer)
        if not hang_up:
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(done.wait(), 5)
    finally:
        server.close()
        await server.wait_closed()
