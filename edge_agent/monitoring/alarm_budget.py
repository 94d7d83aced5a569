"""False alarms against what people will put up with.

False is what an operator rejected. What was not answered counts as much as the answered
ones were rejected; whether the budget is exceeded beyond chance is judged by rejections
alone. Alarms come in bursts: how much they do, from day to day and asset to asset,
widens the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.intervals import CONFIDENCE, poisson
from edge_agent.monitoring.conditions import Condition, What
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.monitoring.suggestion import Suggestion
    from edge_agent.samples import F64, I32, I64

_DAY = 86_400 * NANOSECONDS


class Verdict(IntEnum):
    """What became of an alarm."""

    UNANSWERED = -1
    REJECTED = 0
    CONFIRMED = 1
    MISSED = 2
    """There was a fault and no alarm."""


@dataclass(frozen=True, slots=True, eq=False)
class AlarmRecords:
    """n alarms, and faults that gave none.

    Attributes:
        asset: int32[n].
        at: int64[n] agent time it came, ns.
        peak: float64[n], the highest threshold at which it would have come too, from
            `exceedances.Ended` or `exceedances.Levels`; of a missed fault the one at
            which it would have; NaN where it is not known.
        verdict: int8[n] `Verdict`.
    """

    asset: I32
    at: I64
    peak: F64
    verdict: NDArray[np.int8]

    def since(self, at: int) -> AlarmRecords:
        """The newer ones."""
        new = self.at >= at
        return AlarmRecords(
            self.asset[new], self.at[new], self.peak[new], self.verdict[new]
        )

    def count(self, verdict: Verdict) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.verdict == verdict))


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """How many there were.

    Attributes:
        rejected, confirmed, unanswered: alarms.
        weeks: asset-weeks observed.
        budget: an asset and week.
        likely: false alarms an asset and week, the unanswered ones shared out.
        low, high: of those rejected, an asset and week.
        bursts: how many times more they vary than single events would; at least 1.
        worst: place of the asset that was rejected most; -1 for none.
        worst_rejected: of its alarms.
    """

    rejected: int
    confirmed: int
    unanswered: int
    weeks: float
    budget: float
    likely: float
    low: float
    high: float
    bursts: float
    worst: int
    worst_rejected: int

    @property
    def over(self) -> bool:
        """More than the budget, beyond chance, by rejections alone."""
        return self.low > self.budget

    def sentence(self, assets: Sequence[str] = ()) -> str:
        """What was counted, for the operator."""
        answered = self.rejected + self.confirmed
        said = (
            f"{self.rejected} of {answered} answered alarms were rejected in "
            f"{self.weeks:.3g} asset-weeks: {self.rejected / self.weeks:.2g} an asset "
            f"and week (95 %: {self.low:.2g} to {self.high:.2g}), budget "
            f"{self.budget:g}."
        )
        if self.unanswered:
            said += f" {self.unanswered} more were not answered."
        if 0 <= self.worst < len(assets) and self.worst_rejected > self.rejected / 2:
            said += f" {self.worst_rejected} of them came from {assets[self.worst]}."
        return said

    def condition(
        self, suggestion: Suggestion | None = None, assets: Sequence[str] = ()
    ) -> Condition | None:
        """The finding, where there are too many beyond chance."""
        if not self.over:
            return None
        action = "Look at why they came; the model may have to be trained anew."
        if suggestion is not None and suggestion.changes:
            action = f"{suggestion.sentence} {action}"
        evidence: dict[str, float | int | str] = {
            "rejected": self.rejected,
            "confirmed": self.confirmed,
            "unanswered": self.unanswered,
            "asset_weeks": self.weeks,
            "budget": self.budget,
            "low": self.low,
            "high": self.high,
        }
        if suggestion is not None:
            evidence["suggested"] = suggestion.threshold
        strength = self.rejected / self.weeks / self.budget
        return Condition(
            *(What.FALSE_ALARMS, strength, self.sentence(assets), action),
            evidence=evidence,
        )


def counted(
    records: AlarmRecords, weeks: float, budget: float, confidence: float = CONFIDENCE
) -> FalseAlarms | None:
    """Count what operators said of the alarms.

    Args:
        records: alarms of the time observed.
        weeks: asset-weeks of it; None is given back without any.
        budget: an asset and week.
        confidence: of the interval.
    """
    if weeks <= 0:
        return None
    rejected, confirmed = (
        records.count(verdict) for verdict in (Verdict.REJECTED, Verdict.CONFIRMED)
    )
    unanswered = records.count(Verdict.UNANSWERED)
    wrong = records.verdict == Verdict.REJECTED
    bursts = _bursts(records.asset[wrong], records.at[wrong], weeks)
    low, high = poisson(rejected / bursts, weeks / bursts, confidence)
    by_asset = np.bincount(records.asset[wrong]) if rejected else np.zeros(1, np.int64)
    worst = int(by_asset.argmax()) if rejected else -1
    likely = (rejected + unanswered * false_share(rejected, confirmed)) / weeks
    return FalseAlarms(
        *(rejected, confirmed, unanswered, weeks, budget, likely),
        *(float(low), float(high), bursts, worst, int(by_asset.max())),
    )


def _bursts(asset: I32, at: I64, weeks: float) -> float:
    """Variance over mean of alarms an asset and day; at least 1."""
    days = weeks * 7.0
    if len(at) < 2 or days < 2:  # noqa: PLR2004
        return 1.0
    day = at // _DAY
    key = (day - day.min()) * (int(asset.max()) + 1) + asset
    counts = np.unique(key, return_counts=True)[1]
    mean = len(at) / days
    squares = (
        float(np.square(counts - mean).sum()) + max(days - len(counts), 0) * mean**2
    )
    return max(squares / (days - 1) / mean, 1.0)


def false_share(rejected: int, confirmed: int) -> float:
    """What an unanswered alarm counts: all of it before any answer."""
    answered = rejected + confirmed
    return rejected / answered if answered else 1.0
