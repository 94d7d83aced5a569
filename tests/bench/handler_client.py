"""asyncua's own handler client, counting: the peer of the bulk decoder.

``python -m tests.bench.handler_client ENDPOINT``; a line on stdin prints the count.
"""

# asyncua calls the handler with anything
# ruff: noqa: ANN401

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from asyncua.client.client import Client

from tests.bench.plant import NAMES, ROLES

_BATCH = 500


class Handler:
    """The least a handler can do: take the value and its stamp, count."""

    def __init__(self) -> None:
        self.items = 0
        self.last: tuple[float, Any] = (0.0, None)

    def datachange_notification(self, _node: Any, value: float, data: Any) -> None:
        """One value of one tag."""
        self.last = (value, data.monitored_item.Value.SourceTimestamp)
        self.items += 1


async def main() -> None:
    """Count until killed."""
    handler = Handler()
    async with Client(sys.argv[1], timeout=30) as client:
        subscription = await client.create_subscription(100, handler)
        nodes = [client.get_node(f"ns=2;s={n}.{r}") for n in NAMES for r in ROLES]
        for first in range(0, len(nodes), _BATCH):
            await subscription.subscribe_data_change(
                nodes[first : first + _BATCH], queuesize=100
            )
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"items": handler.items}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
