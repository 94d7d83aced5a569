"""A batch of samples summed up by tag.

Everything a look needs of the samples is a sum, a least or a largest over them, with
the sample before as the only memory. So a batch is sorted by tag once and reduced, and
no sample is met in Python.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from edge_agent.monitoring.sensors.sums import LEAST, MOST, NEVER, Sums, Trail
from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.samples import F64, I64, SampleBatch

    Index = NDArray[np.int64]

_T = TypeVar("_T", bound="np.generic[Any]")

_BACK = 0.5
"""Of a spike: it comes back at least so far."""


class _Rows(NamedTuple):
    """Samples of one asset type with a number, sorted by tag.

    Attributes:
        tag: int64[n], index less the type's base.
        starts: where each tag's samples begin.
        own: the tag of each start.
    """

    tag: Index
    value: F64
    time: I64
    received: I64
    starts: Index
    own: Index


def summed(
    sums: Sums, trail: Trail, facts: Facts, batch: SampleBatch, spike: F64
) -> tuple[Sums, Trail]:
    """Sums and trail behind a batch.

    Args:
        sums: before it.
        trail: before it.
        facts: of the asset type; other tags of the batch are passed over.
        batch: settled samples in order of arrival.
        spike: float64[tags], a change smaller than this is none.
    """
    order, tag = _sorted(facts, batch)
    if not len(order):
        return sums, trail
    value = batch.value[order]
    good = np.isfinite(value) & (batch.quality[order] < Quality.BAD)
    received = batch.received[order]
    if good.all():
        bad_count = None
    else:
        bad_count = np.bincount(tag[~good], minlength=len(trail.value))
    trail = replace(trail, bad=_bad_since(trail.bad, tag, good, received))
    if bad_count is not None:
        sums = replace(sums, bad=sums.bad + bad_count)
        order, tag, value, received = (
            *(order[good], tag[good]),
            *(value[good], received[good]),
        )
        if not len(order):
            return sums, trail
    starts = _starts(tag)
    rows = _Rows(tag, value, batch.time[order], received, starts, tag[starts])
    return _folded(sums, trail, facts, rows, spike)


def _sorted(facts: Facts, batch: SampleBatch) -> tuple[Index, Index]:
    """Positions of this type's numeric samples by tag, and their tags."""
    local = batch.tag.astype(np.int64) - facts.kind.base
    mine = (local >= 0) & (local < facts.kind.size)
    if not mine.all():
        local = np.where(mine, local, 0)
    mine &= facts.numeric[local]
    places = np.flatnonzero(mine)
    local = local[places]
    # two bytes are sorted by radix, ten times as fast
    short = local.astype(np.uint16) if facts.kind.size <= 2**16 else local
    order = np.argsort(short, kind="stable")
    return places[order], local[order]


def _starts(tag: Index) -> Index:
    return np.append(0, np.flatnonzero(np.diff(tag)) + 1)


def _bad_since(bad: I64, tag: Index, good: NDArray[np.bool_], received: I64) -> I64:
    """Since when the newest samples of each tag have all been bad."""
    starts = _starts(tag)
    own, last = tag[starts], np.append(starts[1:], len(tag)) - 1
    good_last = np.maximum.reduceat(np.where(good, np.arange(len(tag)), -1), starts)
    first = np.maximum(good_last + 1, starts)
    goes_on = (good_last < 0) & (bad[own] != NEVER)
    since = np.where(goes_on, bad[own], received[np.minimum(first, last)])
    return _put(bad, own, np.where(good[last], NEVER, since))


def _folded(
    sums: Sums, trail: Trail, facts: Facts, rows: _Rows, spike: F64
) -> tuple[Sums, Trail]:
    tag, value, _, received, starts, own = rows
    fresh = own[trail.received[own] == NEVER]
    trail = _begun(trail, rows, fresh)
    leap = value - _shifted(value, starts, trail.value[own])
    prior = _shifted(leap, starts, trail.leap[own])
    size, bend = np.abs(leap), np.abs(leap - prior)
    gap = (received - _shifted(received, starts, trail.received[own])) / NANOSECONDS
    parts = {
        "count": np.diff(starts, append=len(tag)).astype(np.float64),
        "total": np.add.reduceat(value, starts),
        "travel": np.add.reduceat(bend, starts),
        "bend": np.maximum.reduceat(bend, starts),
        "step": np.minimum.reduceat(np.where(size > 0, size, np.inf), starts),
        "gap": np.maximum.reduceat(gap, starts),
        "waited": np.add.reduceat(gap, starts),
        **_odd(rows, facts, leap, prior, spike),
        **_stamps(rows, trail),
    }
    holds, changed, repeats = _holds(rows, size > 0, trail)
    parts |= holds
    last = np.append(starts[1:], len(tag)) - 1
    after = {
        "value": value[last],
        "leap": leap[last],
        "time": rows.time[last],
        "received": received[last],
        "repeats": repeats,
    }
    columns = {name: _put(getattr(trail, name), own, x) for name, x in after.items()}
    return _merged(sums, own, parts), replace(trail, changed=changed, **columns)


def _begun(trail: Trail, rows: _Rows, fresh: Index) -> Trail:
    """As if a tag's first sample had been there before it: a change of nothing."""
    if not len(fresh):
        return trail
    first = rows.starts[np.searchsorted(rows.own, fresh)]
    come = rows.received[first]
    return replace(
        trail,
        value=_put(trail.value, fresh, rows.value[first]),
        leap=_put(trail.leap, fresh, 0.0),
        time=_put(trail.time, fresh, rows.time[first] - 1),
        received=_put(trail.received, fresh, come),
        changed=_put(trail.changed, fresh, come),
    )


def _odd(
    rows: _Rows, facts: Facts, leap: F64, prior: F64, spike: F64
) -> dict[str, F64]:
    """Spikes, and readings at the ends of the range or beyond."""
    tag, value, starts = rows.tag, rows.value, rows.starts
    least = np.minimum(np.abs(leap), np.abs(prior))
    sharp = (leap * prior < 0) & (least > spike[tag])
    sharp &= np.abs(leap + prior) < _BACK * least
    outside = (value < facts.least[tag]) | (value > facts.most[tag])
    marks = {
        "spikes": sharp,
        "floor": value <= facts.floor[tag],
        "ceiling": value >= facts.ceiling[tag],
        "beyond": outside,
    }
    none = np.zeros(len(starts))
    return {
        name: np.add.reduceat(mark.astype(np.float64), starts) if mark.any() else none
        for name, mark in marks.items()
    }


def _stamps(rows: _Rows, trail: Trail) -> dict[str, F64]:
    time, received, starts, own = rows.time, rows.received, rows.starts, rows.own
    later = received > _shifted(received, starts, trail.received[own])
    stood = later & (time <= _shifted(time, starts, trail.time[own]))
    delay = (received - time) / NANOSECONDS
    return {
        "delay": np.minimum.reduceat(delay, starts),
        "stood": np.add.reduceat(stood.astype(np.float64), starts),
    }


def _holds(
    rows: _Rows, moved: NDArray[np.bool_], trail: Trail
) -> tuple[dict[str, F64], I64, F64]:
    """How long values stood that ended here; each tag's last change, samples since."""
    changed = trail.changed
    count = np.diff(rows.starts, append=len(rows.tag))
    repeats = trail.repeats[rows.own] + count
    found = {
        name: np.zeros(len(rows.own))
        for name in ("changes", "hold", "hold_squared", "held")
    }
    places = np.flatnonzero(moved)
    if not len(places):
        return found, changed, repeats
    tag, at = rows.tag[places], rows.received[places]
    starts = _starts(tag)
    own = tag[starts]
    hold = (at - _shifted(at, starts, changed[own])) / NANOSECONDS
    where = np.searchsorted(rows.own, own)
    ends = np.append(starts[1:], len(tag)) - 1
    found["changes"][where] = np.diff(starts, append=len(tag))
    found["hold"][where] = np.add.reduceat(hold, starts)
    found["hold_squared"][where] = np.add.reduceat(hold * hold, starts)
    found["held"][where] = np.maximum.reduceat(hold, starts)
    repeats[where] = (rows.starts + count)[where] - 1 - places[ends]
    return found, _put(changed, own, at[ends]), repeats


def _merged(sums: Sums, own: Index, parts: dict[str, F64]) -> Sums:
    after = {}
    for name, part in parts.items():
        column = getattr(sums, name).copy()
        if name in LEAST:
            column[own] = np.minimum(column[own], part)
        elif name in MOST:
            column[own] = np.maximum(column[own], part)
        else:
            column[own] += part
        after[name] = column
    return replace(sums, **after)


def _shifted(column: NDArray[_T], starts: Index, before: NDArray[_T]) -> NDArray[_T]:
    """Each row's predecessor of the same tag."""
    found = np.empty_like(column)
    found[1:] = column[:-1]
    found[starts] = before
    return found


def _put(column: NDArray[_T], own: Index, values: NDArray[_T] | float) -> NDArray[_T]:
    after = column.copy()
    after[own] = values
    return after
