"""A threshold from a false-alarm budget, on normal rows nothing was learned from.

Alarms are counted, not rows, by the gateway's rules (`alarms`): an alarm comes when the
score stayed above the threshold for the on-delay, and goes when it stayed at or below
the clear limit for the off-delay. So each row has two levels, whatever the threshold::

    sustained   lowest score since the on-delay before it: the alarm comes at the first
                row whose sustained level is above the threshold
    relaxed     highest score since the off-delay before it: the alarm goes at the first
                row whose relaxed level is at or below the clear limit

and episodes at any threshold are counted in one pass over both. (Chattering, which the
gateway holds back, counts here as often as it comes.)

1. ``k = budget x asset weeks`` alarms are allowed: the lowest threshold with at most k,
   searched from above (far below normal scores everything is one endless alarm, which
   would look like few).
2. Where k is below 10 the highest few peaks decide, and the next stretch has others.
   The excesses of the 30 highest alarms over their level u follow a generalised Pareto
   tail, fitted by moments; with N of them the threshold is raised to
   ``u + s/x ((N/k)^x - 1)`` where that is higher, and stays below 1 for shares.
3. What the threshold reached is reported with the upper limit of its rate (Poisson,
   95 %): no alarm in one week does not show one a month.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log, log10
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.publish.false_alarms import WEEK, Counted, asset_hours

if TYPE_CHECKING:
    from edge_agent.alarms import Limits, Rows
    from edge_agent.samples import F64, I32, I64

_FEW = 10
_PEAKS = 30
_TOO_FEW = 5
_LIGHTEST, _HEAVIEST, _FLAT = -1.0, 0.25, 1e-6
"""Bounds of the tail's shape: so few peaks tell it badly."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """What any threshold is judged by, rows in order of asset and time.

    Attributes:
        asset: int32[n].
        sustained: float64[n], minus infinity where the on-delay does not fit.
        relaxed: float64[n], infinity where the off-delay does not fit.
        hysteresis: share of the threshold.
    """

    asset: I32
    sustained: F64
    relaxed: F64
    hysteresis: float

    @staticmethod
    def of(rows: Rows, limits: Limits) -> Levels:
        """Levels of rows in any order; the limits' threshold is not read."""
        order = np.lexsort((rows.at, rows.asset)).astype(np.int64)
        ordered = rows.take(order)
        begins = _stretches(ordered, limits.max_gap)
        return Levels(
            ordered.asset,
            _lowest_since(ordered, begins, limits.on_delay, ordered.score),
            -_lowest_since(ordered, begins, limits.off_delay, -ordered.score),
            limits.hysteresis,
        )

    def peaks(self, threshold: float) -> F64:
        """Highest sustained level of each alarm that comes at a threshold."""
        comes = self.sustained > threshold
        clear = threshold - self.hysteresis * abs(threshold)
        said = np.flatnonzero(comes | (self.relaxed <= clear))
        if not len(said):
            return np.zeros(0)
        rises = comes[said]
        rises[1:] &= ~comes[said[:-1]] | (np.diff(self.asset[said]) != 0)
        begun = said[rises]
        above = np.flatnonzero(comes)
        if not len(begun):
            return np.zeros(0)
        starts = np.searchsorted(above, begun)
        peaks: F64 = np.maximum.reduceat(self.sustained[above], starts)
        return peaks


def choose(rows: Rows, limits: Limits, budget: float) -> Counted:
    """The threshold for a budget.

    Args:
        rows: normal ones.
        limits: the alarm's delays; its threshold is not read.
        budget: false alarms an asset and week.
    """
    levels = Levels.of(rows, limits)
    hours = asset_hours(rows.asset, rows.at)
    allowed = budget * hours / WEEK
    empirical = _lowest(levels, floor(allowed))
    raised = _beyond(levels, rows.score, allowed)
    extrapolated = allowed < _FEW and raised > empirical
    chosen = _rounded_up(raised if extrapolated else empirical)
    # rounding up may part one alarm into two
    while len(peaks := levels.peaks(chosen)) > allowed:
        chosen = _rounded_up(float(peaks.min()))
    return Counted(chosen, len(peaks), hours, budget, extrapolated)


def count(rows: Rows, limits: Limits, budget: float) -> Counted:
    """Alarms at the limits' threshold."""
    found = Levels.of(rows, limits).peaks(limits.threshold)
    hours = asset_hours(rows.asset, rows.at)
    return Counted(limits.threshold, len(found), hours, budget)


def _stretches(rows: Rows, max_gap: int) -> I64:
    """First row of the stretch that each row is in: one asset, no silence too long."""
    fresh = np.diff(rows.asset, prepend=-1) != 0
    if max_gap:
        fresh[1:] |= np.diff(rows.at) > max_gap
    first = np.where(fresh, np.arange(len(rows)), 0)
    return np.maximum.accumulate(first)


def _lowest_since(rows: Rows, begins: I64, delay: int, score: F64) -> F64:
    """float64[n] lowest score of the rows since the delay before each row.

    Minus infinity where the row's stretch does not reach back so far.
    """
    since = _reaching_back(rows, delay)
    fits = since >= begins
    length = np.where(fits, np.arange(len(rows)) - since + 1, 0)
    result = np.full(len(rows), -np.inf)
    # minima over 1, 2, 4, ... rows: two of them cover any window
    table, width = score, 1
    while width <= int(length.max(initial=0)):
        here = np.flatnonzero((length >= width) & (length < 2 * width))
        result[here] = np.minimum(table[here], table[since[here] + width - 1])
        shifted = np.full(len(table), np.inf)
        shifted[width:] = table[:-width]
        table = np.minimum(table, shifted)
        width *= 2
    return result


def _reaching_back(rows: Rows, delay: int) -> I64:
    """Newest row of the same asset at least the delay ago, -1 for none."""
    found = np.empty(len(rows), np.int64)
    edges = np.flatnonzero(np.diff(rows.asset, prepend=-1, append=-1))
    for first, last in pairwise(edges):
        at = rows.at[first:last]
        place = np.searchsorted(at, at - delay, side="right") - 1
        found[first:last] = np.where(place >= 0, first + place, -1)
    return found


def _lowest(levels: Levels, allowed: int) -> float:
    """The lowest level, coming from above, at which no more alarms come."""
    known = levels.sustained[np.isfinite(levels.sustained)]
    candidates = np.unique(known)[::-1]
    if not len(candidates):
        return 0.0
    good, step = 0, 1
    while good + step < len(candidates):
        if len(levels.peaks(float(candidates[good + step]))) > allowed:
            break
        good += step
        step *= 2
    bad = min(good + step, len(candidates))
    while bad - good > 1:
        middle = (good + bad) // 2
        if len(levels.peaks(float(candidates[middle]))) > allowed:
            bad = middle
        else:
            good = middle
    return float(candidates[good])


def _beyond(levels: Levels, score: F64, allowed: float) -> float:
    """What the tail of the highest peaks asks for."""
    start = _lowest(levels, _PEAKS)
    peaks = levels.peaks(start)
    if len(peaks) < _TOO_FEW or not np.ptp(peaks):
        return start
    excess = peaks - start
    mean, variance = float(excess.mean()), float(excess.var(ddof=1))
    shape = min(max(0.5 * (1.0 - mean * mean / variance), _LIGHTEST), _HEAVIEST)
    scale = mean * (1.0 - shape)
    rarer = max(len(peaks) / max(allowed, 1e-9), 1.0)
    away = log(rarer) if abs(shape) < _FLAT else (rarer**shape - 1.0) / shape
    end = start + scale * away
    if (score >= 0).all() and (score <= 1).all():
        return min(end, (1.0 + float(peaks.max())) / 2)
    return end


def _rounded_up(value: float) -> float:
    """Four digits, of the distance to 1 for a share near it.

    What an operator reads is what is compared.
    """
    size = 1.0 - value if 0.5 < value < 1.0 else abs(value)  # noqa: PLR2004
    if size == 0:
        return value
    digits = 3 - floor(log10(size))
    unit = 10.0**-digits
    return round(ceil(value / unit - 1e-6) * unit, max(digits, 0))
