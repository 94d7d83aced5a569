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


Record = ScoreRecord | AlarmRecord | EventRecord | LossRecord
