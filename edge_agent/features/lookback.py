"""Reading a window's rings backwards from a row's time.

Nothing here depends on where a ring has wrapped or how deep it is: entries are
found and copied in order of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import Quality

if TYPE_CHECKING:
    from edge_agent.features.window import Mask, Window
    from edge_agent.samples import F64, I64

_WALK = 3
"""Steps taken from a guess before a binary search is cheaper."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest value of n columns at n times.

    Attributes:
        column: int64[n].
        low: int64[n] oldest entry the ring still holds.
        end: int64[n] one past the newest entry not after the row's time.
        value: float64[n], NaN where there is none.
        time: int64[n] its stamp.
        until: int64[n] stamp of the BAD that ended it; its own stamp otherwise.
        exists: the tag has an entry.
        good: there is a value.
        bad: the newest entry is BAD.
        doubted: the value is UNCERTAIN, or held over a BAD one.
    """

    column: I64
    low: I64
    end: I64
    value: F64
    time: I64
    until: I64
    exists: Mask
    good: Mask
    bad: Mask
    doubted: Mask


def after(
    window: Window, column: I64, bound: I64, low: I64, high: I64, guess: I64
) -> I64:
    """First entry of each column later than its bound, from ``low`` to ``high``.

    Args:
        window: the rings.
        column: int64[n].
        bound: int64[n], ns.
        low: int64[n] oldest entry to look at.
        high: int64[n] the answer where no entry is later.
        guess: int64[n] where to look first; costs time when wrong, nothing else.
    """
    place = np.minimum(np.maximum(guess, low), high)
    down, up = _misses(window, column, bound, low, high, place)
    if not (down.any() or up.any()):
        return place
    for _ in range(_WALK):
        place = place + up - down
        down, up = _misses(window, column, bound, low, high, place)
        if not (down.any() or up.any()):
            return place
    left = np.flatnonzero(down | up)
    found = _bisected(window, column[left], bound[left], low[left], high[left])
    place[left] = found
    return place


def _misses(
    window: Window, column: I64, bound: I64, low: I64, high: I64, place: I64
) -> tuple[Mask, Mask]:
    at = (place & window.mask) * window.columns + column
    back = ((place - 1) & window.mask) * window.columns + column
    down = (window.times[back] > bound) & (place > low)
    up = (window.times[at] <= bound) & (place < high)
    return down, up


def _bisected(window: Window, column: I64, bound: I64, low: I64, high: I64) -> I64:
    low, high = low.copy(), high.copy()
    while (low < high).any():
        middle = (low + high) >> 1
        time = window.times[(middle & window.mask) * window.columns + column]
        earlier = (time <= bound) & (low < high)
        high = np.where(earlier | (low >= high), high, middle)
        low = np.where(earlier, middle + 1, low)
    return low


def newest(window: Window, column: I64, at: I64) -> Newest:
    """The newest value of each column at a row's time, BAD ones looked through."""
    head = window.head[column]
    low = np.maximum(head - window.depth, 0)
    end = head
    if (window.newest[column] > at).any():
        end = after(window, column, at, low, head, head)
    exists = end > low
    last = end - 1
    slot = (last & window.mask) * window.columns + column
    time, value = window.times[slot], window.values[slot]
    none = np.zeros(len(column), bool)
    bad, doubted, until, good = none, none, time, exists
    if not exists.all():
        value = np.where(exists, value, np.nan)
    if (window.last_bad[column] >= low).any():
        bad = exists & (window.quality[slot] == Quality.BAD)
        if bad.any():
            last, until = _looked_through(window, column, low, last, bad)
            good = last >= low
            slot = (last & window.mask) * window.columns + column
            time = np.where(good, window.times[slot], time)
            value = np.where(good, window.values[slot], np.nan)
    if (window.last_uncertain[column] >= low).any():
        doubted = good & (window.quality[slot] == Quality.UNCERTAIN)
    return Newest(
        column, low, end, value, time, until, exists, good, bad, doubted | (bad & good)
    )


def _looked_through(
    window: Window, column: I64, low: I64, last: I64, bad: Mask
) -> tuple[I64, I64]:
    """Step back over BAD entries; where they began is when the value ended."""
    last = last.copy()
    slot = (last & window.mask) * window.columns + column
    until = window.times[slot]
    while bad.any():
        until = np.where(bad, window.times[slot], until)
        last = last - bad
        slot = (last & window.mask) * window.columns + column
        bad = bad & (last >= low) & (window.quality[slot] == Quality.BAD)
    return last, until


def block(
    window: Window, asset: I64, start: I64, count: int, ring: F64, out: F64
) -> F64:
    """Values of all roles, ``count x n x roles``, from one entry on for each asset.

    Args:
        window: the rings.
        asset: int64[n].
        start: int64[n] first entry.
        count: entries.
        ring: which of the window's rings of float64 to read.
        out: where to put them.
    """
    steps = np.arange(count)[:, None]
    row = ((start[None, :] + steps) & window.mask) * window.assets + asset[None, :]
    shape = (count, len(asset), window.roles)
    found = out.reshape(shape)
    ring.reshape(-1, window.roles).take(row, axis=0, out=found, mode="clip")
    return found


def slots(
    window: Window, column: I64, start: I64, count: int, out: I64 | None = None
) -> I64:
    """Where ``count`` entries of each column lie, ``count x n``, for `numpy.take`."""
    steps = np.arange(count)[:, None]
    place: I64 = np.add(start[None, :], steps, out=out)
    place &= window.mask
    place *= window.columns
    place += column
    return place
