"""The naive peer on OPC UA: asyncua's handler, one ``session.run`` per row or sample.

``python -m tests.bench.naive_opcua ENDPOINT PORT MODEL PERIOD_MS PUBLISHING_MS
row|sample``: ``row`` scores when an asset's twentieth value of one stamp has arrived
(the better program), ``sample`` at every value.
"""

# asyncua calls the handler with anything
# ruff: noqa: ANN401

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from asyncua.client.client import Client

from tests.bench.naive_mqtt import Windows, open_client, open_model
from tests.bench.plant import NAMES, ROLES, TAGS

_BATCH = 500
_QUEUE = 100
_OPEN_ROWS = 16


class Handler:
    """asyncua calls `datachange_notification` once a value."""

    def __init__(self, model: str, period_s: float, port: int, *, each: bool) -> None:
        self._windows = Windows(period_s)
        self._session = open_model(model)
        self._each = each
        self._client = open_client(port, "naive")
        self._client.loop_start()
        self._place: dict[Any, tuple[int, int]] = {}
        self._rows = [[0.0] * TAGS for _ in NAMES]
        self._open: list[dict[Any, list[Any]]] = [{} for _ in NAMES]

    def nodes(self, client: Client) -> list[Any]:
        """Nodes of every tag, and where their values belong."""
        out = []
        for asset, name in enumerate(NAMES):
            for tag, role in enumerate(ROLES):
                node = client.get_node(f"ns=2;s={name}.{role}")
                self._place[node] = (asset, tag)
                out.append(node)
        return out

    def datachange_notification(self, node: Any, value: float, data: Any) -> None:
        """One value of one tag."""
        asset, tag = self._place[node]
        stamp = data.monitored_item.Value.SourceTimestamp
        if self._each:
            self._rows[asset][tag] = value
            self._score(asset, self._rows[asset], stamp)
            return
        # one publish brings several values of a tag before the next tag's
        rows = self._open[asset]
        row = rows.get(stamp)
        if row is None:
            row = rows[stamp] = [0, *self._rows[asset]]
            if len(rows) > _OPEN_ROWS:
                del rows[next(iter(rows))]
        row[0] += 1
        row[tag + 1] = value
        if row[0] == TAGS:
            del rows[stamp]
            self._rows[asset] = row[1:]
            self._score(asset, row[1:], stamp)

    def _score(self, asset: int, row: list[float], stamp: Any) -> None:
        features = self._windows.add(asset, row)
        if features is None:
            return
        score = float(self._session.run(["score"], {"features": features})[0][0])
        at = int(stamp.timestamp() * 1000)
        out = {"ts_ms": at, "asset": NAMES[asset], "score": score}
        topic = f"edge/bench/{NAMES[asset]}/ml/bench/state"
        self._client.publish(topic, json.dumps(out), qos=1)


async def main() -> None:
    """Score until killed."""
    endpoint, port, model, period, publishing, mode = sys.argv[1:]
    handler = Handler(model, int(period) / 1000, int(port), each=mode == "sample")
    async with Client(endpoint, timeout=30) as client:
        subscription = await client.create_subscription(int(publishing), handler)
        nodes = handler.nodes(client)
        for first in range(0, len(nodes), _BATCH):
            await subscription.subscribe_data_change(
                nodes[first : first + _BATCH], queuesize=_QUEUE
            )
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
