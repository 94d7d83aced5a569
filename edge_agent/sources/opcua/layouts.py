"""How a monitored item is encoded: its mask, the type of its value, its size.

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

from edge_agent.sources.opcua.columns import NO_TIME, Columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

HAS_VALUE, _HAS_STATUS, _HAS_SOURCE, _HAS_SERVER = 0x01, 0x02, 0x04, 0x08
_HAS_SOURCE_PICO, _HAS_SERVER_PICO, MASK_BITS = 0x10, 0x20, 0x3F

NULL, _BOOLEAN, STRING, DATE_TIME = 0, 1, 12, 13
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
    DATE_TIME: ("<i8", "q"),
}
_BEHIND_VALUE = (
    (_HAS_STATUS, ("status", "<u4", "I")),
    (_HAS_SOURCE, ("source", "<i8", "q")),
    (_HAS_SOURCE_PICO, ("", "", "2x")),
    (_HAS_SERVER, ("server", "<i8", "q")),
    (_HAS_SERVER_PICO, ("", "", "2x")),
)
Row = tuple[int, float, int, int, int]
_ROW = ("handle", "value", "status", "source", "server")
ABSENT: Row = (0, np.nan, 0, 0, 0)
ITEM_AT_LEAST = 5  # handle and mask

EPOCH_US = 11_644_473_600 * 10**6  # from 1601 to 1970
FIRST_TICK = EPOCH_US * 10  # before 1970: null, or no clock at all
LAST_TICK = (2**63 // 1000 + EPOCH_US) * 10 - 1  # what int64 ns can hold: 2262
_SPAN = LAST_TICK - FIRST_TICK
LAST_DATE = 2_650_467_743_990_000_000  # 9999-12-31T23:59:59, the last OPC UA date


def nanoseconds(ticks: NDArray[np.int64]) -> I64:
    """OPC UA DateTime (100 ns since 1601) as ns since 1970, cut to microseconds.

    Nothing finer is kept because asyncua's own dates hold no more, and both ways of
    decoding must give the same. Null and dates outside 1970 to 2262 give `NO_TIME`.
    """
    since = ticks - FIRST_TICK
    times: I64 = since // 10 * 1000
    # seen as unsigned, what is before 1970 is beyond the last tick as well: one
    # comparison for both ends, by ufunc, which is half the price of the method
    beyond = since.view(np.uint64)
    if np.maximum.reduce(beyond, initial=0) > _SPAN:
        times[beyond > _SPAN] = NO_TIME
    return times


class Layout:
    """One way of encoding an item: its mask and the type of its value.

    Attributes:
        key: mask and type as they stand in the message.
        size: bytes of an item.
        dtype: the item as a record, for many alike.
        unpack, pick: the item as a row, for one among others.
    """

    def __init__(self, mask: int, kind: int, number: tuple[str, str] | None) -> None:
        self.kind = kind
        typed = bool(mask & HAS_VALUE)
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
        self.pick: Callable[[tuple[Any, ...]], Row] = itemgetter(
            *(
                # what the item lacks comes from `ABSENT`, put behind it
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
        elif self.kind == DATE_TIME:
            ticks = np.clip(raw, 0, LAST_DATE)
            raw = (ticks // 10 - EPOCH_US) / 1e6
        return raw.astype(np.float64)

    def _times(self, records: NDArray[np.void], name: str) -> I64:
        if name not in self.fields:
            return np.full(len(records), NO_TIME, np.int64)
        return nanoseconds(records[name])


@cache
def layout_of(mask: int, kind: int) -> Layout | None:
    """Layout of a scalar number or of no value at all; None for anything else.

    At most 64 masks times 13 types can ever be cached.
    """
    if mask & ~MASK_BITS:
        return None
    if not mask & HAS_VALUE or kind == NULL:
        return Layout(mask, kind, None)
    number = _NUMBERS.get(kind)
    return None if number is None else Layout(mask, kind, number)
