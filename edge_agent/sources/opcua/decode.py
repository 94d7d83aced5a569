"""Publish responses to columns, in bulk: bytes in, arrays out.

asyncua builds about ten objects a notification (10 us); here a message in which all
items are encoded alike is one strided view, and a mixed one is a walk over compiled
structs (1 us). Whatever is not the plain case (faults, diagnostics, arrays, structures,
events) gives None: asyncua decodes it, see `stock`. Both must agree on every message;
`tests/opcua/test_decode.py` holds them to it.

Layout, all little-endian (OPC UA Part 6 5.2, Part 4 5.14.5):

    TypeId 829 | ResponseHeader | subscription u32 | available u32[] | more u8
    | sequence u32 | publish time i64 | notifications: ExtensionObject[] | ...

    DataChangeNotification 811: items[], see `layouts` | diagnostics[]
"""

from __future__ import annotations

import struct

import numpy as np

from edge_agent.sources.opcua.columns import NO_TIME, Columns, Published
from edge_agent.sources.opcua.layouts import (
    ABSENT,
    DATE_TIME,
    EPOCH_US,
    FIRST_TICK,
    HAS_VALUE,
    ITEM_AT_LEAST,
    LAST_DATE,
    LAST_TICK,
    MASK_BITS,
    NULL,
    STRING,
    Row,
    layout_of,
    nanoseconds,
)

_PUBLISH_RESPONSE = b"\x01\x00\x3d\x03"
_DATA_CHANGE = b"\x01\x00\x2b\x03\x01"
_NO_EXTRA_HEADER = b"\x00\x00\x00"

_HEADER = struct.Struct("<4xqIIBi")
_COUNT = struct.Struct("<i")
_MESSAGE = struct.Struct("<BIqi")
_U32 = struct.Struct("<I")


def decode(body: bytes) -> Published | None:
    """Columns of one publish response, or None when it is not a plain one.

    Args:
        body: the response from its TypeId on, as it came out of the secure channel.
    """
    try:
        return _response(body)
    except (struct.error, IndexError, ValueError):
        # cut short or inconsistent: asyncua decides, and says what is wrong
        return None


def _response(body: bytes) -> Published | None:
    if body[:4] != _PUBLISH_RESPONSE:
        return None
    _, _, result, diagnostics, strings = _HEADER.unpack_from(body)
    at = _HEADER.size
    plain = body[at : at + 3] == _NO_EXTRA_HEADER
    if result or diagnostics or strings > 0 or not plain:
        return None
    at += 3
    (subscription,) = _U32.unpack_from(body, at)
    (available,) = _COUNT.unpack_from(body, at + 4)
    at += 8 + 4 * max(available, 0)
    more, sequence, ticks, count = _MESSAGE.unpack_from(body, at)
    items = _notifications(body, at + _MESSAGE.size, count)
    if items is None:
        return None
    inside = FIRST_TICK <= ticks <= LAST_TICK
    published = (ticks - FIRST_TICK) // 10 * 1000 if inside else NO_TIME
    return Published(subscription, sequence, published, count <= 0, bool(more), items)


def _notifications(body: bytes, at: int, count: int) -> Columns | None:
    parts = []
    for _ in range(count):
        if body[at : at + 5] != _DATA_CHANGE:
            return None
        length, items = struct.unpack_from("<ii", body, at + 5)
        start, end = at + 13, at + 9 + length
        if end > len(body) or items * ITEM_AT_LEAST > end - start:
            return None
        part = _items(body, start, max(items, 0), end - _COUNT.size)
        if part is None or _COUNT.unpack_from(body, end - _COUNT.size)[0] > 0:
            return None
        parts.append(part)
        at = end
    return Columns.joined(parts)


def _items(body: bytes, at: int, count: int, end: int) -> Columns | None:
    """Columns of items that fill ``body[at:end]`` exactly, else None."""
    if count == 0:
        return Columns.empty() if at == end else None
    layout = layout_of(body[at + 4], body[at + 5] if body[at + 4] & HAS_VALUE else 0)
    if layout is not None and count * layout.size == end - at:
        records = np.frombuffer(body, layout.dtype, count, at)
        if np.logical_and.reduce(records["key"] == layout.key):
            return layout.columns(records)
    return _mixed(body, at, count, end)


def _mixed(body: bytes, at: int, count: int, end: int) -> Columns | None:
    """Items of different layouts, one after the other."""
    rows: list[Row] = []
    texts: list[str] = []
    are_text: list[int] = []
    for position in range(count):
        mask = body[at + 4]
        layout = layout_of(mask, body[at + 5] if mask & HAS_VALUE else 0)
        if layout is not None:
            row = layout.pick(layout.unpack(body, at) + ABSENT)
            rows.append(row if layout.kind != DATE_TIME else _dated(row))
            at += layout.size
        elif mask & MASK_BITS == mask and body[at + 5] == STRING:
            row, at, text = _string(body, at, mask, len(texts))
            rows.append(row)
            if text is not None:
                texts.append(text)
                are_text.append(position)
        else:
            return None
    return _table(rows, texts, are_text) if at == end else None


def _dated(row: Row) -> Row:
    """A row whose value is a date: seconds since 1970."""
    ticks = min(max(int(row[1]), 0), LAST_DATE)
    return (row[0], (ticks // 10 - EPOCH_US) / 1e6, *row[2:])


def _string(body: bytes, at: int, mask: int, index: int) -> tuple[Row, int, str | None]:
    """Row of an item with a string, the offset behind it, and the string."""
    (handle,), (length,) = _U32.unpack_from(body, at), _COUNT.unpack_from(body, at + 6)
    start = at + 10
    stop = start + max(length, 0)
    # what follows the value, read as an item without one: its first five bytes, that
    # would be handle and mask, are whatever stands before
    tail = layout_of(mask & ~HAS_VALUE, NULL)
    if tail is None or length < -1 or stop > len(body):
        raise ValueError(length)
    row = tail.pick(tail.unpack(body, stop - ITEM_AT_LEAST) + ABSENT)
    text = body[start:stop].decode("utf-8", "replace") if length >= 0 else None
    value = np.nan if text is None else float(index)
    return (handle, value, *row[2:]), stop + tail.size - ITEM_AT_LEAST, text


def _table(rows: list[Row], texts: list[str], are_text: list[int]) -> Columns:
    handles, values, statuses, sources, servers = zip(*rows, strict=True)
    text = None
    if texts:
        text = np.zeros(len(rows), bool)
        text[are_text] = True
    return Columns(
        np.array(handles, np.uint32),
        np.array(values, np.float64),
        np.array(statuses, np.uint32),
        nanoseconds(np.array(sources, np.int64)),
        nanoseconds(np.array(servers, np.int64)),
        tuple(texts),
        text,
    )
