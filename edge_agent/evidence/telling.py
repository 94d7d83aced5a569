"""Records as lines of the log."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.dates import instant_of
from edge_agent.evidence import line
from edge_agent.evidence.line import MOST, Facts, encoded
from edge_agent.records import (
    AlarmRecord,
    EventRecord,
    EvidenceRecord,
    FindingRecord,
    LossRecord,
)

if TYPE_CHECKING:
    from edge_agent.store.outbox import Stored

#: Bytes of a window at most; what is around it needs little.
_WINDOW = MOST - (64 << 10)


def facts_of(stored: Stored) -> Facts | None:
    """What the log says of a record; None for those it does not take."""
    record = stored.record
    match record:
        case AlarmRecord():
            body = encoded(_alarm(record, stored.offset))
            what, who = record.state.name.lower(), record.info.assets[record.asset]
            kind = line.ALARM
        case EvidenceRecord():
            kind, what, who = line.WINDOW, "input", record.asset
            body = _window(record)
        case EventRecord():
            kind, what, who = line.EVENT, record.name, record.subject
            body = encoded({"message": record.message, "details": record.details})
        case LossRecord():
            kind, what, who = line.LOSS, record.what, record.subject
            body = encoded(_loss(record, stored.offset))
        case FindingRecord():
            kind, what = line.FINDING, record.what
            who = "/".join(filter(None, (record.pipeline, record.asset, record.tag)))
            body = encoded(_finding(record, stored.offset))
        case _:
            return None
    date = instant_of(record.at + stored.offset)
    return Facts(kind, what, who, date, record.at, stored.boot, stored.seq, body)


def _alarm(record: AlarmRecord, offset: int) -> dict[str, Any]:
    info = record.info
    return {
        "occurrence": record.occurrence,
        "pipeline": info.pipeline,
        "since": instant_of(record.since + offset),
        "score": record.score,
        "threshold": record.threshold,
        "severity": record.severity,
        "reason": record.reason,
        "top": record.top,
        "part": record.part,
        "context": record.context,
        "fallback": record.fallback.name.lower(),
        "model": info.model,
        "model_version": info.model_version,
        "model_digest": info.model_digest or info.model_sha8,
    }


def _window(record: EvidenceRecord) -> msgspec.Raw:
    """The window itself goes in byte for byte, but for spaces between its values."""
    named = encoded({"occurrence": record.occurrence, "pipeline": record.pipeline})
    try:
        if len(record.body) > _WINDOW:
            raise ValueError(f"{len(record.body)} bytes are too many")  # noqa: TRY301
        window = msgspec.json.format(record.body, indent=-1)
    except (ValueError, msgspec.MsgspecError, RecursionError) as why:
        digest = hashlib.sha256(record.body).hexdigest()
        window = encoded({"left_out": str(why), "sha256": digest})
    return msgspec.Raw(bytes(named)[:-1] + b',"window":' + bytes(window) + b"}")


def _loss(record: LossRecord, offset: int) -> dict[str, Any]:
    return {
        "count": record.count,
        "first": instant_of(record.first + offset),
        "last": instant_of(record.last + offset),
        "cause": record.cause,
    }


def _finding(record: FindingRecord, offset: int) -> dict[str, Any]:
    return {
        "state": record.state.name.lower(),
        "id": record.id,
        "since": instant_of(record.since + offset),
        "cause": record.cause,
        "context": record.context,
        "strength": record.strength,
        "sentence": record.sentence,
        "action": record.action,
        "evidence": record.evidence,
        "model": record.model,
        "model_version": record.model_version,
    }
