"""Records to bytes and back, in a neutral form.

A score record is one small msgpack header and its columns as they lie in memory:
writing costs a copy, reading costs nothing (arrays look into the body). Wire bytes
never enter the store: topics, sequence numbers and aliases belong to a session.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    EventRecord,
    FindingRecord,
    LossRecord,
    PipelineInfo,
    RecordClass,
    ScoreRecord,
    SnapshotRecord,
)
from edge_agent.store import bodies
from edge_agent.store.plain import text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.records import Record

#: name, type, values a row; the order is the order in the body: widest first, so
#: that every column starts aligned.
_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("at", "<i8", 1),
    ("score", "<f8", 1),
    ("threshold", "<f8", 1),
    ("completeness", "<f8", 1),
    ("age", "<f8", 1),
    ("top_value", "<f8", 3),
    ("top_low", "<f8", 3),
    ("top_high", "<f8", 3),
    ("top_share", "<f8", 3),
    ("asset", "<i4", 1),
    ("severity", "<i4", 1),
    ("top_role", "<i2", 3),
    ("inputs_good", "<i2", 1),
    ("alarm", "u1", 1),
    ("quality", "u1", 1),
    ("no_score", "u1", 1),
    ("fallback", "u1", 1),
)
_TEXTS = ("part", "reason", "label")
_SCORE = b"S"
_PREFIX = 8  # one letter, three spare bytes, header length: columns stay aligned


class _ScoreHeader(msgspec.Struct, array_like=True):
    info: bytes
    rows: int
    inputs_total: int
    kind: int
    part: tuple[str, ...]
    reason: tuple[str, ...]
    label: tuple[str, ...] = ()


_pack = msgspec.msgpack.Encoder(enc_hook=str).encode
_info_decoder = msgspec.msgpack.Decoder(PipelineInfo)
_header_decoder = msgspec.msgpack.Decoder(_ScoreHeader)


@lru_cache(maxsize=1024)
def pack_info(info: PipelineInfo) -> tuple[bytes, bytes]:
    """Digest and body of what a pipeline's scores share; the digest names it."""
    body = _pack(info)
    return hashlib.blake2b(body, digest_size=8).digest(), body


def unpack_info(body: bytes) -> PipelineInfo:
    """Inverse of `pack_info`.

    Raises:
        ValueError: the body is damaged.
    """
    return _info_decoder.decode(body)


def info_of(record: Record) -> PipelineInfo | None:
    """What must be stored beside a record for it to be read back."""
    whose = (ScoreRecord, AlarmRecord, DriftRecord)
    return record.info if isinstance(record, whose) else None


def rows_of(record: Record) -> int:
    """How many rows a record counts for: all of a score record, else one."""
    return len(record) if isinstance(record, ScoreRecord) else 1


def span_of(record: Record) -> tuple[int, int]:
    """First and last agent time a record speaks of."""
    if isinstance(record, ScoreRecord):
        if len(record) == 0:
            return 0, 0
        return int(record.at.min()), int(record.at.max())
    if isinstance(record, DriftRecord):
        return record.since, record.until
    return record.at, record.at


def size_of(record: Record) -> int:
    """Bytes a record will take, closely enough to bound memory by."""
    if isinstance(record, ScoreRecord):
        texts = sum(map(len, record.reason + record.part + record.label))
        return 64 + 170 * len(record) + texts
    if isinstance(record, DriftRecord):
        return 300 + 100 * len(record.columns) + 8 * record.counts.size
    if isinstance(record, FindingRecord):
        texts = len(record.sentence) + len(record.action)
        return 300 + texts + len(repr(record.evidence))
    if isinstance(record, SnapshotRecord):
        return 300 + len(repr(record.body))
    return 300


def take(record: ScoreRecord, rows: Sequence[int]) -> ScoreRecord:
    """Some rows of a score record."""
    picked = list(rows)
    found = {name: getattr(record, name)[picked] for name, _, _ in _COLUMNS}
    for name in _TEXTS:
        words = getattr(record, name)
        found[name] = tuple(words[i] for i in picked) if words else ()
    return replace(record, **found)


def encode(record: Record) -> bytes:
    """Body of a record, whose values are `plain`."""
    match record:
        case ScoreRecord():
            return _encode_score(record)
        case AlarmRecord() | DriftRecord():
            return bodies.packed_of(record, pack_info(record.info)[0])
        case EventRecord() | LossRecord() | FindingRecord() | SnapshotRecord():
            return bodies.packed(record)


def decode(body: bytes, info: Callable[[bytes], PipelineInfo]) -> Record:
    """Record of a body.

    Args:
        body: what `encode` made.
        info: finds a pipeline's information by its digest; KeyError if unknown.

    Raises:
        ValueError: the body is damaged.
        KeyError: its pipeline information is missing.
    """
    if body[:1] == _SCORE:
        return _decode_score(body, info)
    return bodies.unpacked(body, info)


def _encode_score(record: ScoreRecord) -> bytes:
    digest, _ = pack_info(record.info)
    header = _pack(
        _ScoreHeader(
            digest,
            len(record),
            record.inputs_total,
            int(record.kind),
            *(tuple(map(text, getattr(record, name))) for name in _TEXTS),
        )
    )
    columns = [
        np.ascontiguousarray(getattr(record, name), dtype).tobytes()
        for name, dtype, _ in _COLUMNS
    ]
    prefix = _SCORE + b"\0\0\0" + len(header).to_bytes(4, "little")
    return b"".join([prefix, header, bytes(_padding(header)), *columns])


def _decode_score(body: bytes, info: Callable[[bytes], PipelineInfo]) -> ScoreRecord:
    packed = body[_PREFIX : _PREFIX + int.from_bytes(body[4:_PREFIX], "little")]
    header = _header_decoder.decode(packed)
    end = _PREFIX + len(packed) + _padding(packed)
    columns: dict[str, Any] = {}
    for name, dtype, width in _COLUMNS:
        column = np.frombuffer(body, dtype, header.rows * width, end)
        columns[name] = column if width == 1 else column.reshape(header.rows, width)
        end += column.nbytes
    return ScoreRecord(
        info=info(header.info),
        inputs_total=header.inputs_total,
        kind=RecordClass(header.kind),
        part=header.part,
        reason=header.reason,
        label=header.label,
        **columns,
    )


def _padding(header: bytes) -> int:
    return -len(header) % 8
