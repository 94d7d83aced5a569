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
        calm: every column has a value, and no ring holds a BAD or UNCERTAIN one.
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
    calm: bool


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
    wrong = down | up
    if not np.count_nonzero(wrong):
        return place
    left = np.flatnonzero(wrong)
    column, bound, low, high = column[left], bound[left], low[left], high[left]
    near = place[left] + up[left] - down[left]
    for _ in range(_WALK):
        down, up = _misses(window, column, bound, low, high, near)
        if not np.count_nonzero(down | up):
            place[left] = near
            return place
        near = near + up - down
    place[left] = _bisected(window, column, bound, low, high)
    return place


def _misses(
    window: Window, column: I64, bound: I64, low: I64, high: I64, place: I64
) -> tuple[Mask, Mask]:
    here = slot(window, column, place)
    # one slot back; before the first lies the last
    down = window.times.take(here - window.columns, mode="wrap") > bound
    down &= place > low
    up = window.times.take(here) <= bound
    up &= place < high
    return down, up


def _bisected(window: Window, column: I64, bound: I64, low: I64, high: I64) -> I64:
    low, high = low.copy(), high.copy()
    while (low < high).any():
        middle = (low + high) >> 1
        time = window.times[slot(window, column, middle)]
        earlier = (time <= bound) & (low < high)
        high = np.where(earlier | (low >= high), high, middle)
        low = np.where(earlier, middle + 1, low)
    return low


def newest(window: Window, column: I64, at: I64) -> Newest:
    """The newest value of each column at a row's time, BAD ones looked through."""
    head = window.head[column]
    low = np.maximum(head - window.depth, 0)
    end = head
    if np.count_nonzero(window.newest[column] > at):
        end = after(window, column, at, low, head, head)
    # a row sees as many entries as it would have seen in any other turn
    low = np.maximum(low, end - window.reach)
    exists = end > low
    last = end - 1
    place = slot(window, column, last)
    time, value = window.times.take(place), window.values.take(place)
    none = np.zeros(len(column), bool)
    calm = np.count_nonzero(exists) == len(exists)
    calm = calm and not np.count_nonzero(window.last_doubt[column] >= low)
    if calm:
        return Newest(
            column, low, end, value, time, time, exists, exists, none, none, calm=True
        )
    bad = exists & (window.quality[place] == Quality.BAD)
    last, until = _looked_through(window, column, low, last, bad)
    good = exists & (last >= low)
    place = slot(window, column, last)
    time = np.where(good, window.times[place], time)
    value = np.where(good, window.values[place], np.nan)
    doubted = good & ((window.quality[place] == Quality.UNCERTAIN) | bad)
    return Newest(
        column, low, end, value, time, until, exists, good, bad, doubted, calm=False
    )


def _looked_through(
    window: Window, column: I64, low: I64, last: I64, bad: Mask
) -> tuple[I64, I64]:
    """Step back over BAD entries; where they began is when the value ended."""
    last = last.copy()
    place = slot(window, column, last)
    until = window.times[place]
    while bad.any():
        until = np.where(bad, window.times[place], until)
        last = last - bad
        place = slot(window, column, last)
        bad = bad & (last >= low) & (window.quality[place] == Quality.BAD)
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
    first = (start & window.mask) * window.assets + asset
    row = first + (np.arange(count) * window.assets)[:, None]
    found = out.reshape(count, len(asset), window.roles)
    table = ring.reshape(-1, window.roles)
    return table.take(row, axis=0, out=found, mode="wrap")


def slot(window: Window, column: I64, entry: I64) -> I64:
    """Where one entry of each column lies."""
    place: I64 = entry & window.mask
    place *= window.columns
    place += column
    return place


def slots(
    window: Window, column: I64, start: I64, count: int, out: I64 | None = None
) -> I64:
    """Where ``count`` entries of each column lie, ``count x n``.

    Past the end of a ring they go on at its beginning: read them with
    ``ring.take(slots, mode="wrap")``.
    """
    first = slot(window, column, start)
    return np.add(first, (np.arange(count) * window.columns)[:, None], out=out)
