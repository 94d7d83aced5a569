"""What monitoring keeps: drift to be added up, and how things stood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.records.kinds import RecordClass

if TYPE_CHECKING:
    from typing import Any

    from edge_agent.records.scored import PipelineInfo
    from edge_agent.samples import F64, I64


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


#: Names of snapshots that only the centre takes; they are not kept here.
BASELINE, HEALTH = "baseline", "health"
PASSING = frozenset({BASELINE, HEALTH})


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """How something stood; SCADA is not told.

    The newest of each day is kept for reports, but those of `PASSING`, which only
    the centre takes.

    ``name`` says what (``accuracy``); ``pipeline`` and ``subject`` say of whom (a
    model's version, a group; may be empty); ``body`` holds plain values.
    """

    at: int
    name: str
    pipeline: str
    subject: str
    body: dict[str, Any] = field(default_factory=dict)
    kind: RecordClass = RecordClass.DRIFT
