"""The rung below the model: is a value outside what the model was trained on?

When no model can score, the passport still says of each feature between which values
it lay in training, and the plant what its instruments can show. With the trained
range [low, high] of a feature, its margin is

    m = 10 % of (high - low), but at least a millionth of max(|low|, |high|, 1)

and a value x exceeds it by

    e = max(0, (x - high) / m, (low - x) / m)

so that 0 is inside and 1 is one margin outside. A value that no working instrument
shows, outside the engineering range, counts as at least 2; nothing counts as more than
1e30. The score of a row is its
largest e, its contributions are the e of all features, and more than 1 is an alarm.

It sees single values, not how they fit together: a worse judge than any model, but one
that cannot fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.records import NoScore
from edge_agent.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64

    F32 = NDArray[np.float32]

#: Above it a row is an alarm: more than one margin outside the trained range.
THRESHOLD = 1.0
#: What a value outside its engineering range counts at least.
IMPOSSIBLE = 2.0
_MARGIN = 0.1
_LEAST = 1e-6
_TINY = 1e-40
_MOST = 1e30
"""Fits float32."""
_BEYOND = 1e39
"""No float32 is so large."""
_LEVELS = frozenset({"last", "first", "mean", "min", "max"})
"""Aggregates that lie where the tag's values do; rms does not, of negative ones."""


@dataclass(frozen=True, slots=True, eq=False)
class LimitRule:
    """Judges rows by the ranges of their features; a `pipeline.Scorer`.

    Attributes:
        low, high: float64[features], lowest and highest value in training.
        least, most: float64[features], engineering range; infinite where there is
            none, or where a feature is not in its tag's unit.
        threshold: of the scores.
    """

    low: F64
    high: F64
    least: F64
    most: F64
    threshold: float = THRESHOLD

    @staticmethod
    def of(
        trained: Sequence[tuple[float, float]],
        aggregates: Sequence[str],
        engineering: Sequence[tuple[float, float]],
    ) -> LimitRule:
        """The rule of a model.

        Args:
            trained: each feature's range in training, as the passport says.
            aggregates: each feature's. Last, first, mean, min and max lie within the
                instrument's range; of a std, age or slope only the trained one counts.
            engineering: range of each feature's tag; (-inf, inf) for none.

        Raises:
            ValueError: not one of each for every feature.
        """
        if not len(trained) == len(aggregates) == len(engineering):
            raise ValueError(
                f"{len(trained)} trained ranges, {len(aggregates)} aggregates, "
                f"{len(engineering)} engineering ranges: every feature has one of each"
            )
        inside = np.array(trained, np.float64).reshape(-1, 2)
        possible = np.array(engineering, np.float64).reshape(-1, 2)
        level = np.array([a in _LEVELS for a in aggregates], bool)
        # rows are float32: an instrument at its end, rounded up, is not beyond it
        least, most = np.clip(possible, -_BEYOND, _BEYOND).T
        slack = [_LEAST * np.abs(end) + _TINY for end in (least, most)]
        return LimitRule(
            inside[:, 0],
            inside[:, 1],
            np.where(level, least - slack[0], -np.inf),
            np.where(level, most + slack[1], np.inf),
        )

    def score(self, values: F32) -> Scores:
        """How far the worst feature of each row is outside, in margins.

        Args:
            values: float32[n, features]; a row with a number missing has no score.
        """
        whole = np.isfinite(values).all(axis=1)
        beyond = self._exceedances(values.astype(np.float64))
        beyond[~whole] = 0.0
        worst = beyond.max(axis=1, initial=0.0)
        return Scores(
            np.where(whole, worst, np.nan),
            np.where(whole, NoScore.NONE, NoScore.INPUT_MISSING).astype(np.uint8),
            beyond.astype(np.float32),
        )

    def _exceedances(self, values: F64) -> F64:
        """float64[n, features]; any number where the value is none."""
        size = np.maximum(np.maximum(np.abs(self.low), np.abs(self.high)), 1.0)
        # in this form it cannot overflow
        margin = np.maximum(_MARGIN * self.high - _MARGIN * self.low, _LEAST * size)
        outside = np.maximum(values - self.high, self.low - values) / margin
        impossible = (values < self.least) | (values > self.most)
        beyond: F64 = np.maximum(outside, np.where(impossible, IMPOSSIBLE, 0.0))
        return np.minimum(beyond, _MOST)
