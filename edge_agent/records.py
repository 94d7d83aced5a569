"""What leaves the agent, in a neutral form: no wire bytes, no topics.

One score record per pipeline and turn holds all its rows as columns; alarms,
events and losses are one record each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64, U8


class RecordClass(IntEnum):
    """What is kept longest when room runs out: lower is dropped later."""

    ALARM = 0
    AUDIT = 1
    DRIFT = 2
    SCORE = 3


class AlarmState(IntEnum):
    """State of one alarm (ISA-18.2 names; acknowledgement lives in SCADA)."""

    NORMAL = 0
    ACTIVE = 1


class Fallback(IntEnum):
    """Which rung of the ladder made a score."""

    MODEL = 0
    LAST_KNOWN_GOOD = 1
    LIMITS = 2
    NO_SCORE = 3


class NoScore(IntEnum):
    """Why a row has no score."""

    NONE = 0
    INPUT_MISSING = 1
    INPUT_BAD = 2
    WARMING_UP = 3
    MODEL_NAN = 4
    MODEL_ERROR = 5
    MODEL_MISSING = 6
    INPUT_STALE = 7
    AGENT_STOPPED = 8
    MODEL_SLOW = 9
    MODEL_EXPIRED = 10


#: What a row without a context has in ``ScoreRecord.context``.
NO_CONTEXT = 255


@dataclass(frozen=True, slots=True)
class PipelineInfo:
    """What every score of a pipeline has in common; joined in at send time."""

    pipeline: str
    asset_type: str
    assets: tuple[str, ...]
    roles: tuple[str, ...]
    units: tuple[str, ...]
    model: str
    model_version: str
    model_sha8: str
    model_digest: str = ""
    """SHA-256 over the bundle, of which ``model_sha8`` is the beginning."""


@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """Scores of one pipeline in one turn, n rows.

    Attributes:
        info: what all rows share.
        asset: int32[n] position in ``info.assets``.
        at: int64[n] the time the row stands for, ns UTC.
        score: float64[n]; NaN when there is none (see ``no_score``).
        threshold: float64[n].
        severity: int32[n] 0..1000, OPC UA style.
        alarm: uint8[n] `AlarmState` after this row.
        quality: uint8[n] `samples.Quality`.
        completeness: float64[n] 0..1.
        age: float64[n] seconds, oldest input.
        no_score: uint8[n] `NoScore`.
        fallback: uint8[n] `Fallback`.
        top_role: int16[n, 3] position in ``info.roles``, -1 for none, most
            contributing first.
        top_value, top_low, top_high: float64[n, 3] value and its usual range.
        top_share: float64[n, 3] 0..1 of the score.
        inputs_good: int16[n] features that were good, of ``inputs_total``.
        part: part ids, one a row, for `on: cycle`; empty otherwise.
        reason: one sentence a row, empty string when calm.
        label: the likeliest class of each row, empty string where there is none;
            empty for a model without classes.
        contexts: names of the contexts the rows were made in; empty without contexts.
        context: uint8[n] position in ``contexts``, `NO_CONTEXT` for a row that was not
            judged; None without contexts.
    """

    info: PipelineInfo
    asset: I32
    at: I64
    score: F64
    threshold: F64
    severity: I32
    alarm: U8
    quality: U8
    completeness: F64
    age: F64
    no_score: U8
    fallback: U8
    top_role: NDArray[np.int16]
    top_value: F64
    top_low: F64
    top_high: F64
    top_share: F64
    inputs_good: NDArray[np.int16]
    inputs_total: int
    part: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    kind: RecordClass = RecordClass.SCORE
    contexts: tuple[str, ...] = ()
    context: U8 | None = None

    def __len__(self) -> int:
        """Count rows."""
        return len(self.asset)


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """One transition of one alarm; ``occurrence`` ties ACTIVE and NORMAL together."""

    info: PipelineInfo
    asset: int
    at: int
    state: AlarmState
    occurrence: str
    since: int
    score: float
    threshold: float
    severity: int
    reason: str
    top: tuple[tuple[str, float, float, float, float], ...] = ()
    """role, value, usual low, usual high, share; most contributing first."""
    part: str = ""
    kind: RecordClass = RecordClass.ALARM
    fallback: Fallback = Fallback.MODEL
    context: str = ""
    """In which the row was made; empty for none, or where it was not judged."""


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
    """What was dropped, how much, between when and when, and why."""

    at: int
    what: str
    subject: str
    count: int
    first: int
    last: int
    cause: str
    kind: RecordClass = RecordClass.AUDIT


class FindingState(IntEnum):
    """Whether what monitoring found is still so."""

    CLOSED = 0
    OPEN = 1


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


@dataclass(frozen=True, slots=True, eq=False)
class DriftRecord:
    """What one pipeline's columns looked like over a stretch of time, to be added up.

    Rows of equal model, baseline and context are merged by adding and by taking the
    extremes; see `bundle.profile`.

    Attributes:
        context: of its rows; empty for all.
        rows, gated: counted, and not counted as the machine did not run.
        baseline_id: names the bins.
        columns: features first, then outputs (``score``, ``probability.CLASS``).
        total, square: float64[columns], sum and sum of squares about the origin.
        low, high: float64[columns], NaN where n is 0.
        counts: int64[columns, most bins], filled up with zeros on the right.
        bins: int64[columns], how many of them are the column's.
    """

    info: PipelineInfo
    context: str
    since: int
    until: int
    rows: int
    gated: int
    baseline_id: str
    columns: tuple[str, ...]
    n: I64
    missing: I64
    total: F64
    square: F64
    low: F64
    high: F64
    counts: I64
    bins: I64
    kind: RecordClass = RecordClass.DRIFT

    @property
    def at(self) -> int:
        """Agent time it was closed, ns."""
        return self.until


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """How something stood; never sent, the newest of each day is kept for reports.

    ``name`` says what (``accuracy``); ``pipeline`` and ``subject`` say of whom (a
    model's version, a group; may be empty); ``body`` holds plain values.
    """

    at: int
    name: str
    pipeline: str
    subject: str
    body: dict[str, Any] = field(default_factory=dict)
    kind: RecordClass = RecordClass.DRIFT


Told = AlarmRecord | EventRecord | LossRecord | FindingRecord
Record = ScoreRecord | Told | DriftRecord | SnapshotRecord
