"""Cutting windows out of the rings: the values an aggregate is made from.

See `aggregates` for what counts and with which weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.aggregates import EvenSpan, Span, WeightedSpan, total
from edge_agent.features.lookback import after, block, slot, slots
from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from edge_agent.features.scratch import Scratch
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

    def of(self, select: Mask | I64) -> Cut:
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
    window: Window,
    where: Cut,
    scratch: Scratch,
    *,
    stamps: bool,
    rows: tuple[I64, I64] | None,
) -> Span:
    """Values of tags that report every value.

    Args:
        window: the rings.
        where: the windows.
        scratch: memory for the tables.
        stamps: whether the stamps are needed.
        rows: assets and roles when the columns are these, asset by asset; lets
            tags that arrive together be copied together.
    """
    length = where.end - where.start
    count = max(int(length.max(initial=1)), 1)
    if np.count_nonzero(window.last_bad[where.column] >= where.start):
        return _without_bad(window, where, count, scratch, stamps=stamps)
    values = _together(window, where, count, rows, scratch)
    if values is None:
        place = _places(window, where.column, where.start, count, scratch)
        values = scratch.table("values", *place.shape)
        window.values.take(place, out=values, mode="wrap")
    whole = int(length.min(initial=count))
    inside = None
    if whole < count:
        inside = np.arange(whole, count)[:, None] < length[None, :]
        values[whole:][~inside] = 0.0
    centre: F64 | None = None
    if stamps:
        centre = centres(window, where.column, where.start, where.at, count, scratch)
    return EvenSpan(values, length.astype(np.float64), whole, inside, scratch, centre)


def centres(
    window: Window, column: I64, start: I64, at: I64, count: int, scratch: Scratch
) -> F64:
    """Seconds from the row's time of ``count`` values from each window's first on."""
    place = _places(window, column, start, count, scratch)
    return _before(window, place, at, scratch)


def _together(
    window: Window,
    where: Cut,
    count: int,
    rows: tuple[I64, I64] | None,
    scratch: Scratch,
) -> F64 | None:
    """Values copied asset by asset; None where that is not possible or not worth it."""
    if rows is not None:
        asset, role = rows
        shape = (len(asset), len(role))
        start, end = where.start.reshape(shape), where.end.reshape(shape)
        apart = np.count_nonzero(start != start[:, :1])
        apart += np.count_nonzero(end != end[:, :1])
        if not apart and 4 * len(role) >= window.roles:
            out = scratch.table("block", count, len(asset) * window.roles)
            table = block(window, asset, start[:, 0], count, window.values, out)
            if len(role) < window.roles:
                table = table.take(role, axis=2)
            return table.reshape(count, -1)
    return None


def _places(
    window: Window, column: I64, start: I64, count: int, scratch: Scratch
) -> I64:
    out = scratch.numbers("places", count, len(start))
    return slots(window, column, start, count, out)


def _before(window: Window, place: I64, at: I64, scratch: Scratch) -> F64:
    """Seconds from a row's time, negative before it."""
    seconds = scratch.table("seconds", *place.shape)
    time = scratch.numbers("times", *place.shape)
    window.times.take(place, out=time, mode="wrap")
    time -= at
    return np.multiply(time, _SECOND, out=seconds)


def _without_bad(
    window: Window, where: Cut, count: int, scratch: Scratch, *, stamps: bool
) -> Span:
    place = _places(window, where.column, where.start, count, scratch)
    good = window.quality.take(place, mode="wrap") != Quality.BAD
    good &= np.arange(count)[:, None] < (where.end - where.start)[None, :]
    values = np.where(good, window.values.take(place, mode="wrap"), 0.0)
    weight = good.astype(np.float64)
    centre: F64 | None = None
    if stamps:
        centre = _before(window, place, where.at, scratch)
    return WeightedSpan(values, weight, total(weight), scratch, centre)


def held(
    window: Window, where: Cut, period: int, scratch: Scratch, *, stamps: bool
) -> WeightedSpan:
    """Values of tags that report changes only, each in force until the next.

    Args:
        window: the rings.
        where: the windows.
        period: ns between two samples, had it been sampled.
        scratch: memory for the tables.
        stamps: whether the times in force are needed.
    """
    carried = np.maximum(where.start - 1, where.low)
    length = where.end - carried
    count = max(int(length.max(initial=1)), 1)
    place = _places(window, where.column, carried, count, scratch)
    width = len(length)
    values = scratch.table("values", count, width)
    window.values.take(place, out=values, mode="wrap")
    edges = scratch.table("edges", count + 1, width)
    edges[:count] = _before(window, place, where.at, scratch)
    behind = np.arange(count)[:, None] >= length[None, :]
    nothing = behind
    if np.count_nonzero(window.last_bad[where.column] >= carried):
        nothing = behind | (window.quality.take(place, mode="wrap") == Quality.BAD)
    edges[:count][behind] = period * _SECOND
    edges[count] = period * _SECOND
    np.maximum(edges, (where.bound - where.at + period) * _SECOND, out=edges)
    weight = scratch.table("weight", count, width)
    np.subtract(edges[1:], edges[:-1], out=weight)
    weight[nothing] = 0.0
    values[weight == 0] = 0.0
    stamped = (where.end - where.start).astype(np.float64)
    if nothing is not behind:
        inside = np.arange(count)[:, None] >= (where.start - carried)[None, :]
        stamped -= total((inside & nothing & ~behind).astype(np.float64))
    centre = (edges[1:] + edges[:-1]) * 0.5 if stamps else None
    return WeightedSpan(values, weight, stamped, scratch, centre, period * _SECOND)


def any_uncertain(window: Window, where: Cut, held: Mask | None, period: int) -> Mask:
    """Whether an UNCERTAIN value counts in each window, one carried into it too."""
    if held is None:
        held = np.zeros(len(where.column), bool)
    found = window.last_uncertain[where.column] >= where.start - held
    if not np.count_nonzero(found):
        return found
    some = where.of(found)
    first = window.times[slot(window, some.column, some.start)]
    lasts = (some.start == some.end) | (first > some.bound + period)
    start = some.start - (held[found] & lasts & (some.start > some.low))
    length = some.end - start
    place = slots(window, some.column, start, max(int(length.max()), 1))
    doubted = window.quality.take(place, mode="wrap") == Quality.UNCERTAIN
    doubted &= np.arange(len(place))[:, None] < length[None, :]
    found[found] = doubted.any(axis=0)
    return found
