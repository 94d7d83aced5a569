"""The pump hall's PLC: a real OPC UA server, as a process of its own.

``python -m edge_agent.demo.plc PORT FOLDER`` makes its certificate under ``FOLDER``,
serves ``nsu=urn:edge-agent:demo:pump-hall;s=P-101.flow`` and so on for every pump,
says ``ready`` on stdout, and takes a line of JSON for each cycle on stdin::

    {"at": 1767225600000000000, "values": {"P-101.flow": 61.2, ...}}

It ends with its stdin. A PLC that restarts is this process killed and started again.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from asyncua import ua
from asyncua.server.server import Server

from edge_agent.clock import SystemClock
from edge_agent.demo.children import HOST
from edge_agent.demo.equipment import INSTRUMENTS
from edge_agent.demo.site import MONITORED, PUMPS
from edge_agent.sources.opcua import pki

if TYPE_CHECKING:
    from collections.abc import Mapping

URI = "urn:edge-agent:demo:pump-hall"
APPLICATION = "urn:edge-agent:demo:plc"
_LONGEST_LINE = 1 << 20
_NANOSECONDS = 1e9


class Cycle(msgspec.Struct):
    """What one cycle of the PLC measured."""

    at: int
    values: dict[str, float]


class Plc:
    """The server and its variables.

    Args:
        port: to listen on, loopback only.
        folder: for the certificate.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._folder = folder
        self._server = Server()
        self._nodes: dict[str, ua.NodeId] = {}

    async def start(self) -> None:
        """Serve, with Basic256Sha256 and SignAndEncrypt only."""
        server = self._server
        await server.init()
        server.set_server_name("pump hall PLC")
        server.set_endpoint(f"opc.tcp://{HOST}:{self._port}/")
        await server.set_application_uri(APPLICATION)
        own = identity(self._folder)
        await server.load_certificate(own.path)
        await server.load_private_key(own.path.with_name("key.pem"))
        server.set_security_policy(
            [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
        )
        index = await server.register_namespace(URI)
        for pump in PUMPS:
            await self._add(index, pump)
        await server.start()

    async def _add(self, index: int, pump: str) -> None:
        folder = await self._server.nodes.objects.add_object(index, pump)
        for role in (role for role in INSTRUMENTS if role not in MONITORED):
            name = f"{pump}.{role}"
            node = ua.NodeId(ua.String(name), ua.Int16(index))
            kind = ua.VariantType.Double
            await folder.add_variable(node, role, 0.0, varianttype=kind)
            # no value yet: a restarted PLC has not measured anything
            waiting = ua.StatusCode(ua.UInt32(ua.StatusCodes.BadWaitingForInitialData))
            await self._server.write_attribute_value(
                node, ua.DataValue(StatusCode=waiting)
            )
            self._nodes[name] = node

    async def write(self, at: int, values: Mapping[str, float]) -> None:
        """Write one cycle's values, all with the same source time stamp."""
        when = ua.DateTime.fromtimestamp(at / _NANOSECONDS, UTC)
        for name, value in values.items():
            data = ua.DataValue(
                ua.Variant(value, ua.VariantType.Double),
                SourceTimestamp=when,
                ServerTimestamp=when,
            )
            await self._server.write_attribute_value(self._nodes[name], data)


def identity(folder: Path) -> pki.Identity:
    """The PLC's certificate and key, made at the first call."""
    now = datetime.fromtimestamp(SystemClock().now() / _NANOSECONDS, UTC)
    return pki.own_identity(folder, APPLICATION, now)


async def main(port: int, folder: Path) -> None:
    """Serve until stdin ends."""
    plc = Plc(port, folder)
    await plc.start()
    print("ready", flush=True)  # noqa: T201  for the parent
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    decode = msgspec.json.Decoder(Cycle).decode
    while line := await reader.readline():
        cycle = decode(line)
        await plc.write(cycle.at, cycle.values)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
