"""Publish responses to columns, in bulk: bytes in, arrays out.

asyncua builds about ten objects a notification (10 us); here a message in which all
items are encoded alike is one strided view, and a mixed one is walked item by item
only for its offsets, then gathered per encoding. Whatever is not the plain case
(faults, diagnostics, arrays, structures, events) gives None: asyncua decodes it, see
`stock`. Both must agree on every message; `tests/opcua/test_decode.py` holds them to
it.

Layout, all little-endian (OPC UA Part 6 5.2, Part 4 5.14.5):

    TypeId 829 | ResponseHeader | subscription u32 | available u32[] | more u8
    | sequence u32 | publish time i64 | notifications: ExtensionObject[] | ...

    DataChangeNotification 811: items[] | diagnostics[]
    item: client handle u32 | mask u8 | [type u8, value] | [status u32]
          | [source time i64] | [picoseconds u16]
          | [server time i64] | [picoseconds u16]
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.sources.opcua.columns import NO_TIME, Columns, Published

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

_PUBLISH_RESPONSE = b"\x01\x00\x3d\x03"
_DATA_CHANGE = b"\x01\x00\x2b\x03\x01"
_NO_EXTRA_HEADER = b"\x00\x00\x00"

_HEADER = struct.Struct("<4xqIIBi")
_COUNT = struct.Struct("<i")
_MESSAGE = struct.Struct("<BIqi")
_U32 = struct.Struct("<I")

_HAS_VALUE, _HAS_STATUS, _HAS_SOURCE, _HAS_SERVER = 0x01, 0x02, 0x04, 0x08
_HAS_SOURCE_PICO, _HAS_SERVER_PICO, _MASK_BITS = 0x10, 0x20, 0x3F

_NULL, _BOOLEAN, _STRING, _DATE_TIME = 0, 1, 12, 13
_NUMBERS = {
    _BOOLEAN: "u1",
    2: "i1",
    3: "u1",
    4: "<i2",
    5: "<u2",
    6: "<i4",
    7: "<u4",
    8: "<i8",
    9: "<u8",
    10: "<f4",
    11: "<f8",
    _DATE_TIME: "<i8",
}
_ITEM_AT_LEAST = 5  # handle and mask

_EPOCH_US = 11_644_473_600 * 10**6  # from 1601 to 1970
_FIRST_TICK = _EPOCH_US * 10  # before 1970: null, or no clock at all
_LAST_TICK = (2**63 // 1000 + _EPOCH_US) * 10 - 1  # what int64 ns can hold: 2262
_LAST_DATE = 2_650_467_743_990_000_000  # 9999-12-31T23:59:59, the last OPC UA date


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


def nanoseconds(ticks: NDArray[np.int64]) -> I64:
    """OPC UA DateTime (100 ns since 1601) as ns since 1970, cut to microseconds.

    Nothing finer is kept because asyncua's own dates hold no more, and both ways of
    decoding must give the same. Null and dates outside 1970 to 2262 give `NO_TIME`.
    """
    times: I64 = (ticks // 10 - _EPOCH_US) * 1000
    if len(ticks) and (ticks.min() < _FIRST_TICK or ticks.max() > _LAST_TICK):
        times[(ticks < _FIRST_TICK) | (ticks > _LAST_TICK)] = NO_TIME
    return times


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
    published = nanoseconds(np.array([ticks], np.int64))[0]
    return Published(
        subscription, sequence, int(published), count <= 0, bool(more), items
    )


def _notifications(body: bytes, at: int, count: int) -> Columns | None:
    parts = []
    for _ in range(count):
        if body[at : at + 5] != _DATA_CHANGE:
            return None
        length, items = struct.unpack_from("<ii", body, at + 5)
        start, end = at + 13, at + 9 + length
        if end > len(body) or items * _ITEM_AT_LEAST > end - start:
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
    layout = _layout(body[at + 4], body[at + 5] if body[at + 4] & _HAS_VALUE else 0)
    if layout is not None and count * layout.size == end - at:
        records = np.frombuffer(body, layout.dtype, count, at)
        if (records["key"] == layout.key).all():
            return layout.columns(records)
    return _mixed(body, at, count, end)


class _Layout:
    """One way of encoding an item: its mask and the type of its value."""

    def __init__(self, mask: int, kind: int, number: str | None) -> None:
        self.mask, self.kind = mask, kind
        self.key = mask | kind << 8 if mask & _HAS_VALUE else mask
        fields = [("handle", "<u4", 0)]
        fields.append(("key", "<u2" if mask & _HAS_VALUE else "u1", 4))
        self.size = 6 if mask & _HAS_VALUE else _ITEM_AT_LEAST
        if number is not None:
            self._add(fields, "value", number)
        for bit, name, form in (
            (_HAS_STATUS, "status", "<u4"),
            (_HAS_SOURCE, "source", "<i8"),
            (_HAS_SOURCE_PICO, "", "<u2"),
            (_HAS_SERVER, "server", "<i8"),
            (_HAS_SERVER_PICO, "", "<u2"),
        ):
            if mask & bit:
                self._add(fields, name, form)
        names, formats, offsets = zip(*fields, strict=True)
        self.dtype = np.dtype(
            {
                "names": names,
                "formats": formats,
                "offsets": offsets,
                "itemsize": self.size,
            }
        )
        self.fields = frozenset(names)
        self.span = np.arange(self.size)

    def _add(self, fields: list[tuple[str, str, int]], name: str, form: str) -> None:
        if name:
            fields.append((name, form, self.size))
        self.size += np.dtype(form).itemsize

    def columns(self, records: NDArray[np.void]) -> Columns:
        """Contiguous columns of records in this layout."""
        count = len(records)
        return Columns(
            records["handle"].astype(np.uint32),
            self._values(records),
            records["status"].astype(np.uint32)
            if "status" in self.fields
            else np.zeros(count, np.uint32),
            self._times(records, "source"),
            self._times(records, "server"),
        )

    def _values(self, records: NDArray[np.void]) -> F64:
        if "value" not in self.fields:
            return np.full(len(records), np.nan)
        raw: NDArray[Any] = records["value"]
        if self.kind == _BOOLEAN:
            raw = raw != 0
        elif self.kind == _DATE_TIME:
            ticks = np.clip(raw, 0, _LAST_DATE)
            raw = (ticks // 10 - _EPOCH_US) / 1e6
        return raw.astype(np.float64)

    def _times(self, records: NDArray[np.void], name: str) -> I64:
        if name not in self.fields:
            return np.full(len(records), NO_TIME, np.int64)
        return nanoseconds(records[name])


@cache
def _layout(mask: int, kind: int) -> _Layout | None:
    """Layout of a scalar number or of no value at all; None for anything else.

    At most 64 masks times 13 types can ever be cached.
    """
    if mask & ~_MASK_BITS:
        return None
    if not mask & _HAS_VALUE or kind == _NULL:
        return _Layout(mask, kind, None)
    number = _NUMBERS.get(kind)
    return None if number is None else _Layout(mask, kind, number)


@cache
def _tail(mask: int) -> _Layout:
    """What follows the value of a string, behind a handle and mask put before it."""
    return _Layout(mask & ~_HAS_VALUE, 0, None)


def _mixed(body: bytes, at: int, count: int, end: int) -> Columns | None:
    """Walk the items for their offsets, then gather all of a layout at once."""
    places: dict[_Layout, tuple[list[int], list[int]]] = {}
    strings = _Strings(body)
    for position in range(count):
        mask = body[at + 4]
        kind = body[at + 5] if mask & _HAS_VALUE else 0
        layout = _layout(mask, kind)
        if layout is not None:
            found = places.get(layout)
            if found is None:
                found = places[layout] = ([], [])
            found[0].append(position)
            found[1].append(at)
            at += layout.size
        elif kind == _STRING and not mask & ~_MASK_BITS:
            at = strings.take(position, at, mask)
        else:
            return None
        if at > end:
            return None
    if at != end:
        return None
    return _gathered(body, count, places, strings)


class _Strings:
    """Items whose value is a string: few (part ids), so taken one by one."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.texts: list[str] = []
        self.rows: list[tuple[int, float, Columns]] = []

    def take(self, position: int, at: int, mask: int) -> int:
        """Keep the item at an offset and give the offset behind it."""
        body, layout = self.body, _tail(mask)
        (length,) = _COUNT.unpack_from(body, at + 6)
        start = at + 10
        stop = start + max(length, 0)
        behind: int = stop + layout.size - _ITEM_AT_LEAST
        if length < -1 or behind > len(body):
            raise ValueError(length)
        value = np.nan
        if length >= 0:
            value = float(len(self.texts))
            self.texts.append(body[start:stop].decode("utf-8", "replace"))
        record = body[at : at + 4] + bytes([layout.mask]) + body[stop:behind]
        row = layout.columns(np.frombuffer(record, layout.dtype, 1))
        self.rows.append((position, value, row))
        return behind

    def fill(self, into: Columns) -> Columns:
        """The columns with the strings' rows put in."""
        text = np.zeros(len(into), bool)
        for position, value, row in self.rows:
            into.handle[position] = row.handle[0]
            into.value[position] = value
            into.status[position] = row.status[0]
            into.source[position] = row.source[0]
            into.server[position] = row.server[0]
            text[position] = not np.isnan(value)
        if not self.texts:
            return into
        return Columns(
            into.handle,
            into.value,
            into.status,
            into.source,
            into.server,
            tuple(self.texts),
            text,
        )


def _gathered(
    body: bytes,
    count: int,
    places: dict[_Layout, tuple[list[int], list[int]]],
    strings: _Strings,
) -> Columns:
    octets = np.frombuffer(body, np.uint8)
    columns = Columns(
        np.empty(count, np.uint32),
        np.empty(count),
        np.empty(count, np.uint32),
        np.empty(count, np.int64),
        np.empty(count, np.int64),
    )
    for layout, (positions, offsets) in places.items():
        rows = np.array(positions)
        cut = octets[np.array(offsets)[:, None] + layout.span]
        part = layout.columns(cut.view(layout.dtype)[:, 0])
        columns.handle[rows] = part.handle
        columns.value[rows] = part.value
        columns.status[rows] = part.status
        columns.source[rows] = part.source
        columns.server[rows] = part.server
    return strings.fill(columns) if strings.rows else columns
