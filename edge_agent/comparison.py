"""Two models on the same rows, summed up: does the newer one say the same? Pure.

Of constant size however long it goes on, and exact when cut: the sums of two halves
are those of the whole. *New* is the version that shall take over (or just has), *old*
the one it is held against. Both are read at their own threshold: scores of two models
need not have the same scale, verdicts do.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.samples import F64

#: Ns between two turns that count as watching at most: a stop of the agent, or of the
#: machine, is not watched; but parts that come twice an hour must count as something.
LONGEST_PAUSE = 600_000_000_000


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What one model said of n rows.

    Attributes:
        score: float64[n], NaN where there is none.
        threshold: its own, one for all rows or float64[n].
        took: ns the call needed.
    """

    score: F64
    threshold: float | F64
    took: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sums over all rows so far.

    Attributes:
        rows: both gave a score.
        alarm_both, alarm_new, alarm_old: above their thresholds: both, only one.
        lost_new, lost_old: rows the one had no score for though the other had.
        x, y, xx, yy, xy: sums of the scores (x of the new model), centred on the first
            row's, which ``cx`` and ``cy`` are: squares of large scores lose no digits.
        took_new, took_old: ns of all calls; ``slowest_new`` of the longest.
        calls: how many.
        since, until: agent time of the first and the last turn.
        watched: ns between turns; of a long pause only its beginning.
    """

    rows: int = 0
    alarm_both: int = 0
    alarm_new: int = 0
    alarm_old: int = 0
    lost_new: int = 0
    lost_old: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0
    cx: float = 0.0
    cy: float = 0.0
    took_new: int = 0
    took_old: int = 0
    slowest_new: int = 0
    calls: int = 0
    since: int = 0
    until: int = 0
    watched: int = 0

    def plus(self, new: Verdicts, old: Verdicts, now: int) -> Comparison:
        """With the rows of one more turn.

        Args:
            new: what the new model said of n rows.
            old: what the old one said of the same.
            now: agent time of the turn.
        """
        there, here = np.isfinite(new.score), np.isfinite(old.score)
        both = there & here
        x, y = new.score[both], old.score[both]
        cx, cy = self.cx, self.cy
        if not self.rows and len(x):
            cx, cy = float(x[0]), float(y[0])
        above_new, above_old = ((one.score > one.threshold)[both] for one in (new, old))
        x, y = x - cx, y - cy
        pause = now - self.until if self.calls else 0
        return Comparison(
            rows=self.rows + len(x),
            alarm_both=self.alarm_both + _count(above_new & above_old),
            alarm_new=self.alarm_new + _count(above_new & ~above_old),
            alarm_old=self.alarm_old + _count(above_old & ~above_new),
            lost_new=self.lost_new + _count(here & ~there),
            lost_old=self.lost_old + _count(there & ~here),
            x=self.x + float(x.sum()),
            y=self.y + float(y.sum()),
            xx=self.xx + float(x @ x),
            yy=self.yy + float(y @ y),
            xy=self.xy + float(x @ y),
            cx=cx,
            cy=cy,
            took_new=self.took_new + new.took,
            took_old=self.took_old + old.took,
            slowest_new=max(self.slowest_new, new.took),
            calls=self.calls + 1,
            since=self.since if self.calls else now,
            until=now,
            watched=self.watched + min(max(pause, 0), LONGEST_PAUSE),
        )

    @property
    def disagreement(self) -> float:
        """Share of the rows over which the two differ about an alarm; 0 before any."""
        return (self.alarm_new + self.alarm_old) / self.rows if self.rows else 0.0

    @property
    def correlation(self) -> float:
        """Pearson's, of the scores; NaN where one of them never moved."""
        if not self.rows:
            return float("nan")
        count = self.rows
        xx, yy = self.xx - self.x**2 / count, self.yy - self.y**2 / count
        if not self.moved_new or not self.moved_old:
            return float("nan")
        found = (self.xy - self.x * self.y / count) / sqrt(xx * yy)
        return min(max(found, -1.0), 1.0)

    @property
    def moved_new(self) -> bool:
        """The new model's score has not always been the same."""
        return self._moved(self.x, self.xx)

    @property
    def moved_old(self) -> bool:
        """The old model's score has not always been the same."""
        return self._moved(self.y, self.yy)

    @property
    def alarms(self) -> tuple[float, float]:
        """Share of rows above the threshold: new, old; 0 before any."""
        if not self.rows:
            return 0.0, 0.0
        both = self.alarm_both
        return (both + self.alarm_new) / self.rows, (both + self.alarm_old) / self.rows

    def _moved(self, total: float, squares: float) -> bool:
        spread = squares - total**2 / self.rows if self.rows else 0.0
        return spread > 1e-12 * max(squares, 1e-300)

    def told(self) -> dict[str, float]:
        """For records and the status: plain numbers, no NaN."""
        new, old = self.alarms
        calls = max(self.calls, 1)
        correlation = self.correlation
        return {
            "rows": self.rows,
            "hours": round(self.watched / 3.6e12, 3),
            "disagreement": round(self.disagreement, 5),
            "correlation": round(correlation, 4) if correlation == correlation else 0.0,  # noqa: PLR0124
            "alarm_share_new": round(new, 5),
            "alarm_share_old": round(old, 5),
            "rows_without_new": self.lost_new,
            "rows_without_old": self.lost_old,
            "call_us_new": round(self.took_new / calls / 1000, 1),
            "call_us_old": round(self.took_old / calls / 1000, 1),
            "slowest_us_new": round(self.slowest_new / 1000, 1),
        }

    def saved(self) -> tuple[float, ...]:
        """For a checkpoint."""
        return astuple(self)

    @staticmethod
    def restored(numbers: Sequence[float]) -> Comparison:
        """From a checkpoint.

        Raises:
            ValueError: not as many numbers as it has.
        """
        names = [field.name for field in fields(Comparison)]
        return Comparison(**dict(zip(names, numbers, strict=True)))  # type: ignore[arg-type]


def _count(which: np.ndarray) -> int:
    return int(np.count_nonzero(which))
