"""Records in values that every encoding takes. Pure."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from edge_agent.records import (
    AlarmRecord,
    DriftRecord,
    EventRecord,
    EvidenceRecord,
    FindingRecord,
    FindingState,
    LabelRecord,
    LossRecord,
    RawRecord,
    ScoreRecord,
    SnapshotRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.records import Record


def plain(record: Record) -> Record:
    """The same record in values that every encoding takes.

    Texts from machines may hold half characters, numbers may be numpy's: what the
    outbox and the outputs get is plain, so that no record can stop them.
    """
    match record:
        case ScoreRecord():
            return record
        case DriftRecord():
            return _drift(record)
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
        case EventRecord() | LossRecord() | FindingRecord() | SnapshotRecord():
            return _each(record)
        case LabelRecord() | EvidenceRecord() | RawRecord():
            return _central(record)


def _each(
    record: EventRecord | LossRecord | FindingRecord | SnapshotRecord,
) -> EventRecord | LossRecord | FindingRecord | SnapshotRecord:
    """By the type that each field is declared with."""
    given = ((field, getattr(record, field.name)) for field in fields(record))
    changed: dict[str, Any] = {
        field.name: _MADE[str(field.type)](value)
        for field, value in given
        if field.type in _MADE
    }
    return replace(record, **changed)


def _drift(record: DriftRecord) -> DriftRecord:
    kinds: dict[type, tuple[str, ...]] = {np.int64: ("n", "missing", "counts", "bins")}
    kinds |= {np.float64: ("total", "square", "low", "high")}
    columns: dict[str, Any] = {
        name: np.asarray(getattr(record, name), kind)
        for kind, names in kinds.items()
        for name in names
    }
    return replace(
        record,
        context=text(record.context),
        since=int(record.since),
        until=int(record.until),
        rows=int(record.rows),
        gated=int(record.gated),
        baseline_id=text(record.baseline_id),
        columns=tuple(map(text, record.columns)),
        **columns,
    )


def _central(
    record: LabelRecord | EvidenceRecord | RawRecord,
) -> LabelRecord | EvidenceRecord | RawRecord:
    """Their numbers are columns already; texts and moments come from machines."""
    made: dict[str, Callable[[Any], Any]] = {
        "int": int,
        "str": text,
        "tuple[str, ...]": lambda each: tuple(map(text, each)),
    }
    changed: dict[str, Any] = {
        field.name: made[str(field.type)](getattr(record, field.name))
        for field in fields(record)
        if field.type in made
    }
    return replace(record, **changed)


def text(value: object) -> str:
    """A text of whole characters."""
    return str(value).encode("utf-8", "replace").decode()


def _values(given: Mapping[Any, Any]) -> dict[str, Any]:
    return {text(key): _value(value) for key, value in given.items()}


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


_MADE: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "str": text,
    "float": float,
    "dict[str, Any]": _values,
    "FindingState": FindingState,
}
