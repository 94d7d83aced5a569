"""Which predictions a batch of labels is about, and what that changes. Pure.

By part id a label goes to the newest prediction of that part (of that asset, where it
names one). By asset and time it goes to every row of the stretch: to a part within
`TOLERANCE` of it, to a bucket when the stretch covers its middle, or lies within it.

Both are joins of sorted columns: no index is kept, a batch costs one look at each row.
The last label to arrive wins, whatever way the batch is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.labels.columns import ANY, State, taken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edge_agent.labels.columns import Columns
    from edge_agent.samples import I64

#: Ns by which a part's time may lie outside the stretch of its label: two clocks.
TOLERANCE = 1_000_000_000
_TOP = np.uint64(48)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_US = 1_000
_PAIRS = 2_000_000
"""Of rows and labels looked at in one go."""


class Became(IntEnum):
    """What became of a label."""

    NOTHING = 0
    """No prediction was found."""
    DUPLICATE = 1
    CORRECTED = 2
    JOINED = 3


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows and the labels about them.

    Attributes:
        row: int64[n] number of the row.
        told: int64[n] position of the label in its batch.
        collisions: rows whose first hash was a label's and whose second was not.
    """

    row: I64
    told: I64
    collisions: int = 0

    @staticmethod
    def none() -> Pairs:
        """Nothing matched."""
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))


def by_part(pages: Iterable[tuple[int, Columns]], told: Columns) -> Pairs:
    """Find the newest row of each label's part.

    Args:
        pages: number of the first row, and columns ``key``, ``check``, ``asset``;
            oldest first.
        told: labels, those without a part id are passed over.
    """
    pages = list(pages)
    found: list[tuple[I64, I64]] = []
    collisions = 0
    for exact in (True, False):
        which = np.flatnonzero(told["part"] & ((told["asset"] != ANY) == exact))
        if not len(which):
            continue
        rows, strange = _newest(pages, taken(told, which), exact=exact)
        hit = rows >= 0
        found.append((rows[hit], which[hit]))
        collisions += strange
    if not found:
        return Pairs.none()
    row, label = (np.concatenate(side) for side in zip(*found, strict=True))
    return Pairs(row, label, collisions)


def _newest(
    pages: list[tuple[int, Columns]], told: Columns, *, exact: bool
) -> tuple[I64, int]:
    """int64[labels] the newest row of each, -1 for none; and how many collisions."""
    unique, first, place = np.unique(
        _id(told, exact=exact), return_index=True, return_inverse=True
    )
    check, asset = told["check"][first], told["asset"][first]
    newest = np.full(len(unique), -1, np.int64)
    collisions = 0
    for start, page in pages:
        ids = _id(page, exact=exact)
        row, at = _looked_up(unique, ids)
        same = page["check"][row] == check[at]
        if exact:
            same &= page["asset"][row] == asset[at]
        collisions += len(row) - int(np.count_nonzero(same))
        # numpy keeps the last of several: the newest of this page
        newest[at[same]] = row[same] + start
    # two labels may share an id and be of different parts
    mine = told["check"] == check[place]
    if exact:
        mine &= told["asset"] == asset[place]
    return np.where(mine, newest[place], -1), collisions


def _looked_up(unique: NDArray[np.uint64], ids: NDArray[np.uint64]) -> tuple[I64, I64]:
    """Positions of the ids that are among the sorted ones, and where these stand.

    Most rows are about no label: a table of the first 16 bits sorts them out for a
    tenth of what looking them up costs.
    """
    table = np.zeros(65_536, bool)
    table[unique >> _TOP] = True
    row = np.flatnonzero(table[ids >> _TOP])
    near = ids[row]
    at = np.minimum(np.searchsorted(unique, near), len(unique) - 1)
    hit = unique[at] == near
    return row[hit], at[hit]


def _id(columns: Columns, *, exact: bool) -> NDArray[np.uint64]:
    """One number of part, or of part and asset."""
    key: NDArray[np.uint64] = columns["key"]
    if not exact:
        return key
    return key ^ ((columns["asset"].astype(np.uint64) + np.uint64(1)) * _MIX)


def stretches(told: Columns, bucket: int) -> tuple[I64, I64]:
    """First and last wall time of the rows a stretch is about, ns.

    Args:
        told: labels with ``since`` and ``until``.
        bucket: length of a bucket, ns; 0 where rows are moments.
    """
    since, until = told["since"], told["until"]
    if not bucket:
        return since - TOLERANCE, until + TOLERANCE
    middle = since + (until - since) // 2
    low = np.minimum(since - bucket // 2, middle - bucket + 1)
    return low, np.maximum(until - bucket // 2, middle)


def by_time(
    rows: Columns, low: I64, high: I64, asset: NDArray[np.int32]
) -> Iterable[tuple[Pairs, int]]:
    """Find the rows of each label's asset and stretch, some labels at a time.

    Gives pairs, and the position of the first label that was not looked at yet.

    Args:
        rows: columns ``asset``, ``wall`` and ``row`` (its number).
        low: first wall time of each label's stretch; the resolution is 1 us.
        high: its last.
        asset: of each label.
    """
    if not len(rows["row"]) or not len(low):
        return
    start = int(rows["wall"].min()) // _US
    wall = rows["wall"] // _US - start
    span = int(wall.max()) + 3
    ids = rows["asset"].astype(np.int64) * span + wall + 1
    order = np.argsort(ids, kind="stable")
    ids, number = ids[order], rows["row"][order]
    base = asset.astype(np.int64) * span + 1
    # up, not down: a row just ahead of the stretch is not in it
    begin = -(-low // _US) - start
    first = np.searchsorted(ids, base + np.clip(begin, -1, span - 2))
    last = np.searchsorted(
        ids, base + np.clip(high // _US - start, -1, span - 2), side="right"
    )
    counts = np.maximum(last - first, 0)
    for head, end in _portions(counts):
        many = counts[head:end]
        label = np.repeat(np.arange(head, end), many)
        ahead = np.cumsum(many) - many
        place = np.arange(len(label)) - np.repeat(ahead, many)
        yield Pairs(number[first[label] + place], label), end


def _portions(counts: NDArray[Any]) -> Iterable[tuple[int, int]]:
    """Runs of labels whose rows are few enough to be looked at together."""
    begin, total = 0, 0
    for place, count in enumerate(counts.tolist()):
        if total and total + count > _PAIRS:
            yield begin, place
            begin, total = place, 0
        total += count
    yield begin, len(counts)


#: What makes two labels the same, beside the groups.
_SAID = ("state", "value", "label")


def applied(
    pairs: Pairs, told: Columns, before: Columns, rows: I64
) -> tuple[Columns, NDArray[np.bool_], NDArray[np.uint8]]:
    """Let labels take effect in their order.

    Args:
        pairs: rows and labels.
        told: labels in order of arrival.
        before: what the labels of ``rows`` said so far.
        rows: ascending, every row of ``pairs`` once.

    Returns:
        What they say now, which of them changed, and uint8[labels] what became of
        each label (`Became`): the most that it did to any row.
    """
    became = np.zeros(len(told["part"]), np.uint8)
    if not len(rows):
        return before, np.zeros(0, bool), became
    order = np.lexsort((pairs.told, pairs.row))
    row, label = pairs.row[order], pairs.told[order]
    place = np.searchsorted(rows, row)
    names = [*_SAID, *(name for name in before if name.startswith("g"))]
    new = {name: told[name][label] for name in names}
    first = np.ones(len(row), bool)
    first[1:] = row[1:] != row[:-1]
    same = np.ones(len(row), bool)
    for name in names:
        old = np.empty_like(new[name])
        old[1:] = new[name][:-1]
        old[first] = before[name][place[first]]
        same &= (old == new[name]) | ((old != old) & (new[name] != new[name]))  # noqa: PLR0124 - NaN
    fresh = first & (before["state"][place] == State.NONE)
    effect = np.where(same, Became.DUPLICATE, Became.CORRECTED)
    np.maximum.at(became, label, np.where(fresh, Became.JOINED, effect).astype("u1"))
    last = np.append(first[1:], True)
    after = {name: new[name][last] for name in names}
    changed = np.zeros(len(after["state"]), bool)
    for name in names:
        # a label that changes nothing must not be written again
        old, now = before[name], after[name]
        changed |= (old != now) & ~((old != old) & (now != now))  # noqa: PLR0124 - NaN
    after["told"] = label[last]
    return after, changed, became
