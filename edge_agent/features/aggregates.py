"""The formulas.

Two kinds of tag, one meaning: the number a regular sampling at ``rate`` gives.

**Reports every value.** The values v_k with stamps t_k in ``(at - W, at]``, each
counted once: w_k = 1.

**Reports changes only.** A value is in force from its stamp until the next one; it
is what sampling it every dt = 1/rate would have given, a sample standing for the dt
that follows it. So w_k is the time, in seconds, that v_k is in force within
``[at - W + dt, at + dt)``, the newest value lasting to the end. The value before the
window is in force until the first one in it. No value between two sampling instants
is lost, and jitter of a stamp weighs as much as it is long. For stamps on the
sampling grid every formula below equals that of the full samples.

==========  ==================================================================
mean        m = sum(w v) / sum(w)
std         sqrt(sum(w (v - m)^2) / sum(w)), of the population, in two passes
rms         sqrt(sum(w v^2) / sum(w))
min, max    over values with w > 0; range is their difference
first       the earliest value with w > 0; delta is the latest minus it
slope       units per second, least squares: sum(w (c - c0) (v - m)) / D, where
            c is a value's stamp (the middle of its time in force), c0 their
            weighted mean and D = sum(w (c - c0)^2), for changes only plus
            sum(w^3) / 12 - sum(w) dt^2 / 12
count       values with a stamp in ``(at - W, at]``
last, age   the newest value, and seconds since it was known to hold
==========  ==================================================================

Sums run in order of time, one column beside the other, so a result does not depend
on which other columns are computed with it. What lies outside a window is 0.0 in every
sum, which changes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.features.scratch import Scratch
    from edge_agent.features.window import Mask
    from edge_agent.samples import F64


_LEAST_SPREAD = 1e-15
"""Seconds squared: stamps less than some 30 ns apart have no slope."""


def total(table: F64) -> F64:
    """Sum down the columns of ``k x n``, in order.

    NumPy adds row by row as long as there is more than one column; a single column
    it would add in pairs, with another rounding.
    """
    alone = table.shape[1] == 1
    wide = np.repeat(table, 2, axis=1) if alone else table
    summed: F64 = np.add.reduce(wide, axis=0) + 0.0
    return summed[:1] if alone else summed


def _ratio(up: F64, down: F64) -> F64:
    nothing = np.full_like(up, np.nan)
    return np.divide(up, down, out=nothing, where=down > _LEAST_SPREAD)


@dataclass
class EvenSpan:
    """Every value counts once.

    Attributes:
        values: float64[k, n], a column's values from row 0 on, 0.0 behind them.
        count: float64[n] how many each column has.
        whole: rows in which every column has a value.
        inside: bool[k - whole, n] which columns still have one in the rows behind;
            None where there are no such rows.
        scratch: memory for what is between.
        centre: float64[k, n] seconds from the row's time, for slope only.
    """

    values: F64
    count: F64
    whole: int
    inside: Mask | None
    scratch: Scratch
    centre: F64 | None = None

    @cached_property
    def _number(self) -> F64:
        if self.whole:
            return self.count
        return np.where(self.count > 0, self.count, np.nan)

    @cached_property
    def mean(self) -> F64:
        """Mean."""
        return total(self.values) / self._number

    @cached_property
    def deviation(self) -> F64:
        """Values less their mean."""
        away = self.scratch.table("away", *self.values.shape)
        return self._cleared(np.subtract(self.values, self.mean, out=away))

    @cached_property
    def std(self) -> F64:
        """Standard deviation of the population."""
        return np.sqrt(total(self._square(self.deviation)) / self._number)

    @cached_property
    def rms(self) -> F64:
        """Root mean square."""
        return np.sqrt(total(self._square(self.values)) / self._number)

    @cached_property
    def min(self) -> F64:
        """Least value."""
        return self._extreme(np.minimum, np.inf)

    @cached_property
    def max(self) -> F64:
        """Greatest value."""
        return self._extreme(np.maximum, -np.inf)

    @property
    def first(self) -> F64:
        """Earliest value."""
        return np.where(self.count > 0, self.values[0], np.nan)

    @property
    def delta(self) -> F64:
        """Latest value less the earliest."""
        newest = np.maximum(self.count.astype(np.int64) - 1, 0)[None, :]
        latest: F64 = np.take_along_axis(self.values, newest, axis=0)[0]
        return latest - self.first

    @property
    def slope(self) -> F64:
        """Units per second, least squares."""
        centre = self._cleared(_given(self.centre))
        away = self._cleared(centre - total(centre) / self._number)
        product = self.scratch.table("square", *away.shape)
        up = total(np.multiply(away, self.deviation, out=product))
        return _ratio(up, total(np.multiply(away, away, out=product)))

    def _square(self, table: F64) -> F64:
        square = self.scratch.table("square", *table.shape)
        return np.multiply(table, table, out=square)

    def _cleared(self, table: F64) -> F64:
        if self.inside is not None:
            table[self.whole :][~self.inside] = 0.0
        return table

    def _extreme(self, pick: np.ufunc, filler: float) -> F64:
        found: F64 = pick.reduce(self.values[: self.whole], axis=0, initial=filler)
        if self.inside is not None:
            behind = np.where(self.inside, self.values[self.whole :], filler)
            found = pick(found, pick.reduce(behind, axis=0))
        return np.where(self.count > 0, found, np.nan)


@dataclass
class WeightedSpan:
    """Every value counts by its weight.

    Attributes:
        values: float64[k, n], 0.0 where the weight is.
        weight: float64[k, n] seconds in force, or 1.0 and 0.0.
        count: float64[n] values with a stamp in the window.
        centre: float64[k, n] seconds from the row's time, for slope only.
        scratch: memory for what is between.
        period: dt in seconds of tags that report changes only, else None.
    """

    values: F64
    weight: F64
    count: F64
    scratch: Scratch
    centre: F64 | None = None
    period: float | None = None

    @cached_property
    def counts(self) -> Mask:
        """Where a value has weight."""
        return self.weight > 0

    @cached_property
    def mass(self) -> F64:
        """Sum of the weights; NaN where there is none."""
        mass = total(self.weight)
        return np.where(mass > 0, mass, np.nan)

    @cached_property
    def mean(self) -> F64:
        """Weighted mean."""
        return self._mean_of(self.values)

    @cached_property
    def deviation(self) -> F64:
        """Values less their mean."""
        away = self.scratch.table("away", *self.values.shape)
        return np.subtract(self.values, self.mean, out=away)

    @cached_property
    def std(self) -> F64:
        """Root of the weighted mean square deviation."""
        return np.sqrt(self._mean_of(self.deviation, self.deviation))

    @cached_property
    def rms(self) -> F64:
        """Root of the weighted mean square."""
        return np.sqrt(self._mean_of(self.values, self.values))

    @cached_property
    def min(self) -> F64:
        """Least value that counts."""
        least = np.minimum.reduce(np.where(self.counts, self.values, np.inf), axis=0)
        return np.where(self.mass > 0, least, np.nan)

    @cached_property
    def max(self) -> F64:
        """Greatest value that counts."""
        most = np.maximum.reduce(np.where(self.counts, self.values, -np.inf), axis=0)
        return np.where(self.mass > 0, most, np.nan)

    @cached_property
    def first(self) -> F64:
        """Earliest value that counts."""
        return self._picked(np.argmax(self.counts, axis=0))

    @property
    def delta(self) -> F64:
        """Latest value that counts less the earliest."""
        back = np.argmax(self.counts[::-1], axis=0)
        return self._picked(len(self.values) - 1 - back) - self.first

    @property
    def slope(self) -> F64:
        """Units per second, least squares."""
        centre = _given(self.centre)
        away = centre - self._mean_of(centre)
        spread = self.weight * (away * away)
        if self.period is None:
            down = total(spread)
        else:
            inner = self.weight * (self.weight * self.weight) / 12.0
            down = total(spread + inner) - self.mass * (self.period**2 / 12.0)
        return _ratio(total(self.weight * (away * self.deviation)), down)

    def _mean_of(self, table: F64, other: F64 | None = None) -> F64:
        """Weighted mean of a table, or of its product with another."""
        product = self.scratch.table("square", *table.shape)
        if other is None:
            np.multiply(self.weight, table, out=product)
        else:
            np.multiply(table, other, out=product)
            np.multiply(self.weight, product, out=product)
        return total(product) / self.mass

    def _picked(self, row: NDArray[np.intp]) -> F64:
        picked: F64 = np.take_along_axis(self.values, row[None, :], axis=0)[0]
        return np.where(self.mass > 0, picked, np.nan)


def _given(centre: F64 | None) -> F64:
    if centre is None:
        raise ValueError("slope needs the stamps of the values")
    return centre


Span = EvenSpan | WeightedSpan

BY_NAME: dict[str, Callable[[Span], F64]] = {
    "mean": lambda span: span.mean,
    "std": lambda span: span.std,
    "rms": lambda span: span.rms,
    "min": lambda span: span.min,
    "max": lambda span: span.max,
    "range": lambda span: span.max - span.min,
    "first": lambda span: span.first,
    "delta": lambda span: span.delta,
    "slope": lambda span: span.slope,
    "count": lambda span: span.count,
}
