"""ADWIN: a window over a stream that drops its older part when the newer one differs.

Bifet and Gavalda 2007, with the bound of the variance. The window is kept in buckets of
1, 2, 4, ... numbers, five of each size at most: 5 log2(n) buckets for n numbers. Every
``clock`` numbers each border between buckets is tried as a cut: it is one where the
means of both sides differ by more than chance allows with confidence ``delta``.

The bound is for numbers that come independently and lie within a range of about 1:
divide by the spread of the signal (``scale``), and do not feed rows that hang together
one by one, but e.g. their mean a minute.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.statistics.streams import checked, usable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.statistics.streams import Arrays
    from edge_agent.samples import F64, I64

    Bucket = tuple[float, float]

MOST_BUCKETS = 5
_LEVELS = 40
"""A window of 2^40 numbers is a second's for 35,000 years."""


@dataclass(frozen=True, slots=True)
class Window:
    """Numbers since the last change, summed up.

    Attributes:
        levels: buckets of 2^level numbers each, oldest first: total, and sum of the
            squares about its mean.
        width: numbers in it.
        total: of them.
        square: sum of their squares about the mean.
        tick: numbers seen.
    """

    levels: tuple[tuple[Bucket, ...], ...] = ((),)
    width: int = 0
    total: float = 0.0
    square: float = 0.0
    tick: int = 0


@dataclass(frozen=True, slots=True)
class Adwin:
    """ADWIN as river 0.26 has it: the same places of change.

    A cut into n0 older and n1 newer numbers is a change where their means differ by
    more than sqrt(2 m v d) + 2/3 d m, with d = ln(2 ln(width) / delta),
    m = 1 / (n0 - fewest + 1) + 1 / (n1 - fewest + 1) and v the variance of the window.
    At a change its oldest buckets go until no cut is one; with the next number the
    window starts anew.

    Attributes:
        scale: numbers are divided by it; see the module.
        delta: chance of a change where there is none, in the sense of the bound.
        clock: numbers from look to look.
        fewest: numbers on either side of a cut.
        grace: numbers before the first look.
        window: state.
        kept: numbers the window kept at the last change: it began so many ago, about.
        changes: seen since the beginning.
        dropped: numbers left out because they were not finite.
    """

    scale: float = 1.0
    delta: float = 0.002
    clock: int = 32
    fewest: int = 5
    grace: int = 10
    window: Window = Window()
    kept: int = 0
    changes: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        if not self.scale > 0.0:
            raise ValueError(f"scale is {self.scale}, it must be above 0")
        if not 0.0 < self.delta < 1.0 or min(self.clock, self.fewest) < 1:
            raise ValueError(
                "delta must be between 0 and 1, clock and fewest 1 or more"
            )

    @property
    def mean(self) -> float:
        """Of the window, in the unit of the numbers; NaN while it is empty."""
        window = self.window
        return window.total / window.width * self.scale if window.width else np.nan

    def update(self, values: F64) -> tuple[Adwin, I64]:
        """Behind some more numbers, float64[n]; and int64[k] where it saw a change."""
        numbers, places = usable(values, self.scale)
        draft, kept, found = _Draft(self.window), self.kept, []
        for place, x in enumerate(numbers):
            draft.add(x)
            looks = draft.tick % self.clock == 0 and draft.width > self.grace
            if looks and self._cut(draft):
                found.append(place)
                draft.drop()
                while self._cut(draft):
                    draft.drop()
                kept, draft = draft.width, _Draft(Window())
        after = replace(
            self,
            window=draft.frozen(),
            kept=kept,
            changes=self.changes + len(found),
            dropped=self.dropped + len(values) - len(numbers),
        )
        return after, places[found]

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """Its state, for a checkpoint; not its settings."""
        w = self.window
        buckets = [bucket for level in w.levels for bucket in level]
        counts = [w.width, w.tick, self.kept, self.changes, self.dropped]
        return {
            "levels": np.array([len(level) for level in w.levels], np.int64),
            "buckets": np.array(buckets, np.float64).ravel(),
            "sums": np.array([w.total, w.square], np.float64),
            "counts": np.array(counts, np.int64),
        }

    def restored(self, arrays: Arrays) -> Adwin:
        """With these settings and the state of a checkpoint.

        Raises:
            KeyError: an array is missing.
            ValueError: one is not what `saved` gives.
        """
        counts = [int(count) for count in checked(arrays, "counts", np.int64, 5)]
        width, tick, kept, changes, dropped = counts
        sizes = [int(size) for size in checked(arrays, "levels", np.int64, -1)]
        held = sum(size << level for level, size in enumerate(sizes))
        fit = all(0 <= size <= MOST_BUCKETS for size in sizes)
        if not 1 <= len(sizes) <= _LEVELS or not fit or held != width:
            raise ValueError("the buckets do not make the window")
        if min(counts) < 0:
            raise ValueError("counts are below 0")
        rest = iter(checked(arrays, "buckets", np.float64, 2 * sum(sizes)))
        levels = tuple(
            tuple((next(rest), next(rest)) for _ in range(size)) for size in sizes
        )
        total, square = checked(arrays, "sums", np.float64, 2)
        window = Window(levels, width, total, square, tick)
        return replace(self, window=window, kept=kept, changes=changes, dropped=dropped)

    def _cut(self, draft: _Draft) -> bool:
        """Whether any cut of the window is a change."""
        sizes, totals = draft.buckets()
        n0, u0 = np.cumsum(sizes), np.cumsum(totals)
        n1 = draft.width - n0
        # one by one from the whole, as river does: not the whole less the sum
        u1 = np.subtract.accumulate(np.concatenate([[draft.total], totals]))[1:]
        tried = (n0 >= self.fewest) & (n1 >= self.fewest)
        variance = draft.square / draft.width
        if not tried.any() or variance < 0.0:  # what rounding leaves of none at all
            return False
        n0, n1, u0, u1 = n0[tried], n1[tried], u0[tried], u1[tried]
        d = log(2.0 * log(draft.width) / self.delta)
        m = 1.0 / (n0 - self.fewest + 1) + 1.0 / (n1 - self.fewest + 1)
        chance = np.sqrt(2.0 * m * variance * d) + 2.0 / 3.0 * d * m
        return bool((np.abs(u0 / n0 - u1 / n1) > chance).any())


class _Draft:
    """A window while numbers are added to it."""

    def __init__(self, window: Window) -> None:
        self._levels = [list(level) for level in window.levels]
        self.width, self.tick = window.width, window.tick
        self.total, self.square = window.total, window.square

    def frozen(self) -> Window:
        levels = tuple(tuple(level) for level in self._levels)
        return Window(levels, self.width, self.total, self.square, self.tick)

    def add(self, x: float) -> None:
        self.tick += 1
        self.width += 1
        before = self.width - 1
        if before:
            away = x - self.total / before
            self.square += before * away * away / self.width
        self.total += x
        self._levels[0].append((x, 0.0))
        self._compress()

    def drop(self) -> None:
        """Forget the oldest bucket."""
        level = len(self._levels) - 1
        size = 1 << level
        total, square = self._levels[level].pop(0)
        self.width -= size
        self.total -= total
        away = total / size - self.total / self.width
        self.square -= square + size * self.width * away * away / (size + self.width)
        if not self._levels[level]:
            self._levels.pop()

    def buckets(self) -> tuple[F64, F64]:
        """Their sizes and totals, oldest first."""
        sizes, totals = [], []
        for level in range(len(self._levels) - 1, -1, -1):
            sizes += [float(1 << level)] * len(self._levels[level])
            totals += [total for total, _ in self._levels[level]]
        return np.array(sizes), np.array(totals)

    def _compress(self) -> None:
        """Make one of the two oldest buckets wherever a level has too many."""
        for level, buckets in enumerate(self._levels):
            if len(buckets) <= MOST_BUCKETS:
                return
            size = float(1 << level)
            (total, square), (other, more) = buckets[:2]
            del buckets[:2]
            away = total / size - other / size
            both = (
                total + other,
                square + more + size * size * away * away / (2 * size),
            )
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(both)
