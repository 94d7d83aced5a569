"""An OPC UA server that answers Publish with prepared notifications.

``python -m tests.bench.flood PORT uniform|mixed ROWS_PER_SECOND``: asyncua does the
handshake, the address space and the monitored items; only Publish is answered
here, because asyncua's own server tops out near 7,000 values a second. ROWS_PER_SECOND
0 answers as fast as the client asks. Every message carries 1,000 items: one new value
and one new stamp for each tag of half of the assets. A line on stdin makes it print
how many items it has sent.
"""

# asyncua gives its requests no types here
# ruff: noqa: ANN401

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from tests.bench.opcua_server import open_server
from tests.bench.plant import ASSETS, NAMES, POOL, ROLES, TAGS, pool

ITEMS = 1000
_PER_HALF = ITEMS // TAGS
_HALVES = ASSETS // _PER_HALF
_EPOCH = 116_444_736_000_000_000
"""100 ns ticks from 1601 to 1970."""
_BACKLOG = 0.05
"""Seconds of answers a paced flood may catch up after a slow client."""


def _node(number: int) -> Any:
    return ua.NodeId(ua.Int32(number))


_PUBLISH = _node(ObjectIds.PublishRequest_Encoding_DefaultBinary)
_CREATE = _node(ObjectIds.CreateMonitoredItemsRequest_Encoding_DefaultBinary)
_MIXED = ("Double", "Float", "Int32", "Boolean", "UInt16")
_FORMATS = {
    "Double": "<f8",
    "Float": "<f4",
    "Int32": "<i4",
    "Boolean": "u1",
    "UInt16": "<u2",
}


def types_of(kind: str) -> list[str]:
    """OPC UA type of each role: all Double, or five types in turn."""
    return [
        _MIXED[i % len(_MIXED)] if kind == "mixed" else "Double" for i in range(TAGS)
    ]


class Notifications:
    """Bodies of PublishResponses: prepared once, patched for each answer.

    Args:
        handles: client handle of each tag, in order of asset and role.
        types: OPC UA type of each role.
        subscription: id to answer for.
    """

    def __init__(self, handles: list[int], types: list[str], subscription: int) -> None:
        self._pool = pool()
        self._sent = self._sequence = self._stamp = 0
        self._subscription = subscription
        layout = np.dtype([(f"t{i}", _item(kind)) for i, kind in enumerate(types)])
        self._blocks = [
            _block(layout, types, handles[half * ITEMS :]) for half in range(_HALVES)
        ]

    def body(self, request: int) -> bytes:
        """The next answer, complete but for the secure channel's headers."""
        turn, half = divmod(self._sent, _HALVES)
        self._sent += 1
        if not half:
            now = time.time_ns() // 1_000_000 * 10_000 + _EPOCH
            self._stamp = max(now, self._stamp + 10)
        block = self._blocks[half]
        first = turn * ASSETS + half * _PER_HALF
        rows = self._pool[(first + np.arange(_PER_HALF)) % POOL]
        for tag in range(TAGS):
            column = block[f"t{tag}"]
            column["value"] = rows[:, tag]
            column["source"] = column["server"] = self._stamp
        return self._around(request, block.tobytes())

    def _around(self, request: int, items: bytes) -> bytes:
        self._sequence = self._sequence % 0xFFFF_FFFF + 1
        response = ua.PublishResponse()
        response.ResponseHeader.RequestHandle = request
        response.Parameters.SubscriptionId = self._subscription
        response.Parameters.MoreNotifications = False
        response.Parameters.NotificationMessage.SequenceNumber = self._sequence
        # the encoded empty answer ends with three empty arrays: NotificationData,
        # Results, DiagnosticInfos; the first becomes one DataChangeNotification
        kind = int(ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
        body = ITEMS.to_bytes(4, "little") + items + bytes(4)
        return b"".join(
            (
                struct_to_binary(response)[:-12],
                (1).to_bytes(4, "little"),
                b"\x01\x00" + kind.to_bytes(2, "little") + b"\x01",
                len(body).to_bytes(4, "little"),
                body,
                bytes(8),
            )
        )


def _item(kind: str) -> np.dtype[Any]:
    value = ("value", _FORMATS[kind])
    return np.dtype(
        [
            ("handle", "<u4"),
            ("mask", "u1"),
            ("kind", "u1"),
            value,
            ("source", "<i8"),
            ("server", "<i8"),
        ]
    )


def _block(
    layout: np.dtype[Any], types: list[str], handles: list[int]
) -> np.ndarray[Any, Any]:
    block = np.zeros(_PER_HALF, layout)
    for tag, kind in enumerate(types):
        column = block[f"t{tag}"]
        column["handle"] = handles[tag:ITEMS:TAGS]
        column["mask"] = 0x0D  # value, source stamp, server stamp
        column["kind"] = ua.VariantType[kind].value
    return block


class Flood:
    """Takes Publish away from asyncua's server and answers it."""

    def __init__(self, types: list[str], rows: int) -> None:
        self._types = types
        self._pause = _PER_HALF / rows if rows else 0.0
        self._due = 0.0
        self._handles: dict[str, int] = {}
        self._ready: Notifications | None = None
        self.items = 0
        self._stock: Any = UaProcessor._process_message

    def install(self) -> None:
        """Patch the server class; this process has only this server."""
        decoded: Any = struct_from_binary

        async def process(
            own: UaProcessor,
            typeid: ua.NodeId,
            header: Any,
            sequence: Any,
            body: Any,
        ) -> Any:
            if typeid == _CREATE:
                self._learn(decoded(ua.CreateMonitoredItemsParameters, body.copy()))
            if typeid != _PUBLISH:
                return await self._stock(own, typeid, header, sequence, body)
            self._answer(own, header, sequence)
            return True

        UaProcessor._process_message = process  # type: ignore[method-assign]

    def _learn(self, request: ua.CreateMonitoredItemsParameters) -> None:
        for item in request.ItemsToCreate:
            name = str(item.ItemToMonitor.NodeId.Identifier)
            self._handles[name] = item.RequestedParameters.ClientHandle
        order = [f"{name}.{role}" for name in NAMES for role in ROLES]
        if all(name in self._handles for name in order):
            handles = [self._handles[name] for name in order]
            self._ready = Notifications(handles, self._types, request.SubscriptionId)

    def _answer(self, own: UaProcessor, header: Any, sequence: Any) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._ready is None:
            loop.call_later(0.05, self._answer, own, header, sequence)
            return
        self._due = max(self._due + self._pause, now - _BACKLOG)
        if self._due > now:
            loop.call_at(self._due, self._send, own, header, sequence)
        else:
            self._send(own, header, sequence)

    def _send(self, own: UaProcessor, header: Any, sequence: Any) -> None:
        assert self._ready is not None
        connection, transport = own._connection, own._transport
        if transport.is_closing():
            return
        self.items += ITEMS
        body = self._ready.body(header.RequestHandle)
        transport.write(
            connection.message_to_binary(body, request_id=sequence.RequestId)
        )


async def main() -> None:
    """Serve until killed."""
    port, kind, rows = sys.argv[1:]
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    types = types_of(kind)
    flood = Flood(types, int(rows))
    flood.install()
    async with await open_server(int(port), types):
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"items": flood.items}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
