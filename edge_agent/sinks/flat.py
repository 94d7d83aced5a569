"""The flat profile: one topic a value, flat JSON, nothing that changes its type.

Pure: records in, messages out. Fields and their meaning: ``topics.schema.json``.

======================== ======== ==============================================
``…/ml/PIPELINE/state``  retained the newest score of an asset
``…/ml/PIPELINE/alarm``  retained the newest transition of its alarm
``…/ml/PIPELINE/history``         scores that could not be sent when they were made
``…/ml/PIPELINE/events``          every transition, with an id that never repeats
``…/GATEWAY/agent/status`` retained online or offline, and why
``…/GATEWAY/agent/events``        models, links, losses, with an id
======================== ======== ==============================================

A score that does not exist prints as -1.0 with ``score_valid`` false and quality
BAD: a key that comes and goes, or null, would break the reader's tags, and zero
would look like a calm machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    EventRecord,
    LossRecord,
    NoScore,
    ScoreRecord,
)
from edge_agent.samples import Quality
from edge_agent.sinks import jsontext
from edge_agent.sinks.state import TOPS, StateWriter, model_of, usual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.records import PipelineInfo
    from edge_agent.sinks.sink import Frame
    from edge_agent.sinks.topics import Place
    from edge_agent.store.outbox import Stored

#: A value outlives this many report intervals of its pipeline, then the broker
#: forgets it (MQTT 5): a dead agent must not go on looking well.
EXPIRY_INTERVALS = 3
_DEFAULT_INTERVAL = 60.0


@dataclass(frozen=True, slots=True)
class AgentState:
    """What ``agent/status`` says.

    Attributes:
        state: ``online`` or ``offline``.
        reason: why it is offline: ``stopped`` or ``lost``.
        at: agent time of the statement; of a will, the time it was left.
        offset: ns to add for the wall clock.
        started: agent time the agent started.
        boot: which opening of the store this is.
        version: of the agent.
        backlog_rows: rows not yet acknowledged by this output.
    """

    state: str
    reason: str
    at: int
    offset: int
    started: int
    boot: int
    version: str
    backlog_rows: int = 0


class FlatProfile:
    """Turns records into messages.

    Args:
        place: where the gateway stands.
        intervals: seconds between two reports of a calm asset, by pipeline.
    """

    def __init__(self, place: Place, intervals: Mapping[str, float]) -> None:
        self._place = place
        self._intervals = intervals
        self._writers: dict[PipelineInfo, StateWriter] = {}
        self._newest_alarm: dict[bytes, int] = {}
        agent = place.of_agent()
        self._status = f"{agent}/status".encode()
        self._agent_events = f"{agent}/events".encode()

    def frames(
        self, stored: Stored, start: int, stop: int, *, old: bool
    ) -> list[Frame]:
        """Messages of some parts of a record: one each, none for what is overtaken.

        Args:
            stored: the record.
            start: first part: row of a score; of an alarm 0 is the event and 1 its
                retained state, left out when a newer one was sent already.
            stop: behind the last part.
            old: could not be sent when it was made.
        """
        record = stored.record
        match record:
            case ScoreRecord():
                writer = self._writer(record.info)
                rows = slice(start, stop)
                return writer.frames(stored, record, rows, old=old)
            case AlarmRecord():
                return self._alarm(stored, record, old=old)[start:stop]
            case EventRecord():
                details = record.details
                return [self._event(stored, record, record.message, details, old)]
            case LossRecord():
                return [self._loss(stored, record, old)]

    def parts(self, stored: Stored) -> int:
        """Into how many parts `frames` can cut a record."""
        record = stored.record
        if isinstance(record, ScoreRecord):
            return len(record)
        return 2 if isinstance(record, AlarmRecord) else 1

    def expiry(self, stored: Stored, *, old: bool) -> int | None:
        """Seconds after which the broker forgets a record's messages."""
        record = stored.record
        if old or not isinstance(record, ScoreRecord):
            return None
        every = self._intervals.get(record.info.pipeline, _DEFAULT_INTERVAL)
        return max(math.ceil(EXPIRY_INTERVALS * every), 1)

    def status(self, agent: AgentState) -> Frame:
        """What the agent says about itself; also its will."""
        ts, ms = jsontext.date(agent.at, agent.offset)
        started, _ = jsontext.date(agent.started, agent.offset)
        payload = {
            "state": agent.state,
            "reason": agent.reason,
            "ts": ts.decode(),
            "ts_ms": int(ms),
            "gateway": self._place.gateway,
            "version": agent.version,
            "started": started.decode(),
            "boot": agent.boot,
            "backlog_rows": agent.backlog_rows,
        }
        return self._status, msgspec.json.encode(payload), 1, True

    def farewell(self, last: Stored, at: int) -> list[Frame]:
        """States that say the agent has stopped, in place of those of a record.

        Args:
            last: the newest score rows of assets, under a fresh id.
            at: agent time of the stop.
        """
        record = last.record
        if not isinstance(record, ScoreRecord):
            return []
        count = len(record)
        gone = replace(
            record,
            at=np.full(count, at, np.int64),
            score=np.full(count, np.nan),
            quality=np.full(count, Quality.BAD, np.uint8),
            no_score=np.full(count, NoScore.AGENT_STOPPED, np.uint8),
            top_role=np.full((count, TOPS), -1, np.int16),
            inputs_good=np.zeros(count, np.int16),
            completeness=np.zeros(count),
            reason=("agent stopped",) * count,
        )
        writer = self._writer(record.info)
        return writer.frames(last, gone, slice(None), old=False)

    def _writer(self, info: PipelineInfo) -> StateWriter:
        writer = self._writers.get(info)
        if writer is None:
            writer = self._writers[info] = StateWriter(info, self._place)
        return writer

    def _id(self, stored: Stored) -> str:
        return f"{self._place.gateway}-{stored.boot}-{stored.seq}"

    def _alarm(self, stored: Stored, record: AlarmRecord, *, old: bool) -> list[Frame]:
        """The event, and the retained state unless a newer one was sent already."""
        info = record.info
        asset = info.assets[record.asset]
        folder = self._place.of_pipeline(asset, info.pipeline)
        score = record.score if math.isfinite(record.score) else jsontext.ABSENT
        event = EventRecord(
            record.at,
            f"alarm {record.state.name.lower()}",
            f"{info.pipeline}/{asset}",
            record.reason,
            {"occurrence": record.occurrence, "score": score, "part": record.part},
        )
        frame = self._event(
            stored, event, record.reason, event.details, old, record.severity
        )
        frames: list[Frame] = [(f"{folder}/events".encode(), *frame[1:])]
        topic = f"{folder}/alarm".encode()
        if self._newest_alarm.get(topic, -1) <= stored.id:
            self._newest_alarm[topic] = stored.id
            payload = self._alarm_payload(stored, record, asset, old=old)
            frames.append((topic, payload, 1, True))
        return frames

    def _alarm_payload(
        self, stored: Stored, record: AlarmRecord, asset: str, *, old: bool
    ) -> bytes:
        info = record.info
        ts, ms = jsontext.date(record.at, stored.offset)
        since, since_ms = jsontext.date(record.since, stored.offset)
        valid = math.isfinite(record.score)
        fields: list[tuple[str, bytes]] = [
            ("id", jsontext.text(self._id(stored))),
            ("occurrence", jsontext.text(record.occurrence)),
            ("asset", jsontext.text(asset)),
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
            *_tops(record),
            ("part", jsontext.text(record.part)),
            *((key, jsontext.text(value)) for key, value in model_of(info)),
            *_place_in_order(stored, old),
        ]
        return _object(fields)

    def _event(
        self,
        stored: Stored,
        event: EventRecord | LossRecord,
        message: str,
        details: Mapping[str, Any],
        old: bool,
        severity: int = 0,
    ) -> Frame:
        ts, ms = jsontext.date(event.at, stored.offset)
        name = event.name if isinstance(event, EventRecord) else "records lost"
        # a JSON text within a string: nested keys would make folders of a value
        packed = msgspec.json.encode(dict(details), enc_hook=str).decode()
        fields: list[tuple[str, bytes]] = [
            ("id", jsontext.text(self._id(stored))),
            ("ts", b'"%b"' % ts),
            ("ts_ms", ms),
            ("event", jsontext.text(name)),
            ("subject", jsontext.text(event.subject)),
            ("message", jsontext.text(message)),
            ("severity", b"%d" % severity),
            ("details", jsontext.text(packed)),
            ("gateway", jsontext.text(self._place.gateway)),
            *_place_in_order(stored, old),
        ]
        return self._agent_events, _object(fields), 1, False

    def _loss(self, stored: Stored, loss: LossRecord, old: bool) -> Frame:
        first, _ = jsontext.date(loss.first, stored.offset)
        last, _ = jsontext.date(loss.last, stored.offset)
        message = (
            f"{loss.count} {loss.what} of {loss.subject} lost,"
            f" {first.decode()} to {last.decode()}: {loss.cause}"
        )
        details = {
            "what": loss.what,
            "count": loss.count,
            "first": first.decode(),
            "last": last.decode(),
            "cause": loss.cause,
        }
        return self._event(stored, loss, message, details, old)


def _tops(record: AlarmRecord) -> list[tuple[str, bytes]]:
    units = dict(zip(record.info.roles, record.info.units, strict=False))
    known = [top for top in record.top if math.isfinite(top[1])][:TOPS]
    fields = []
    for place in range(1, TOPS + 1):
        if place <= len(known):
            role, value, low, high, share = known[place - 1]
            words = usual(low, high, units.get(role, ""))
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


def _place_in_order(stored: Stored, old: bool) -> list[tuple[str, bytes]]:
    return [
        ("boot", b"%d" % stored.boot),
        ("seq", b"%d" % stored.seq),
        ("hist", b"true" if old else b"false"),
    ]


def _object(fields: list[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join(b'"%b":%b' % (k.encode(), v) for k, v in fields) + b"}"
