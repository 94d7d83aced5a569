"""A broker without mosquitto: amqtt, as a process of its own.

``python -m edge_agent.demo.embedded PORT`` takes ``open`` and ``close`` on stdin and
answers ``opened`` and ``closed``. Closing drops every connection and the port, as a
broker's host that loses power; sessions stay, as mosquitto's do on its disk. It ends
with its stdin.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.plugins.base import BaseAuthPlugin

from edge_agent.demo.children import HOST

if TYPE_CHECKING:
    from amqtt.session import Session

_LISTENER = "default"
_SETTINGS = {
    "listeners": {_LISTENER: {"type": "external", "bind": HOST}},
    "plugins": {"edge_agent.demo.embedded.Anybody": {}},
}


class Anybody(BaseAuthPlugin):  # type: ignore[misc]  # it ships no types
    """Lets everybody in; amqtt's own does too, but forgets their sessions at once."""

    async def authenticate(self, *, session: Session) -> bool:
        """No questions."""
        return session is not None


class Door:
    """The port in front of the broker.

    Args:
        broker: started.
        port: of the loopback.
    """

    def __init__(self, broker: Broker, port: int) -> None:
        self._broker = broker
        self._port = port
        self._server: asyncio.Server | None = None
        self._inside: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Let clients in."""
        self._server = await asyncio.start_server(self._enter, HOST, self._port)

    def close(self) -> None:
        """Throw everybody out and let nobody in."""
        if self._server is not None:
            self._server.close()
        for writer in self._inside:
            writer.transport.abort()

    async def _enter(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._inside.add(writer)
        try:
            await self._broker.external_connected(
                StreamReaderAdapter(reader), StreamWriterAdapter(writer), _LISTENER
            )
        finally:
            self._inside.discard(writer)
            writer.close()


async def main(port: int) -> None:
    """Obey until stdin ends."""
    broker = Broker(_SETTINGS)
    await broker.start()
    door = Door(broker, port)
    await door.open()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while order := (await reader.readline()).strip():
        if order == b"open":
            await door.open()
            print("opened", flush=True)  # noqa: T201  for the parent
        else:
            door.close()
            print("closed", flush=True)  # noqa: T201  for the parent


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(int(sys.argv[1])))
