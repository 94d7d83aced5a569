"""Bytes of a segment: blocks with a checksum each. Pure.

A block is a head (magic, kind, length of the body, CRC-32 of kind and body) and a
zlib body. Columns are written one after the other, whole numbers as differences: a
bucket of a thousand assets takes some 10 bytes a row, a part 30 (most of it the hash).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.labels.columns import empty, length, width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.labels.columns import Columns, Kinds

MAGIC = b"EAL1"
_HEAD = struct.Struct("<4sBII")
_COUNT = struct.Struct("<qI")
#: Of a body that is read: nothing this code writes comes near.
_LONGEST = 64 * 2**20
_FAST = 1


class Kind(IntEnum):
    """What a block holds."""

    META = 0
    """How its columns are to be read, and the words so far."""
    PREDICTED = 1
    LABELLED = 2
    """Rows by number and what their labels say now; the later block counts."""
    WAITING = 3
    """Labels whose prediction has not come; the later block counts alone."""
    ALARMS = 4
    """Alarms that began, ended or were judged; the later entry counts."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        kind: what it holds.
        body: inflated.
        end: where the next begins.
    """

    kind: Kind
    body: bytes
    end: int


def sealed(kind: Kind, body: bytes) -> bytes:
    """A block of these bytes."""
    packed = zlib.compress(body, _FAST)
    return _HEAD.pack(MAGIC, kind, len(packed), _sum(kind, packed)) + packed


def _sum(kind: int, packed: bytes) -> int:
    return zlib.crc32(packed, kind)


def opened(raw: bytes) -> Iterator[Block | int]:
    """The whole blocks of a segment, and how many bytes of each stretch are none.

    What was torn or changed is passed over up to the next block that is whole.
    """
    at, lost = 0, 0
    while at < len(raw):
        block = _block(raw, at)
        if block is None:
            again = raw.find(MAGIC, at + 1)
            again = len(raw) if again < 0 else again
            lost += again - at
            at = again
            continue
        if lost:
            yield lost
            lost = 0
        yield block
        at = block.end
    if lost:
        yield lost


def _block(raw: bytes, at: int) -> Block | None:
    if len(raw) - at < _HEAD.size:
        return None
    magic, kind, size, checksum = _HEAD.unpack_from(raw, at)
    begin = at + _HEAD.size
    if magic != MAGIC or size > len(raw) - begin:
        return None
    packed = raw[begin : begin + size]
    if _sum(kind, packed) != checksum:
        return None
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(packed, _LONGEST)
        return Block(Kind(kind), body, begin + size)
    except (zlib.error, ValueError):
        return None


# -- columns ---------------------------------------------------------------------


def packed(columns: Columns, kinds: Kinds, first: int = 0) -> bytes:
    """Columns as bytes, with a number that goes with them."""
    rows = length(columns)
    parts = [_COUNT.pack(first, rows)]
    for name, kind in kinds.items():
        column = np.ascontiguousarray(columns[name], kind)
        if _differs(kind) and rows:
            # whole numbers wrap around and back without loss
            column = np.concatenate([column[:1], np.diff(column)])
        parts.append(column.tobytes())
    return b"".join(parts)


def unpacked(body: bytes, kinds: Kinds) -> tuple[int, Columns]:
    """The number and the columns.

    Raises:
        ValueError: they are none of these kinds.
    """
    if len(body) < _COUNT.size:
        raise ValueError("too short")
    first, rows = _COUNT.unpack_from(body)
    if len(body) != _COUNT.size + rows * width(kinds):
        raise ValueError(f"{len(body)} bytes are not {rows} rows")
    columns, at = empty(kinds), _COUNT.size
    for name, kind in kinds.items():
        column = np.frombuffer(body, kind, rows, at)
        at += column.nbytes
        if _differs(kind):
            column = np.cumsum(column, dtype=kind)
        columns[name] = column.copy()
    return first, columns


def _differs(kind: str) -> bool:
    """Keys are random: their differences would be no smaller."""
    return kind in {"<i4", "<i8"}


# -- plain values ------------------------------------------------------------------


def written(value: object) -> bytes:
    """Plain values as bytes."""
    return msgspec.msgpack.encode(value)


def read(body: bytes, kind: Any) -> Any:  # noqa: ANN401 - as msgspec has it
    """Plain values of bytes.

    Raises:
        ValueError: they are others.
    """
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
