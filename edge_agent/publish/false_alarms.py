"""False alarms that were counted, and what the count can show."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, lgamma, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from edge_agent.alarms import Limits
    from edge_agent.samples import I32, I64

WEEK = 168.0
"""Hours."""
_CONFIDENCE = 0.95
_NOTHING = 1e-17
_LONGEST_GAP = 5


@dataclass(frozen=True, slots=True)
class Counted:
    """False alarms at a threshold.

    Attributes:
        threshold: of the alarm.
        episodes: alarms that came.
        asset_hours: hours looked at, of all assets together.
        budget: wanted, an asset and week.
        extrapolated: the threshold lies beyond what the data itself asked for.
    """

    threshold: float
    episodes: int
    asset_hours: float
    budget: float
    extrapolated: bool = False

    @property
    def seen(self) -> float:
        """Alarms an asset and week."""
        return self.episodes / (self.asset_hours / WEEK)

    @property
    def at_most(self) -> float:
        """With 95 % confidence the rate is not above this."""
        return poisson_upper(self.episodes) / (self.asset_hours / WEEK)

    @property
    def hours_needed(self) -> float:
        """Hours without an alarm that would show the budget."""
        return poisson_upper(0) / self.budget * WEEK

    def note(self, limits: Limits) -> str:
        """How it was counted, and what so much data cannot show."""
        delay = limits.on_delay / NANOSECONDS
        said = f"Counted as alarms with an on-delay of {delay:g} s."
        if self.extrapolated:
            said += " The threshold is extrapolated from the highest peaks."
        if self.asset_hours < self.hours_needed:
            said += (
                f" {self.asset_hours:.0f} asset hours are too short to show "
                f"{self.budget:g} a week: the rate may be up to {self.at_most:.2g} "
                f"(95 %); {ceil(self.hours_needed)} hours without an alarm would."
            )
        return said


def asset_hours(asset: I32, at: I64) -> float:
    """Hours of all assets together; a gap counts as five usual periods at most."""
    order = np.lexsort((at, asset))
    steps = np.diff(at[order])
    same = np.diff(asset[order]) == 0
    steps = steps[same]
    if not len(steps):
        return 1.0 / 3600.0
    usual = float(np.median(steps))
    total = float(np.minimum(steps, _LONGEST_GAP * usual).sum())
    assets = len(np.unique(asset))
    hours: float = (total + assets * usual) / NANOSECONDS / 3600.0
    return max(hours, 1.0 / 3600.0)


def poisson_upper(events: int) -> float:
    """The mean that gives so few events only once in twenty times."""
    low, high = float(events), events + 10.0 * sqrt(events + 1.0) + 10.0
    for _ in range(60):
        middle = (low + high) / 2
        if _poisson_cdf(events, middle) > 1 - _CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _poisson_cdf(events: int, mean: float) -> float:
    """Chance of so many events or fewer; from the likeliest term downwards."""
    total = 0.0
    for number in range(events, -1, -1):
        term = exp(number * log(mean) - mean - lgamma(number + 1))
        total += term
        if term < _NOTHING * total:
            break
    return total
