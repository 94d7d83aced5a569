"""Records to bytes and back, in a neutral form.

Scores are columns, see `scores`. Wire bytes never enter the store: topics, sequence
numbers and aliases belong to a session.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    DriftRecord,
    EventRecord,
    Fallback,
    FindingRecord,
    LossRecord,
    PipelineInfo,
    RecordClass,
    ScoreRecord,
)
from edge_agent.store.scores import decode_score, encode_score, take

__all__ = ["decode", "encode", "info_of", "pack_info", "rows_of", "size_of"]
__all__ += ["span_of", "take", "unpack_info"]

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.records import Record

_SCORE, _ALARM, _EVENT, _LOSS = b"S", b"A", b"E", b"L"


class _Alarm(msgspec.Struct, array_like=True):
    info: bytes
    asset: int
    at: int
    state: int
    occurrence: str
    since: int
    score: float
    threshold: float
    severity: int
    reason: str
    top: tuple[tuple[str, float, float, float, float], ...]
    part: str
    kind: int
    fallback: int = 0
    context: str = ""


class _Event(msgspec.Struct, array_like=True):
    at: int
    name: str
    subject: str
    message: str
    details: dict[str, Any]
    kind: int


class _Loss(msgspec.Struct, array_like=True):
    at: int
    what: str
    subject: str
    count: int
    first: int
    last: int
    cause: str
    kind: int


_pack = msgspec.msgpack.Encoder(enc_hook=str).encode
_info_decoder = msgspec.msgpack.Decoder(PipelineInfo)
_alarm_decoder = msgspec.msgpack.Decoder(_Alarm)
_event_decoder = msgspec.msgpack.Decoder(_Event)
_loss_decoder = msgspec.msgpack.Decoder(_Loss)


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
    return record.info if isinstance(record, (ScoreRecord, AlarmRecord)) else None


def rows_of(record: Record) -> int:
    """How many rows a record counts for: all of a score record, else one."""
    return len(record) if isinstance(record, ScoreRecord) else 1


def span_of(record: Record) -> tuple[int, int]:
    """First and last agent time a record speaks of."""
    if isinstance(record, ScoreRecord):
        if len(record) == 0:
            return 0, 0
        return int(record.at.min()), int(record.at.max())
    return record.at, record.at


def size_of(record: Record) -> int:
    """Bytes a record will take, closely enough to bound memory by."""
    if isinstance(record, ScoreRecord):
        texts = sum(map(len, record.reason + record.part + record.label))
        return 64 + 170 * len(record) + texts
    return 300


def encode(record: Record) -> bytes:
    """Body of a record, whose values are `plain`."""
    match record:
        case ScoreRecord():
            return _SCORE + encode_score(record, pack_info(record.info)[0])
        case AlarmRecord():
            return _ALARM + _pack(_packed_alarm(record))
        case EventRecord(at, name, subject, message, details, kind):
            return _EVENT + _pack(_Event(at, name, subject, message, details, kind))
        case LossRecord(at, what, subject, count, first, last, cause, kind):
            loss = _Loss(at, what, subject, count, first, last, cause, kind)
            return _LOSS + _pack(loss)
        case FindingRecord() | DriftRecord():
            raise NotImplementedError


def decode(body: bytes, info: Callable[[bytes], PipelineInfo]) -> Record:
    """Record of a body.

    Args:
        body: what `encode` made.
        info: finds a pipeline's information by its digest; KeyError if unknown.

    Raises:
        ValueError: the body is damaged.
        KeyError: its pipeline information is missing.
    """
    kind = body[:1]
    if kind == _SCORE:
        return decode_score(body, info)
    if kind == _ALARM:
        return _decode_alarm(_alarm_decoder.decode(body[1:]), info)
    if kind == _EVENT:
        event = _event_decoder.decode(body[1:])
        return EventRecord(
            event.at,
            event.name,
            event.subject,
            event.message,
            event.details,
            RecordClass(event.kind),
        )
    if kind == _LOSS:
        loss = _loss_decoder.decode(body[1:])
        return LossRecord(
            loss.at,
            loss.what,
            loss.subject,
            loss.count,
            loss.first,
            loss.last,
            loss.cause,
            RecordClass(loss.kind),
        )
    raise ValueError(f"no record starts with {kind!r}")


def _packed_alarm(record: AlarmRecord) -> _Alarm:
    return _Alarm(
        pack_info(record.info)[0],
        record.asset,
        record.at,
        int(record.state),
        record.occurrence,
        record.since,
        record.score,
        record.threshold,
        record.severity,
        record.reason,
        record.top,
        record.part,
        int(record.kind),
        int(record.fallback),
        record.context,
    )


def _decode_alarm(alarm: _Alarm, info: Callable[[bytes], PipelineInfo]) -> AlarmRecord:
    values = msgspec.structs.asdict(alarm) | {
        "info": info(alarm.info),
        "state": AlarmState(alarm.state),
        "kind": RecordClass(alarm.kind),
        "fallback": Fallback(alarm.fallback),
    }
    return AlarmRecord(**values)
