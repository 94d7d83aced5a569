"""What scores are judged by, and the rows that are: the words of `alarms`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64

    Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limits:
    """When an alarm comes and goes.

    Attributes:
        threshold: the alarm comes above it.
        hysteresis: share of the threshold the score must fall below it to clear.
        on_delay, off_delay: ns.
        max_gap: a silence between two rows longer than this starts a running delay
            again, ns; 0 for never. Set it to a few times the scoring period.
        chatter_count: changes of one asset within ``chatter_window`` (ns) at most, 3
            or more; 0 switches the guard off.
    """

    threshold: float
    hysteresis: float = 0.05
    on_delay: int = 3 * NANOSECONDS
    off_delay: int = 60 * NANOSECONDS
    max_gap: int = 0
    chatter_count: int = 6
    chatter_window: int = 600 * NANOSECONDS

    @property
    def clear(self) -> float:
        """At or below this the alarm may clear."""
        return self.threshold - self.hysteresis * abs(self.threshold)

    def of(self, rows: Rows) -> tuple[float | F64, float | F64]:
        """Above the first the alarm of a row comes, at or below the second it goes."""
        if rows.threshold is None:
            return self.threshold, self.clear
        clear: F64 = rows.threshold - self.hysteresis * np.abs(rows.threshold)
        return rows.threshold, clear


@dataclass(frozen=True, slots=True)
class Rows:
    """What is judged: n rows; a score that is not a number never is.

    Attributes:
        asset: int32[n] position of the asset.
        at: int64[n] time of the row, ns; ascending within an asset.
        score: float64[n].
        verdict: bool[n] false where the score may not be judged.
        threshold: float64[n] each row's own; None for that of the limits.
        suppressed: bool[n] the alarm is not wanted, by design; None for none.
    """

    asset: I32
    at: I64
    score: F64
    verdict: Bools
    threshold: F64 | None = None
    suppressed: Bools | None = None

    def __len__(self) -> int:
        """Count rows."""
        return len(self.asset)

    def take(self, select: I64) -> Rows:
        """Rows by position."""
        return Rows(
            self.asset[select],
            self.at[select],
            self.score[select],
            self.verdict[select],
            None if self.threshold is None else self.threshold[select],
            None if self.suppressed is None else self.suppressed[select],
        )
