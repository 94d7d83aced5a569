"""Records of one row to bytes and back: all but scores."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    DriftRecord,
    EventRecord,
    Fallback,
    FindingRecord,
    FindingState,
    LossRecord,
    RecordClass,
    SnapshotRecord,
)
from edge_agent.store import blocks
from edge_agent.store.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.records import PipelineInfo, Record

    #: Finds a pipeline's information by its digest.
    Infos = Callable[[bytes], PipelineInfo]

#: What a body begins with.
ALARM, EVENT, LOSS, FINDING, DRIFT, SNAPSHOT = b"A", b"E", b"L", b"F", b"D", b"P"


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


class _Finding(msgspec.Struct, array_like=True):
    at: int
    state: int
    id: str
    since: int
    what: str
    cause: str
    pipeline: str
    asset: str
    tag: str
    context: str
    strength: float
    sentence: str
    action: str
    evidence: dict[str, Any]
    model: str
    model_version: str
    kind: int


class _Drift(msgspec.Struct, array_like=True):
    info: bytes
    context: str
    since: int
    until: int
    rows: int
    gated: int
    baseline_id: str
    kind: int
    block: bytes


class _Snapshot(msgspec.Struct, array_like=True):
    at: int
    name: str
    pipeline: str
    subject: str
    body: dict[str, Any]
    kind: int


_pack = msgspec.msgpack.Encoder(enc_hook=str).encode
_alarm_decoder = msgspec.msgpack.Decoder(_Alarm)
_event_decoder = msgspec.msgpack.Decoder(_Event)
_loss_decoder = msgspec.msgpack.Decoder(_Loss)
_finding_decoder = msgspec.msgpack.Decoder(_Finding)
_drift_decoder = msgspec.msgpack.Decoder(_Drift)
_snapshot_decoder = msgspec.msgpack.Decoder(_Snapshot)


def packed(record: EventRecord | LossRecord | FindingRecord | SnapshotRecord) -> bytes:
    """Body of a record that belongs to no pipeline of the store."""
    # fields in the order of the record, which is that of its body
    values = [getattr(record, field.name) for field in fields(record)]
    match record:
        case EventRecord():
            return EVENT + _pack(_Event(*values))
        case LossRecord():
            return LOSS + _pack(_Loss(*values))
        case FindingRecord():
            return FINDING + _pack(_Finding(*values))
        case SnapshotRecord():
            return SNAPSHOT + _pack(_Snapshot(*values))


def packed_of(record: AlarmRecord | DriftRecord, info: bytes) -> bytes:
    """Body of a record whose pipeline's information has this digest."""
    match record:
        case AlarmRecord():
            return packed_alarm(record, info)
        case DriftRecord():
            return _packed_drift(record, info)


def packed_alarm(record: AlarmRecord, info: bytes) -> bytes:
    """Body of a transition."""
    given = {field.name: getattr(record, field.name) for field in fields(record)}
    ordered = {name: given[name] for name in _Alarm.__struct_fields__}
    return ALARM + _pack(_Alarm(**ordered | {"info": info}))


def _packed_drift(record: DriftRecord, info: bytes) -> bytes:
    return DRIFT + _pack(
        _Drift(
            info,
            record.context,
            record.since,
            record.until,
            record.rows,
            record.gated,
            record.baseline_id,
            int(record.kind),
            blocks.pack(Block.of(record)),
        )
    )


def unpacked(body: bytes, info: Infos) -> Record:
    """Record of a body.

    Raises:
        ValueError: the body is damaged.
        KeyError: its pipeline information is missing.
    """
    kind, rest = body[:1], body[1:]
    if kind == ALARM:
        return _alarm(_alarm_decoder.decode(rest), info)
    if kind == DRIFT:
        return _drift(_drift_decoder.decode(rest), info)
    if kind == EVENT:
        return EventRecord(**_given(_event_decoder.decode(rest)))
    if kind == LOSS:
        return LossRecord(**_given(_loss_decoder.decode(rest)))
    if kind == SNAPSHOT:
        return SnapshotRecord(**_given(_snapshot_decoder.decode(rest)))
    if kind == FINDING:
        found = _given(_finding_decoder.decode(rest))
        return FindingRecord(**found | {"state": FindingState(found["state"])})
    raise ValueError(f"no record starts with {kind!r}")


def _given(packed: msgspec.Struct) -> dict[str, Any]:
    values = msgspec.structs.asdict(packed)
    return values | {"kind": RecordClass(values["kind"])}


def _alarm(alarm: _Alarm, info: Infos) -> AlarmRecord:
    values = _given(alarm) | {
        "info": info(alarm.info),
        "state": AlarmState(alarm.state),
        "fallback": Fallback(alarm.fallback),
    }
    return AlarmRecord(**values)


def _drift(drift: _Drift, info: Infos) -> DriftRecord:
    block = blocks.unpack(drift.block)
    values = _given(drift)
    del values["block"]
    columns = {field.name: getattr(block, field.name) for field in fields(block)}
    return DriftRecord(**values | {"info": info(drift.info)} | columns)
