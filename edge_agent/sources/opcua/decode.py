"""Publish responses to columns, in bulk: bytes in, arrays out.

asyncua builds about ten objects a notification (10 us); here a message in which all
items are encoded alike is one strided view, and a mixed one is a walk over compiled
structs (1 us). Whatever is not the plain case
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
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.sources.opcua.columns import NO_TIME, Columns, Published

if TYPE_CHECKING:
    from collections.abc import Callable

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
#: Of numpy and of struct, by OPC UA's number of the type.
_NUMBERS = {
    _BOOLEAN: ("u1", "?"),
    2: ("i1", "b"),
    3: ("u1", "B"),
    4: ("<i2", "h"),
    5: ("<u2", "H"),
    6: ("<i4", "i"),
    7: ("<u4", "I"),
    8: ("<i8", "q"),
    9: ("<u8", "Q"),
    10: ("<f4", "f"),
    11: ("<f8", "d"),
    _DATE_TIME: ("<i8", "q"),
}
_BEHIND_VALUE = (
    (_HAS_STATUS, ("status", "<u4", "I")),
    (_HAS_SOURCE, ("source", "<i8", "q")),
    (_HAS_SOURCE_PICO, ("", "", "2x")),
    (_HAS_SERVER, ("server", "<i8", "q")),
    (_HAS_SERVER_PICO, ("", "", "2x")),
)
_Row = tuple[int, float, int, int, int]
_ROW = ("handle", "value", "status", "source", "server")
_ABSENT: _Row = (0, np.nan, 0, 0, 0)
_ITEM_AT_LEAST = 5  # handle and mask

_EPOCH_US = 11_644_473_600 * 10**6  # from 1601 to 1970
_FIRST_TICK = _EPOCH_US * 10  # before 1970: null, or no clock at all
_LAST_TICK = (2**63 // 1000 + _EPOCH_US) * 10 - 1  # what int64 ns can hold: 2262
_SPAN = _LAST_TICK - _FIRST_TICK
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
    since = ticks - _FIRST_TICK
    times: I64 = since // 10 * 1000
    # seen as unsigned, what is before 1970 is beyond the last tick as well: one
    # comparison for both ends, by ufunc, which is half the price of the method
    beyond = since.view(np.uint64)
    if np.maximum.reduce(beyond, initial=0) > _SPAN:
        times[beyond > _SPAN] = NO_TIME
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
    inside = _FIRST_TICK <= ticks <= _LAST_TICK
    published = (ticks - _FIRST_TICK) // 10 * 1000 if inside else NO_TIME
    return Published(subscription, sequence, published, count <= 0, bool(more), items)


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
        if np.logical_and.reduce(records["key"] == layout.key):
            return layout.columns(records)
    return _mixed(body, at, count, end)


class _Layout:
    """One way of encoding an item: its mask and the type of its value.

    Attributes:
        key: mask and type as they stand in the message.
        size: bytes of an item.
        dtype: the item as a record, for many alike.
        unpack, pick: the item as a row, for one among others.
    """

    def __init__(self, mask: int, kind: int, number: tuple[str, str] | None) -> None:
        self.kind = kind
        typed = bool(mask & _HAS_VALUE)
        self.key = mask | kind << 8 if typed else mask
        code = "<I2x" if typed else "<Ix"
        fields = {"handle": ("<u4", 0), "key": ("<u2" if typed else "u1", 4)}
        parts = [("value", *number)] if number is not None else []
        parts += [part for bit, part in _BEHIND_VALUE if mask & bit]
        for name, form, one in parts:
            if name:
                fields[name] = (form, struct.calcsize(code))
            code += one
        self.size = struct.calcsize(code)
        self.dtype = np.dtype(
            {
                "names": list(fields),
                "formats": [form for form, _ in fields.values()],
                "offsets": [offset for _, offset in fields.values()],
                "itemsize": self.size,
            }
        )
        self.unpack = struct.Struct(code).unpack_from
        present = [name for name in fields if name != "key"]
        self.fields = frozenset(present)
        self.pick: Callable[[tuple[Any, ...]], _Row] = itemgetter(
            *(
                # what the item lacks comes from `_ABSENT`, put behind it
                present.index(name) if name in present else place - len(_ROW)
                for place, name in enumerate(_ROW)
            )
        )

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


def _mixed(body: bytes, at: int, count: int, end: int) -> Columns | None:
    """Items of different layouts, one after the other."""
    rows: list[_Row] = []
    texts: list[str] = []
    are_text: list[int] = []
    for position in range(count):
        mask = body[at + 4]
        layout = _layout(mask, body[at + 5] if mask & _HAS_VALUE else 0)
        if layout is not None:
            row = layout.pick(layout.unpack(body, at) + _ABSENT)
            rows.append(row if layout.kind != _DATE_TIME else _dated(row))
            at += layout.size
        elif mask & _MASK_BITS == mask and body[at + 5] == _STRING:
            row, at, text = _string(body, at, mask, len(texts))
            rows.append(row)
            if text is not None:
                texts.append(text)
                are_text.append(position)
        else:
            return None
    return _table(rows, texts, are_text) if at == end else None


def _dated(row: _Row) -> _Row:
    """A row whose value is a date: seconds since 1970."""
    ticks = min(max(int(row[1]), 0), _LAST_DATE)
    return (row[0], (ticks // 10 - _EPOCH_US) / 1e6, *row[2:])


def _string(
    body: bytes, at: int, mask: int, index: int
) -> tuple[_Row, int, str | None]:
    """Row of an item with a string, the offset behind it, and the string."""
    (handle,), (length,) = _U32.unpack_from(body, at), _COUNT.unpack_from(body, at + 6)
    start = at + 10
    stop = start + max(length, 0)
    # what follows the value, read as an item without one: its first five bytes, that
    # would be handle and mask, are whatever stands before
    tail = _layout(mask & ~_HAS_VALUE, _NULL)
    if tail is None or length < -1 or stop > len(body):
        raise ValueError(length)
    row = tail.pick(tail.unpack(body, stop - _ITEM_AT_LEAST) + _ABSENT)
    text = body[start:stop].decode("utf-8", "replace") if length >= 0 else None
    value = np.nan if text is None else float(index)
    return (handle, value, *row[2:]), stop + tail.size - _ITEM_AT_LEAST, text


def _table(rows: list[_Row], texts: list[str], are_text: list[int]) -> Columns:
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
