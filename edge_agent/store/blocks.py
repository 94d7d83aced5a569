"""What a pipeline's columns looked like over a stretch of time, as bytes.

A block holds the columns of a `records.DriftRecord`: about 1.7 KiB for 22 columns of
22 bins. Blocks of one model, baseline and context are added up without any loss: see
`monitoring.tallies` for why sums of these numbers are exact in any order.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from edge_agent.records import DriftRecord
    from edge_agent.samples import F64, I64

#: Bytes a body may become when it is unpacked, and numbers of a table: a damaged body
#: must not take the memory of the gateway.
_LARGEST, _MOST = 16 << 20, 1 << 21


class _Packed(msgspec.Struct, array_like=True):
    columns: tuple[str, ...]
    bins: list[int]
    n: list[int]
    missing: list[int]
    total: bytes
    square: bytes
    low: bytes
    high: bytes
    counts: list[int]
    """Of each column as many as it has bins, one column behind the other."""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Columns over a stretch of time; the fields are those of a `DriftRecord`."""

    columns: tuple[str, ...]
    bins: I64
    n: I64
    missing: I64
    total: F64
    square: F64
    low: F64
    high: F64
    counts: I64

    @staticmethod
    def of(record: DriftRecord) -> Block:
        """The columns of a record."""
        return Block(**{one.name: getattr(record, one.name) for one in fields(Block)})

    @property
    def layout(self) -> str:
        """Names columns and bins: only blocks of equal layout are added up."""
        said = _pack((self.columns, self.bins.tolist()))
        return hashlib.blake2b(said, digest_size=8).hexdigest()

    def plus(self, other: Block) -> Block:
        """Both together; of equal layout."""
        return Block(
            self.columns,
            self.bins,
            self.n + other.n,
            self.missing + other.missing,
            self.total + other.total,
            self.square + other.square,
            np.fmin(self.low, other.low),
            np.fmax(self.high, other.high),
            self.counts + other.counts,
        )


def pack(block: Block) -> bytes:
    """Bytes of a block."""
    held = np.arange(block.counts.shape[1]) < block.bins[:, None]
    packed = _Packed(
        block.columns,
        block.bins.tolist(),
        block.n.tolist(),
        block.missing.tolist(),
        _bytes(block.total),
        _bytes(block.square),
        _bytes(block.low),
        _bytes(block.high),
        block.counts[held].tolist(),
    )
    return zlib.compress(_pack(packed), 6)


def unpack(body: bytes) -> Block:
    """Inverse of `pack`.

    Raises:
        ValueError: the body is damaged.
    """
    packed = _unpack(_inflated(body))
    count = len(packed.columns)
    bins = _whole(packed.bins, count)
    width = int(bins.max(initial=0))
    wrong = bins.min(initial=0) < 0 or count * width > _MOST
    if wrong or int(bins.sum()) != len(packed.counts):
        raise ValueError("a block's bins do not fit its counts")
    counts = np.zeros((count, width), np.int64)
    counts[np.arange(width) < bins[:, None]] = _whole(packed.counts, len(packed.counts))
    return Block(
        packed.columns,
        bins,
        _whole(packed.n, count),
        _whole(packed.missing, count),
        _floats(packed.total, count),
        _floats(packed.square, count),
        _floats(packed.low, count),
        _floats(packed.high, count),
        counts,
    )


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(body, _LARGEST)
    except zlib.error as error:
        raise ValueError(f"a block is damaged: {error}") from error
    if not inflater.eof:
        raise ValueError("a block is damaged: it does not end where it should")
    return found


def _bytes(column: F64) -> bytes:
    return np.ascontiguousarray(column, "<f8").tobytes()


def _whole(numbers: list[int], count: int) -> I64:
    if len(numbers) != count:
        raise ValueError("a block's columns have different lengths")
    try:
        return np.array(numbers, np.int64)
    except OverflowError as error:
        raise ValueError("a block has a number beyond 64 bits") from error


def _floats(body: bytes, count: int) -> F64:
    if len(body) != 8 * count:
        raise ValueError("a block's columns have different lengths")
    return np.frombuffer(body, "<f8").astype(np.float64)
