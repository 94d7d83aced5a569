"""The flat profile: one topic a value, flat JSON, nothing that changes its type.

Pure: records in, messages out. Fields and their meaning: ``topics.schema.json``.

======================== ======== ==============================================
``…/ml/PIPELINE/state``  retained the newest score of an asset
``…/ml/PIPELINE/alarm``  retained the newest transition of its alarm
``…/ml/PIPELINE/history``         scores that could not be sent when they were made
``…/ml/PIPELINE/events``          every transition, with an id that never repeats
``…/ml/PIPELINE/diagnostic`` retained the worst finding about an asset that is open
``…/ASSET/sensors/diagnostic`` retained the same, of its tags whatever the pipeline
``…/GATEWAY/agent/diagnostics/PIPELINE`` retained the same, about all its assets
``…/GATEWAY/agent/sensors`` retained the same, about tags of a whole asset type
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
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge_agent.records import (
    AlarmRecord,
    EventRecord,
    FindingRecord,
    LossRecord,
    NoScore,
    ScoreRecord,
    Unseen,
)
from edge_agent.samples import Quality
from edge_agent.sinks import jsontext
from edge_agent.sinks.diagnoses import Diagnoses
from edge_agent.sinks.happenings import Happening, alarm_payload, event_payload
from edge_agent.sinks.state import TOPS, StateWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.phrases import Phrases
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
        phrases: in the language of who reads SCADA.
        findings: those open at the start, see `store.work.Recovered`.
    """

    def __init__(
        self,
        place: Place,
        intervals: Mapping[str, float],
        phrases: Phrases,
        findings: Iterable[Stored] = (),
    ) -> None:
        self._place, self._phrases = place, phrases
        self._diagnoses = Diagnoses(place, findings)
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
                retained state, left out when a newer one was sent already; of a
                finding 0 is the event and 1 what is so now.
            stop: behind the last part.
            old: could not be sent when it was made.
        """
        record = stored.record
        if isinstance(record, Unseen):
            return []
        match record:
            case ScoreRecord():
                writer = self._writer(record.info)
                rows = slice(start, stop)
                return writer.frames(stored, record, rows, old=old)
            case AlarmRecord():
                return self._alarm(stored, record, old=old)[start:stop]
            case EventRecord():
                return [self._agent_event(stored, Happening.of_event(record), old)]
            case LossRecord():
                happening = Happening.of_loss(record, stored.offset)
                return [self._agent_event(stored, happening, old)]
            case FindingRecord():
                return self._finding(stored, record, old=old)[start:stop]

    def parts(self, stored: Stored) -> int:
        """Into how many parts `frames` can cut a record; 0: SCADA is not told of it."""
        record = stored.record
        if isinstance(record, ScoreRecord):
            return len(record)
        if isinstance(record, Unseen):
            return 0
        return 2 if isinstance(record, (AlarmRecord, FindingRecord)) else 1

    def note(self, stored: Stored) -> None:
        """A record is on its way, whether or not there is a link; any thread."""
        self._diagnoses.note(stored)

    def standing(self) -> list[Frame]:
        """Retained messages that no report interval brings back: for a new link."""
        return self._diagnoses.frames()

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
            reason=(self._phrases.say("agent_stopped"),) * count,
            label=(),
            contexts=(),
            context=None,
        )
        writer = self._writer(record.info)
        return writer.frames(last, gone, slice(None), old=False)

    def _writer(self, info: PipelineInfo) -> StateWriter:
        writer = self._writers.get(info)
        if writer is None:
            writer = self._writers[info] = StateWriter(info, self._place, self._phrases)
        return writer

    def _agent_event(self, stored: Stored, what: Happening, old: bool) -> Frame:
        payload = event_payload(stored, what, self._place.gateway, old=old)
        return self._agent_events, payload, 1, False

    def _finding(
        self, stored: Stored, record: FindingRecord, *, old: bool
    ) -> list[Frame]:
        """The event, and the retained message of its topic as it is now."""
        event = self._agent_event(stored, Happening.of_finding(record), old)
        return [event, self._diagnoses.frame(stored, record, old=old)]

    def _alarm(self, stored: Stored, record: AlarmRecord, *, old: bool) -> list[Frame]:
        """The event, and the retained state unless a newer one was sent already."""
        gateway, info = self._place.gateway, record.info
        folder = self._place.of_pipeline(info.assets[record.asset], info.pipeline)
        event = event_payload(stored, Happening.of_alarm(record), gateway, old=old)
        frames: list[Frame] = [(f"{folder}/events".encode(), event, 1, False)]
        topic = f"{folder}/alarm".encode()
        if self._newest_alarm.get(topic, -1) <= stored.id:
            self._newest_alarm[topic] = stored.id
            payload = alarm_payload(stored, record, gateway, self._phrases, old=old)
            frames.append((topic, payload, 1, True))
        return frames
