"""asyncua's server with the plant's 2,000 variables, written at a steady rate.

``python -m tests.bench.opcua_server PORT ROWS_PER_SECOND``; the twenty values of a row
carry one source stamp, the time of the write. A line on stdin makes it print how many
items it has written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.server.server import Server

from tests.bench.plant import ASSETS, NAMES, ROLES, TAGS, pool, pool_row

URI = "urn:edge-agent:bench"


def node_id(asset: str, role: str) -> ua.NodeId:
    """``ns=2;s=ASSET.ROLE``."""
    return ua.NodeId(ua.String(f"{asset}.{role}"), ua.Int16(2))


async def open_server(port: int, types: list[str]) -> Server:
    """A server on the loopback with ``ns=2;s=ASSET.ROLE`` for every tag."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(URI)
    assert index == 2
    for name in NAMES:
        folder = await server.nodes.objects.add_object(index, name)
        for role, kind in zip(ROLES, types, strict=True):
            node = node_id(name, role)
            first: Any = False if kind == "Boolean" else 0
            kind_of = ua.VariantType[kind]
            await folder.add_variable(node, role, first, varianttype=kind_of)
    return server


class Writer:
    """Row after row, one asset after the other, paced by the clock."""

    def __init__(self, server: Server, rows: int) -> None:
        self._server = server
        self._rate = rows
        self._values = pool()
        self._nodes = [[node_id(n, r) for r in ROLES] for n in NAMES]
        self.items = 0

    async def run(self) -> None:
        """Write for ever."""
        began = time.monotonic()
        row = 0
        while True:
            pause = began + row / self._rate - time.monotonic()
            if pause > 0 or row % 10 == 0:
                await asyncio.sleep(max(pause, 0))
            await self._write(row)
            row += 1

    async def _write(self, row: int) -> None:
        turn, asset = divmod(row, ASSETS)
        at: Any = datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)
        values = self._values[pool_row(turn, asset)].tolist()
        for node, value in zip(self._nodes[asset], values, strict=True):
            data = ua.DataValue(
                ua.Variant(value, ua.VariantType.Double),
                SourceTimestamp=at,
                ServerTimestamp=at,
            )
            await self._server.write_attribute_value(node, data)
        self.items += TAGS


async def main() -> None:
    """Serve until killed."""
    port, rows = map(int, sys.argv[1:])
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    async with await open_server(port, ["Double"] * TAGS) as server:
        writer = Writer(server, rows)
        task = asyncio.ensure_future(writer.run())
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"items": writer.items}), flush=True)
            if task.done():
                task.result()


if __name__ == "__main__":
    asyncio.run(main())
