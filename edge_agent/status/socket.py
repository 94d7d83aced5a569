"""The status socket: one JSON document to whoever connects.

A Unix socket in the runtime directory, mode 0660: no network listener, the
file's group decides who may look. The command line asks here and never opens
the database itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOCKET_NAME = "status.sock"


async def serve(runtime_dir: Path, status: Callable[[], dict[str, Any]]) -> None:
    """Answer until cancelled.

    Raises:
        OSError: the socket cannot be made (directory missing or not writable).
    """
    path = runtime_dir / SOCKET_NAME
    path.unlink(missing_ok=True)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(msgspec.json.encode(status(), enc_hook=str))
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, path)
    path.chmod(0o660)
    try:
        async with server:
            await server.serve_forever()
    finally:
        path.unlink(missing_ok=True)


async def ask(runtime_dir: Path, timeout_s: float = 3.0) -> dict[str, Any]:
    """The running agent's status.

    Raises:
        OSError: nobody is listening there.
        TimeoutError: the agent does not answer.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(
            str(runtime_dir / SOCKET_NAME)
        )
        try:
            body = await reader.read()
        finally:
            writer.close()
    answer: dict[str, Any] = msgspec.json.decode(body)
    return answer
