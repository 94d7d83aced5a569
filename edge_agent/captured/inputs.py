"""Out of the rings: exactly the entries that a row was made from."""

from __future__ import annotations

import hashlib
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.captured import bits
from edge_agent.captured.form import Held, TagHeld
from edge_agent.features.lookback import after, newest
from edge_agent.features.window import NEVER, nanoseconds
from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from edge_agent.features.making import Making
    from edge_agent.features.plan import FeaturePlan
    from edge_agent.features.window import Window
    from edge_agent.samples import I64

#: Bytes of text of one window at most, and values that are tried at most.
MOST_BYTES, MOST_VALUES = 64 << 10, 16_384


class Gone(Exception):
    """There is no window to keep.

    Attributes:
        digest: SHA-256 of one that is too long; empty for none.
    """

    def __init__(self, why: str, digest: str = "") -> None:
        super().__init__(why)
        self.digest = digest


def held(
    making: Making, plan: FeaturePlan, asset: int, at: int, step: int, start: int | None
) -> Held:
    """The input window of a row of this turn.

    Args:
        making: how the turn's rows were made.
        plan: the row's features.
        asset: position of its asset.
        at: its time.
        step: in which it was made.
        start: where its cycle began, None for a row that is no part.

    Raises:
        Gone: the window is too long, or the rings have moved on.
    """
    column = asset * making.window.roles + plan.roles
    seen = making.seen(step, column)
    if seen is None:
        raise Gone("too many samples came in the turn of the row")
    rings, own = seen
    bound, expected = _bounds(plan, at, start)
    moment = np.full(len(own), at, np.int64)
    begin, end = _entries(rings, own, moment, bound, expected)
    count = end - begin
    entry = np.arange(count.sum()) + np.repeat(begin - np.cumsum(count) + count, count)
    place = (entry & rings.mask) * rings.columns + np.repeat(own, count)
    times, values = rings.times[place], rings.values[place]
    quality = rings.quality[place]
    if len(place) <= MOST_VALUES:
        said = (bits.text(np.diff(times, prepend=0)), bits.text(values))
        tags = _tags(
            making, plan, column, (rings.first[own], rings.head[own], begin, end)
        )
        whole = Held(
            depth=rings.depth,
            reach=min(rings.reach, rings.depth),
            tags=tags,
            times=said[0],
            values=said[1],
            quality=bits.text(quality),
        )
        if len(whole.times) + len(whole.values) + len(whole.quality) <= MOST_BYTES:
            return whole
    digest = hashlib.sha256(times.tobytes() + values.tobytes() + quality.tobytes())
    raise Gone(f"its {len(place)} values are too many to keep", digest.hexdigest())


def _bounds(plan: FeaturePlan, at: int, start: int | None) -> tuple[I64, I64]:
    """Behind which the windows of each of the plan's tags lie, and entries expected."""
    bound = np.full(len(plan.roles), at, np.int64)
    expected = np.zeros(len(plan.roles), np.int64)
    began = at if start is None or start == NEVER else start
    place = {plan.kind.tags[role].role: i for i, role in enumerate(plan.roles)}
    for spec in plan.specs:
        i = place[spec.tag]
        if spec.cycle:
            bound[i] = min(bound[i], began)
        elif spec.window is not None:
            bound[i] = min(bound[i], at - nanoseconds(spec.window))
        expected[i] = max(expected[i], round((at - bound[i]) * spec.rate / NANOSECONDS))
    return bound, expected


def _entries(
    rings: Window, column: I64, at: I64, bound: I64, expected: I64
) -> tuple[I64, I64]:
    """First entry that is looked at of each column, and one past the last.

    One more than the windows hold: it tells that none is cut short, and where changes
    only are reported it lasts into them. A value that is held over BAD ones too.
    """
    found = newest(rings, column, at)
    first = after(rings, column, bound, found.low, found.end, found.end - expected)
    begin = np.maximum(np.minimum(first, found.end) - 1, found.low)
    for i in np.flatnonzero(found.bad):
        last = int(found.end[i]) - 1
        while last > found.low[i] and _is_bad(rings, int(column[i]), last):
            last -= 1
        begin[i] = min(begin[i], last)
    return np.minimum(begin, found.end), found.end


def _is_bad(rings: Window, column: int, entry: int) -> bool:
    slot = (entry & rings.mask) * rings.columns + column
    return bool(rings.quality[slot] == Quality.BAD)


def _tags(
    making: Making, plan: FeaturePlan, column: I64, columns: tuple[I64, ...]
) -> tuple[TagHeld, ...]:
    vouched = making.vouched
    alive = None if vouched is None else vouched[column].tolist()
    lasting = making.window.held[column].tolist()
    numbers = zip(*(one.tolist() for one in columns), strict=True)
    return tuple(
        TagHeld(
            role=tag.role,
            unit=tag.unit,
            low=bounded(tag.low),
            high=bounded(tag.high),
            max_age=bounded(tag.max_age),
            changes_only=lasting[i],
            first=first,
            head=head,
            begin=begin,
            end=end,
            alive=None if alive is None else alive[i],
        )
        for i, (tag, (first, head, begin, end)) in enumerate(
            zip((plan.kind.tags[r] for r in plan.roles), numbers, strict=True)
        )
    )


def bounded(number: float) -> float | None:
    """A number as JSON has it: None for one that is none, or without a bound."""
    return float(number) if isfinite(number) else None
