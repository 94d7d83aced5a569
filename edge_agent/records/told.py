"""What a person may have to know: events, losses, findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.records.kinds import FindingState, RecordClass

if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something a person may have to know: model loaded, link lost, clock step."""

    at: int
    name: str
    subject: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    kind: RecordClass = RecordClass.AUDIT


@dataclass(frozen=True, slots=True)
class LossRecord:
    """What was lost, how much, between when and when, and why.

    Attributes:
        at: agent time it was told, ns.
        what: in the plural: rows, samples, messages, labels ...
        subject: class, tag, topic, source, pipeline or output.
        count: how many; 0 where nobody can know, or whether anything was.
        first: agent time of the first of it, ns.
        last: of the last.
        cause: one sentence.
    """

    at: int
    what: str
    subject: str
    count: int
    first: int
    last: int
    cause: str
    kind: RecordClass = RecordClass.AUDIT


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """Monitoring found something, or it is over: one record at each end of an episode.

    A finding is advice to people, never a process alarm.

    Attributes:
        id: ties the two records of an episode together; never used again.
        since: agent time the episode began, ns.
        what: one of `monitoring.conditions.What`.
        cause: one of `monitoring.conditions.Cause`; empty where none is claimed.
        pipeline: empty for a sensor's finding that concerns its whole asset type.
        asset: empty for all assets of the pipeline.
        tag: role of the tag or name of the feature or output; empty for none.
        context: recipe, product, shift; empty for all.
        strength: size of the effect over its limit; 1 is just worth telling.
        sentence: what was found, with the evidence, for a technician.
        action: what to do.
        model, model_version: that scored when it began; empty where no model matters.
    """

    at: int
    state: FindingState
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
    evidence: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    model_version: str = ""
    kind: RecordClass = RecordClass.AUDIT
