"""Page-Hinkley: a sum of how far numbers are from their mean so far, both ways.

Its ``delta`` and ``threshold`` are in the unit of the numbers, and the defaults made
for errors between 0 and 1. On a raw signal they mean nothing: river's defaults see 946
changes in 36,733 hours of NOx in mg/m3, one as soon as they may say anything. So divide
by the spread the signal has when all is well (``scale``, e.g. the reference's standard
deviation; 1 for errors and probabilities).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.statistics.streams import checked, usable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.statistics.streams import Arrays
    from edge_agent.samples import F64, I64


class Way(StrEnum):
    """Which changes count."""

    BOTH = "both"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Sums:
    """Since the last change.

    Attributes:
        n: numbers.
        mean: of them.
        up, down: what they were above it, what they were below it, fading.
        up_least, down_most: the extremes of these.
    """

    n: int = 0
    mean: float = 0.0
    up: float = 0.0
    down: float = 0.0
    up_least: float = inf
    down_most: float = -inf


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Page-Hinkley test as river 0.26 has it: the same places of change.

    With each number x the mean takes x in first; then
    up = alpha up + (x - mean) - delta and down = alpha down + (x - mean) + delta.
    A change is up - min(up) > threshold or max(down) - down > threshold from the
    ``fewest``-th number on; behind it all starts anew.

    Attributes:
        scale: numbers are divided by it; see the module.
        delta: what is no change, per number, in scales.
        threshold: sum that is one, in scales.
        alpha: what is left of the sums from number to number.
        fewest: numbers before anything is said.
        way: which changes count.
        sums: state.
        changes: seen since the beginning.
        dropped: numbers left out because they were not finite.
    """

    scale: float = 1.0
    delta: float = 0.005
    threshold: float = 50.0
    alpha: float = 1.0 - 0.0001
    fewest: int = 30
    way: Way = Way.BOTH
    sums: Sums = Sums()
    changes: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        if not self.scale > 0.0:
            raise ValueError(f"scale is {self.scale}, it must be above 0")

    @property
    def mean(self) -> float:
        """Of the numbers since the last change, in their own unit."""
        return self.sums.mean * self.scale

    def update(self, values: F64) -> tuple[PageHinkley, I64]:
        """Behind some more numbers, float64[n]; and int64[k] where it saw a change."""
        numbers, places = usable(values, self.scale)
        sums, found = self.sums, []
        for place, x in enumerate(numbers):
            sums = self._behind(sums, x)
            if self._changed(sums):
                found.append(place)
                sums = Sums()
        after = replace(
            self,
            sums=sums,
            changes=self.changes + len(found),
            dropped=self.dropped + len(values) - len(numbers),
        )
        return after, places[found]

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """Its state, for a checkpoint; not its settings."""
        s = self.sums
        # least and most are infinite before the first number
        known = (s.mean, s.up, s.down, s.up_least, s.down_most) if s.n else ()
        return {
            "sums": np.array(known, np.float64),
            "counts": np.array([s.n, self.changes, self.dropped], np.int64),
        }

    def restored(self, arrays: Arrays) -> PageHinkley:
        """With these settings and the state of a checkpoint.

        Raises:
            KeyError: an array is missing.
            ValueError: one is not what `saved` gives.
        """
        n, changes, dropped = map(int, checked(arrays, "counts", np.int64, 3))
        if min(n, changes, dropped) < 0:
            raise ValueError("counts are below 0")
        known = checked(arrays, "sums", np.float64, 5 if n else 0)
        sums = Sums(n, *known)
        return replace(self, sums=sums, changes=changes, dropped=dropped)

    def _behind(self, sums: Sums, x: float) -> Sums:
        n = sums.n + 1
        # in this order, as river does: the last bit decides now and then
        mean = sums.mean + (1.0 / n) * (x - sums.mean)
        away = x - mean
        up = self.alpha * sums.up + away - self.delta
        down = self.alpha * sums.down + away + self.delta
        least, most = min(sums.up_least, up), max(sums.down_most, down)
        return Sums(n, mean, up, down, least, most)

    def _changed(self, sums: Sums) -> bool:
        if sums.n < self.fewest:
            return False
        risen = sums.up - sums.up_least > self.threshold
        fallen = sums.down_most - sums.down > self.threshold
        return (risen and self.way != Way.DOWN) or (fallen and self.way != Way.UP)
