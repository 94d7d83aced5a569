"""Alarms, findings, events and losses to flat JSON: few, so plain to read. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.records import AlarmState, FindingState
from edge_agent.sinks import jsontext
from edge_agent.sinks.ranges import usual
from edge_agent.sinks.state import TOPS, model_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.phrases import Phrases
    from edge_agent.records import (
        AlarmRecord,
        EventRecord,
        FindingRecord,
        LossRecord,
    )
    from edge_agent.store.outbox import Stored


@dataclass(frozen=True, slots=True)
class Happening:
    """What ``events`` tells: the common shape of transitions, events and losses."""

    at: int
    event: str
    subject: str
    message: str
    details: Mapping[str, Any]
    severity: int = 0

    @staticmethod
    def of_event(record: EventRecord) -> Happening:
        """Something a person may have to know."""
        return Happening(
            record.at, record.name, record.subject, record.message, record.details
        )

    @staticmethod
    def of_alarm(record: AlarmRecord) -> Happening:
        """A transition of an alarm."""
        info = record.info
        score = record.score if math.isfinite(record.score) else jsontext.ABSENT
        return Happening(
            record.at,
            f"alarm {record.state.name.lower()}",
            f"{info.pipeline}/{info.assets[record.asset]}",
            record.reason,
            {
                "occurrence": record.occurrence,
                "score": score,
                "part": record.part,
                "context": record.context,
            },
            record.severity,
        )

    @staticmethod
    def of_finding(record: FindingRecord) -> Happening:
        """A finding that began or is over; it never has a severity: it is advice."""
        subject = [record.pipeline, record.asset or record.tag]
        state = FindingState(record.state).name
        return Happening(
            record.at,
            f"finding {state.lower()}",
            "/".join(filter(None, subject)),
            " ".join(filter(None, (record.sentence, record.action))),
            {
                "episode": record.id,
                "what": record.what,
                "cause": record.cause,
                "tag": record.tag,
                "context": record.context,
                "strength": record.strength,
                "model": record.model,
                "model_version": record.model_version,
                "evidence": record.evidence,
            },
        )

    @staticmethod
    def of_loss(record: LossRecord, offset: int) -> Happening:
        """What was lost, when and why, in one sentence."""
        first, last = (
            jsontext.date(at, offset)[0].decode() for at in (record.first, record.last)
        )
        return Happening(
            record.at,
            "records lost",
            record.subject,
            f"{_how_many(record)} {record.what} of {record.subject}"
            f" lost, {first} to {last}: {record.cause}",
            {
                "what": record.what,
                "count": record.count,
                "first": first,
                "last": last,
                "cause": record.cause,
            },
        )


def event_payload(stored: Stored, what: Happening, gateway: str, *, old: bool) -> bytes:
    """A message of ``events``."""
    ts, ms = jsontext.date(what.at, stored.offset)
    # a JSON text within a string: nested keys would make folders of a value
    packed = msgspec.json.encode(dict(what.details), enc_hook=str).decode()
    return _object(
        [
            ("id", jsontext.text(_id(stored, gateway))),
            ("ts", b'"%b"' % ts),
            ("ts_ms", ms),
            ("event", jsontext.text(what.event)),
            ("subject", jsontext.text(what.subject)),
            ("message", jsontext.text(what.message)),
            ("severity", b"%d" % what.severity),
            ("details", jsontext.text(packed)),
            ("gateway", jsontext.text(gateway)),
            *_order(stored, old=old),
        ]
    )


def alarm_payload(
    stored: Stored, record: AlarmRecord, gateway: str, phrases: Phrases, *, old: bool
) -> bytes:
    """A message of ``alarm``."""
    info = record.info
    ts, ms = jsontext.date(record.at, stored.offset)
    since, since_ms = jsontext.date(record.since, stored.offset)
    valid = math.isfinite(record.score)
    return _object(
        [
            ("id", jsontext.text(_id(stored, gateway))),
            ("occurrence", jsontext.text(record.occurrence)),
            ("asset", jsontext.text(info.assets[record.asset])),
            ("pipeline", jsontext.text(info.pipeline)),
            ("ts", b'"%b"' % ts),
            ("ts_ms", ms),
            ("state", jsontext.text(AlarmState(record.state).name)),
            ("since", b'"%b"' % since),
            ("since_ms", since_ms),
            ("score", jsontext.real(record.score)),
            ("score_valid", b"true" if valid else b"false"),
            ("threshold", jsontext.real(record.threshold)),
            ("severity", b"%d" % record.severity),
            ("reason", jsontext.text(record.reason)),
            *_tops(record, phrases),
            ("part", jsontext.text(record.part)),
            *((key, jsontext.text(value)) for key, value in model_of(info)),
            *_order(stored, old=old),
        ]
    )


def finding_payload(
    stored: Stored, record: FindingRecord, gateway: str, count: int, *, old: bool
) -> bytes:
    """A message of ``diagnostic``.

    Args:
        stored: the finding that is shown.
        record: the same.
        gateway: who says so.
        count: findings that are open there.
        old: it could not be sent when it was made.
    """
    ts, ms = jsontext.date(record.at, stored.offset)
    since, since_ms = jsontext.date(record.since, stored.offset)
    evidence = msgspec.json.encode(record.evidence, enc_hook=str).decode()
    return _object(
        [
            ("id", jsontext.text(_id(stored, gateway))),
            ("episode", jsontext.text(record.id)),
            ("ts", b'"%b"' % ts),
            ("ts_ms", ms),
            ("state", jsontext.text(FindingState(record.state).name)),
            ("open", b"%d" % count),
            ("what", jsontext.text(record.what)),
            ("cause", jsontext.text(record.cause)),
            ("pipeline", jsontext.text(record.pipeline)),
            ("asset", jsontext.text(record.asset)),
            ("tag", jsontext.text(record.tag)),
            ("context", jsontext.text(record.context)),
            ("strength", jsontext.real(record.strength)),
            ("since", b'"%b"' % since),
            ("since_ms", since_ms),
            ("sentence", jsontext.text(record.sentence)),
            ("action", jsontext.text(record.action)),
            ("evidence", jsontext.text(evidence)),
            ("model", jsontext.text(record.model)),
            ("model_version", jsontext.text(record.model_version)),
            *_order(stored, old=old),
        ]
    )


def _how_many(record: LossRecord) -> str:
    """Nobody knows where the count is 0."""
    return str(record.count) if record.count else "an unknown number of"


def _id(stored: Stored, gateway: str) -> str:
    return f"{gateway}-{stored.boot}-{stored.seq}"


def _tops(record: AlarmRecord, phrases: Phrases) -> list[tuple[str, bytes]]:
    units = dict(zip(record.info.roles, record.info.units, strict=False))
    known = [top for top in record.top if math.isfinite(top[1])][:TOPS]
    fields = []
    for place in range(1, TOPS + 1):
        if place <= len(known):
            role, value, low, high, share = known[place - 1]
            words = usual(low, high, units.get(role, ""), phrases)
            shown = float(jsontext.significant(np.array([value]))[0])
        else:
            role, shown, words, share = "", 0.0, "", 0.0
        fields += [
            (f"top{place}_tag", jsontext.text(role)),
            (f"top{place}_value", jsontext.real(shown, 0.0)),
            (f"top{place}_usual", jsontext.text(words)),
            (f"top{place}_share", jsontext.real(share, 0.0)),
        ]
    return fields


def _order(stored: Stored, *, old: bool) -> list[tuple[str, bytes]]:
    return [
        ("boot", b"%d" % stored.boot),
        ("seq", b"%d" % stored.seq),
        ("hist", b"true" if old else b"false"),
    ]


def _object(fields: list[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join(b'"%b":%b' % (k.encode(), v) for k, v in fields) + b"}"
