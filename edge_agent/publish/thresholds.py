"""A threshold from a false-alarm budget, on normal rows nothing was learned from.

Alarms are counted, not rows: an episode is what the gateway's own alarm rules make of
the scores, with their delays. ``k = budget x asset weeks`` episodes are allowed.

1. *Sustained level* of a row: the lowest score since the on-delay before it; the alarm
   is active above no other threshold than those below it.
2. The lowest threshold with at most k episodes, searched from above (far below normal
   scores everything is one endless episode, which would look like few).
3. Where k is below 10 the highest few peaks decide, and the next stretch has others.
   Peaks over a high level u fall off exponentially, so the threshold is raised to
   ``u + mean excess x ln(peaks / k)`` where that is higher, in logits for scores that
   are shares.
4. What the threshold reached is counted by `alarms.advance` and reported with the upper
   limit of its rate (Poisson, 95 %): no alarm in one week does not show one a month.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, exp, floor, lgamma, log, log10, sqrt
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.alarms import AlarmStates, Limits, Rows, advance
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64

WEEK = 168.0
_CONFIDENCE = 0.95
_FEW = 10
_PEAKS = 30
_AT_ONCE = 20_000
_EDGE = 1e-6
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


def choose(rows: Rows, limits: Limits, budget: float) -> Counted:
    """The threshold for a budget.

    Args:
        rows: normal ones, ascending in time within an asset.
        limits: the alarm's delays; its threshold is not read.
        budget: false alarms an asset and week.
    """
    order = np.lexsort((rows.at, rows.asset))
    ordered = rows.take(order.astype(np.int64))
    hours = asset_hours(ordered.asset, ordered.at)
    allowed = budget * hours / WEEK
    level = sustained(ordered, limits)
    episodes = _episodes(ordered, level, limits)
    empirical = _lowest(level, episodes, floor(allowed))
    raised = _beyond(ordered.score, level, episodes, allowed)
    extrapolated = allowed < _FEW and raised > empirical
    chosen = _rounded_up(raised if extrapolated else empirical)
    found = count(rows, replace(limits, threshold=chosen), budget)
    # merging episodes is an approximation of the alarm rules: they have the last word
    while found.episodes > allowed and len(peaks := episodes(chosen)):
        chosen = _rounded_up(float(peaks.min()))
        found = count(rows, replace(limits, threshold=chosen), budget)
    return replace(found, extrapolated=extrapolated)


def count(rows: Rows, limits: Limits, budget: float) -> Counted:
    """Alarms at the limits' threshold, by the gateway's own rules."""
    states = AlarmStates.fresh(int(rows.asset.max(initial=0)) + 1)
    order = np.argsort(rows.at, kind="stable").astype(np.int64)
    for first in range(0, len(order), _AT_ONCE):
        part = rows.take(order[first : first + _AT_ONCE])
        states, _, _ = advance(states, part, limits)
    hours = asset_hours(rows.asset, rows.at)
    return Counted(limits.threshold, int(states.number.sum()), hours, budget)


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


def sustained(rows: Rows, limits: Limits) -> F64:
    """float64[n] lowest score since the on-delay before each row.

    Minus infinity where the asset's rows do not reach back so far. Rows are in order
    of asset and time.
    """
    since = _reaching_back(rows, limits.on_delay)
    low = rows.score.copy()
    result = np.where(since >= 0, low, -np.inf)
    # minima over 1, 2, 4, ... rows: two of them cover any window
    longest = int((np.arange(len(rows)) - since).max(initial=0)) + 1
    width = 1
    table = low
    length = np.arange(len(rows)) - since + 1
    while width <= longest:
        chosen = (since >= 0) & (length >= width) & (length < 2 * width)
        here = np.flatnonzero(chosen)
        result[here] = np.minimum(table[here], table[since[here] + width - 1])
        shifted = np.full(len(table), np.inf)
        shifted[width:] = table[:-width]
        table = np.minimum(table, shifted)
        width *= 2
    return result


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


def _reaching_back(rows: Rows, delay: int) -> NDArray[np.int64]:
    """Newest row of the same asset at least the delay ago, -1 for none."""
    found = np.empty(len(rows), np.int64)
    for position in np.unique(rows.asset):
        mine = np.flatnonzero(rows.asset == position)
        place = np.searchsorted(rows.at[mine], rows.at[mine] - delay, side="right") - 1
        found[mine] = np.where(place >= 0, mine[0] + place, -1)
    return found


def _episodes(
    rows: Rows, level: F64, limits: Limits
) -> Callable[[float], NDArray[np.float64]]:
    """Peaks of the episodes above a threshold, one number an episode."""

    def peaks(threshold: float) -> NDArray[np.float64]:
        above = np.flatnonzero(level > threshold)
        if not len(above):
            return np.zeros(0)
        apart = np.diff(rows.at[above]) > limits.off_delay
        apart |= np.diff(rows.asset[above]) != 0
        starts = np.r_[0, np.flatnonzero(apart) + 1]
        return np.maximum.reduceat(level[above], starts)

    return peaks


def _lowest(
    level: F64, episodes: Callable[[float], NDArray[np.float64]], allowed: int
) -> float:
    """The lowest level, coming from above, at which no more episodes are seen."""
    candidates = np.unique(level[np.isfinite(level)])[::-1]
    if not len(candidates):
        return 0.0
    good, step = 0, 1
    while good + step < len(candidates):
        if len(episodes(float(candidates[good + step]))) > allowed:
            break
        good += step
        step *= 2
    bad = min(good + step, len(candidates))
    while bad - good > 1:
        middle = (good + bad) // 2
        if len(episodes(float(candidates[middle]))) > allowed:
            bad = middle
        else:
            good = middle
    return float(candidates[good])


def _beyond(
    score: F64,
    level: F64,
    episodes: Callable[[float], NDArray[np.float64]],
    allowed: float,
) -> float:
    """What an exponential tail of the highest peaks asks for."""
    start = _lowest(level, episodes, _PEAKS)
    peaks = episodes(start)
    if not len(peaks):
        return start
    shares = bool((score >= 0).all() and (score <= 1).all())
    raw = _logit if shares else np.asarray
    begin = float(raw(np.array([start]))[0])
    excess = float(np.mean(raw(peaks))) - begin
    away = max(log(len(peaks) / max(allowed, 1e-9)), 0.0)
    end = begin + excess * away
    return float(1.0 / (1.0 + exp(-end)) if shares else end)


def _logit(share: F64) -> F64:
    inside = np.clip(share, _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))


def _rounded_up(value: float) -> float:
    """Four significant digits: what an operator reads is what is compared."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (floor(log10(abs(value))) - 3)
    return float(f"{ceil(value / unit - 1e-9) * unit:.6g}")
