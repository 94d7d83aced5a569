"""Cutting windows out of the rings: the values an aggregate is made from.

See `aggregates` for what counts and with which weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.aggregates import EvenSpan, Span, WeightedSpan, total
from edge_agent.features.lookback import after, block, slots
from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from edge_agent.features.window import Mask, Window
    from edge_agent.samples import F64, I64

_SECOND = 1.0 / NANOSECONDS


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the windows of m columns lie in the rings.

    Attributes:
        column: int64[m].
        low: int64[m] oldest entry the ring still holds.
        start: int64[m] first entry in the window.
        end: int64[m] one past the last.
        bound: int64[m] the window's start, exclusive.
        at: int64[m] its end, inclusive.
    """

    column: I64
    low: I64
    start: I64
    end: I64
    bound: I64
    at: I64

    def of(self, select: Mask) -> Cut:
        """Some of the columns."""
        parts = (self.column, self.low, self.start, self.end, self.bound, self.at)
        return Cut(*(part[select] for part in parts))

    @property
    def short(self) -> Mask:
        """Whether the ring may have dropped a part of the window."""
        reached: Mask = (self.low > 0) & (self.start == self.low)
        return reached


def cut(
    window: Window, column: I64, low: I64, end: I64, bound: I64, at: I64, hint: I64
) -> Cut:
    """Find the windows ``(bound, at]``.

    Args:
        window: the rings.
        column: int64[m].
        low: int64[m] oldest entries.
        end: int64[m] one past the newest entries not after ``at``.
        bound: int64[m].
        at: int64[m].
        hint: int64[columns] lengths found last time; updated.
    """
    start = after(window, column, bound, low, end, end - hint[column])
    hint[column] = end - start
    return Cut(column, low, start, end, bound, at)


def even(
    window: Window, where: Cut, *, stamps: bool, rows: tuple[I64, I64] | None
) -> Span:
    """Values of tags that report every value.

    Args:
        window: the rings.
        where: the windows.
        stamps: whether the stamps are needed.
        rows: assets and roles when the columns are these, asset by asset; lets
            tags that arrive together be copied together.
    """
    length = where.end - where.start
    count = max(int(length.max(initial=1)), 1)
    if (window.last_bad[where.column] >= where.start).any():
        return _without_bad(window, where, count, stamps=stamps)
    values = _together(window, where, count, rows)
    whole = int(length.min(initial=count))
    inside = None
    if whole < count:
        inside = np.arange(whole, count)[:, None] < length[None, :]
        values[whole:][~inside] = 0.0
    centre: F64 | None = None
    if stamps:
        place = slots(window, where.column, where.start, count)
        centre = _before(window, place, where.at)
    return EvenSpan(values, length.astype(np.float64), whole, inside, centre)


def _together(
    window: Window, where: Cut, count: int, rows: tuple[I64, I64] | None
) -> F64:
    if rows is not None:
        asset, role = rows
        shape = (len(asset), len(role))
        start, end = where.start.reshape(shape), where.end.reshape(shape)
        step = bool((start == start[:, :1]).all() and (end == end[:, :1]).all())
        if step and 4 * len(role) >= window.roles:
            table = block(window, asset, start[:, 0], count)
            if len(role) < window.roles:
                table = table.take(role, axis=2)
            return table.reshape(count, -1)
    return window.values.take(slots(window, where.column, where.start, count))


def _before(window: Window, place: I64, at: I64) -> F64:
    """Seconds from a row's time, negative before it."""
    seconds: F64 = (window.times.take(place) - at).astype(np.float64) * _SECOND
    return seconds


def _without_bad(window: Window, where: Cut, count: int, *, stamps: bool) -> Span:
    place = slots(window, where.column, where.start, count)
    good = window.quality.take(place) != Quality.BAD
    good &= np.arange(count)[:, None] < (where.end - where.start)[None, :]
    values = np.where(good, window.values.take(place), 0.0)
    weight = good.astype(np.float64)
    centre: F64 | None = None
    if stamps:
        centre = _before(window, place, where.at)
    return WeightedSpan(values, weight, total(weight), centre)


def held(window: Window, where: Cut, period: int) -> WeightedSpan:
    """Values of tags that report changes only, each in force until the next.

    Args:
        window: the rings.
        where: the windows.
        period: ns between two samples, had it been sampled.
    """
    carried = np.maximum(where.start - 1, where.low)
    length = where.end - carried
    count = max(int(length.max(initial=1)), 1)
    place = slots(window, where.column, carried, count)
    steps = np.arange(count)[:, None]
    time = window.times.take(place)
    good = (window.quality.take(place) != Quality.BAD) & (steps < length[None, :])
    finish = where.at + period
    following = np.empty_like(time)
    following[:-1] = time[1:]
    following = np.where(steps >= length[None, :] - 1, finish, following)
    begin = np.maximum(time, where.bound + period)
    until = np.minimum(following, finish)
    weight = np.where(good, np.maximum(until - begin, 0), 0) * _SECOND
    values = np.where(weight > 0, window.values.take(place), 0.0)
    stamped = total((good & (time > where.bound)).astype(np.float64))
    centre = ((begin - where.at) + (until - where.at)) * (0.5 * _SECOND)
    dt = np.full(len(where.column), period * _SECOND)
    return WeightedSpan(values, weight, stamped, centre, dt)


def any_uncertain(window: Window, where: Cut, held: Mask, period: int) -> Mask:
    """Whether an UNCERTAIN value counts in each window, one carried into it too."""
    found = window.last_uncertain[where.column] >= where.start - held
    if not found.any():
        return found
    some = where.of(found)
    first = (some.start & window.mask) * window.columns + some.column
    lasts = (some.start == some.end) | (window.times[first] > some.bound + period)
    start = some.start - (held[found] & lasts & (some.start > some.low))
    length = some.end - start
    place = slots(window, some.column, start, max(int(length.max()), 1))
    doubted = window.quality.take(place) == Quality.UNCERTAIN
    doubted &= np.arange(len(place))[:, None] < length[None, :]
    found[found] = doubted.any(axis=0)
    return found
