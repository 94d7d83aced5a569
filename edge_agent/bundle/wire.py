"""The protobuf wire format, read within a budget.

The gateway does not carry ``onnx`` or ``protobuf``: their parsers are large and have
had holes. What is looked at here may be hostile, so every step is counted, and a file
that would keep a processor busy is refused instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Fields of one file. Some 2 s of a gateway's processor; a forest of a thousand trees
#: with a thousand nodes each has half as many.
MAX_FIELDS = 2_000_000

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTH = {_FIXED64: 8, _FIXED32: 4}
_MORE = 0x80
_KEY_BITS, _RUN_COST, _LONGEST = 32, 16, 10
_FIRST_LOOK, _LONGEST_LOOK = 64, 1 << 20


class Budget:
    """How many fields may still be read.

    Args:
        fields: how many in all.
    """

    def __init__(self, fields: int = MAX_FIELDS) -> None:
        self._all = self._left = fields

    def spend(self, fields: int = 1) -> None:
        """Count.

        Raises:
            ModelRejected: more than there may be.
        """
        self._left -= fields
        if self._left < 0:
            raise ModelRejected(
                f"the ONNX file has more than {self._all} fields; a model of this size "
                "must keep its numbers in tensors"
            )


def fields(
    data: memoryview, budget: Budget, passed: frozenset[int] = frozenset()
) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number with its integer, or with its bytes.

    A run of fixed-width numbers (what a repeated float is without packing) comes as
    one field, its payloads in a row: just what the packed form would give.

    Args:
        data: one message.
        budget: what may still be read of the file.
        passed: numbers whose integers nobody wants after the first of a run.

    Raises:
        ModelRejected: no protobuf, cut off, or over the budget.
    """
    at, end = 0, len(data)
    while at < end:
        budget.spend()
        start, key = at, data[at]
        at += 1
        if key >= _MORE:
            key, at = _varint(data, start)
        number, wire = key >> 3, key & 7
        if not number or key >> _KEY_BITS:
            raise ModelRejected("the file is not an ONNX model (no such field)")
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            if number in passed and at < end and data[at] == data[start]:
                budget.spend(_RUN_COST)
                at = _past_integers(data, at, data[start])
        elif wire == _BYTES:
            if at < end and (size := data[at]) < _MORE:
                at += 1
            else:
                size, at = _varint(data, at)
            first, at = at, at + size
            _within(at, end)
            yield number, data[first:at]
        elif wire in _WIDTH:
            width = _WIDTH[wire]
            _within(at + width, end)
            if data[at + width : at + width + 1] == data[start : start + 1]:
                budget.spend(_RUN_COST)
                payload, at = _run_of_numbers(data, start, at - start, width)
                yield number, payload
            else:
                yield number, data[at : at + width]
                at += width
        else:
            raise ModelRejected("the file is not an ONNX model (unknown wire type)")


def text(value: memoryview) -> str:
    """A name; what is not UTF-8 is replaced."""
    return bytes(value).decode("utf-8", "replace")


def signed(value: int) -> int:
    """An int64 as the wire has it to one with its sign."""
    return value - (1 << 64) if value >> 63 else value


def integers_in(packed: memoryview) -> int:
    """How many integers a packed field holds."""
    return int(np.count_nonzero(np.frombuffer(packed, np.uint8) < _MORE))


def integers(packed: memoryview) -> list[int]:
    """The integers of a packed field, each counted by the caller's budget before."""
    found, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        found.append(value)
    return found


def _within(last: int, end: int) -> None:
    if last > end:
        raise ModelRejected("the ONNX file is cut off: it ends inside a field")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ModelRejected("the ONNX file is cut off: it ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & _MORE:
            return value, at
    raise ModelRejected("the file is not an ONNX model (endless number)")


def _past_integers(data: memoryview, at: int, key: int) -> int:
    """Where a run of varints, each behind this one-byte key, ends.

    Only whole fields are passed; what is left is read one by one.
    """
    size = _FIRST_LOOK
    while True:
        passed, goes_on = _whole_integers(data[at : at + size], key)
        at += passed
        if not passed or not goes_on:
            return at
        size = min(size * 4, _LONGEST_LOOK)


def _whole_integers(part: memoryview, key: int) -> tuple[int, bool]:
    """Bytes of the run in this part, and whether it may go on in the next."""
    octets = np.frombuffer(part, np.uint8)
    ends = np.flatnonzero(octets < _MORE)
    pairs = len(ends) // 2
    if not pairs:
        return 0, False
    keys, values = ends[0 : 2 * pairs : 2], ends[1 : 2 * pairs : 2]
    starts = np.concatenate([[0], values[:-1] + 1])
    alike = (keys == starts) & (octets[keys] == key) & (values - keys <= _LONGEST)
    count = pairs if alike.all() else int(np.argmin(alike))
    return (int(values[count - 1]) + 1 if count else 0), count == pairs


def _run_of_numbers(
    data: memoryview, at: int, key: int, width: int
) -> tuple[memoryview, int]:
    """The payloads of a run of equal keys of ``key`` bytes, and where it ends."""
    step, rows = key + width, _FIRST_LOOK // 4
    wanted = np.frombuffer(data[at : at + key], np.uint8)
    found: list[NDArray[np.uint8]] = []
    while True:
        part = data[at : at + rows * step]
        table = np.frombuffer(part[: len(part) // step * step], np.uint8)
        table = table.reshape(-1, step)
        alike = (table[:, :key] == wanted).all(axis=1)
        count = len(table) if alike.all() else int(np.argmin(alike))
        found.append(table[:count, key:])
        at += count * step
        if count < rows:
            return memoryview(np.concatenate(found).tobytes()), at
        rows = min(rows * 4, _LONGEST_LOOK // step)
