"""Records in values that every encoding takes. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    EventRecord,
    FindingRecord,
    LossRecord,
    ScoreRecord,
)

if TYPE_CHECKING:
    from edge_agent.records import Record


def plain(record: Record) -> Record:
    """The same record in values that every encoding takes.

    Texts from machines may hold half characters, numbers may be numpy's: what the
    outbox and the outputs get is plain, so that no record can stop them.
    """
    match record:
        case ScoreRecord() | FindingRecord() | DriftRecord():
            return record
        case AlarmRecord():
            top = tuple((text(role), *map(float, rest)) for role, *rest in record.top)
            return replace(
                record,
                at=int(record.at),
                since=int(record.since),
                asset=int(record.asset),
                score=float(record.score),
                threshold=float(record.threshold),
                severity=int(record.severity),
                occurrence=text(record.occurrence),
                reason=text(record.reason),
                part=text(record.part),
                context=text(record.context),
                top=cast("tuple[tuple[str, float, float, float, float], ...]", top),
            )
        case EventRecord():
            return replace(
                record,
                at=int(record.at),
                name=text(record.name),
                subject=text(record.subject),
                message=text(record.message),
                details={text(k): _value(v) for k, v in record.details.items()},
            )
        case LossRecord():
            return replace(
                record,
                at=int(record.at),
                what=text(record.what),
                subject=text(record.subject),
                cause=text(record.cause),
                count=int(record.count),
                first=int(record.first),
                last=int(record.last),
            )


def text(value: object) -> str:
    """A text of whole characters."""
    return str(value).encode("utf-8", "replace").decode()


def _value(value: object) -> object:
    """A detail as JSON knows it; anything else as its text."""
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else str(value)
    if isinstance(value, dict):
        return {text(k): _value(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(v) for v in value]
    return text(value)
