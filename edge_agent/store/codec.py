"""Records to bytes and back, in a neutral form.

Scores are columns, see `scores`. Wire bytes never enter the store: topics, sequence
numbers and aliases belong to a session.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    EventRecord,
    EvidenceRecord,
    FindingRecord,
    LabelRecord,
    LossRecord,
    PipelineInfo,
    RawRecord,
    ScoreRecord,
    SnapshotRecord,
)
from edge_agent.store import bodies, central
from edge_agent.store.scores import decode_score, encode_score, take

__all__ = ["decode", "encode", "info_of", "pack_info", "rows_of", "size_of"]
__all__ += ["span_of", "take", "unpack_info"]

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.records import Record

_SCORE = b"S"

_pack = msgspec.msgpack.Encoder(enc_hook=str).encode
_info_decoder = msgspec.msgpack.Decoder(PipelineInfo)


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
    """How many rows a record counts for: those of its columns, else one."""
    if isinstance(record, (ScoreRecord, LabelRecord, RawRecord)):
        return len(record)
    return 1


def span_of(record: Record) -> tuple[int, int]:
    """First and last agent time a record speaks of."""
    if isinstance(record, ScoreRecord):
        if len(record) == 0:
            return 0, 0
        return int(record.at.min()), int(record.at.max())
    if isinstance(record, DriftRecord):
        return record.since, record.until
    if isinstance(record, RawRecord) and len(record):
        return int(record.time.min()), int(record.time.max())
    return record.at, record.at


def size_of(record: Record) -> int:
    """Bytes a record will take, closely enough to bound memory by."""
    match record:
        case ScoreRecord():
            texts = sum(map(len, record.reason + record.part + record.label))
            size = 64 + 170 * len(record) + texts
        case DriftRecord():
            size = 300 + 100 * len(record.columns) + 8 * record.counts.size
        case FindingRecord():
            texts = len(record.sentence) + len(record.action)
            size = 300 + texts + len(repr(record.evidence))
        case SnapshotRecord():
            size = 300 + len(repr(record.body))
        case EvidenceRecord():
            size = 300 + len(record.body)
        case LabelRecord():
            names = sum(map(len, record.assets + record.part))
            size = 200 + 120 * len(record) + names
        case RawRecord():
            size = 100 + 21 * len(record) + sum(map(len, record.tags))
        case _:
            size = 300
    return size


def encode(record: Record) -> bytes:
    """Body of a record, whose values are `plain`."""
    match record:
        case ScoreRecord():
            return _SCORE + encode_score(record, pack_info(record.info)[0])
        case AlarmRecord() | DriftRecord():
            return bodies.packed_of(record, pack_info(record.info)[0])
        case EventRecord() | LossRecord() | FindingRecord() | SnapshotRecord():
            return bodies.packed(record)
        case LabelRecord() | EvidenceRecord() | RawRecord():
            return central.packed(record)


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
        return decode_score(body, info)
    if body[:1] in (central.LABELS, central.EVIDENCE, central.RAW):
        return central.unpacked(body)
    return bodies.unpacked(body, info)
