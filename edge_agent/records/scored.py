"""Scores of a turn and the alarms they raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.records.kinds import AlarmState, Fallback, RecordClass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64, U8


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
