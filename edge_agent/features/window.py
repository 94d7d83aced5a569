"""The recent past of every asset of one type: a ring of samples for each tag.

Rings are time-major, ``slots x assets x roles``: the newest value of all tags is
one row, and the tags of one asset lie side by side, so the slots of a due asset
are copied in runs instead of one by one (see `lookback`). Each column has its own
cursor and is always in order of time, whatever order its samples came in.

What becomes of a sample, in the order the questions are asked:

======================================  ===========================================
BAD, or a value that is no number       no value; a run of BAD is one entry, at its
                                        first stamp (a late good value ends the run)
outside the tag's engineering range     kept as UNCERTAIN
a stamp the tag already has             dropped, the first stays (`duplicate`; also
                                        `conflict` when the value differs)
older than the newest, within the ring  put in its place (`late`)
older than a full ring                  dropped (`too_late`)
======================================  ===========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64, U8, AssetType, SampleBatch

    Mask = NDArray[np.bool_]

NEVER = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """What became of the samples of one or more batches."""

    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    late: int = 0
    too_late: int = 0
    bad: int = 0
    uncertain: int = 0
    out_of_range: int = 0

    def __add__(self, other: IngestCounts) -> IngestCounts:
        """Sum, count by count."""
        return IngestCounts(
            self.accepted + other.accepted,
            self.duplicate + other.duplicate,
            self.conflict + other.conflict,
            self.late + other.late,
            self.too_late + other.too_late,
            self.bad + other.bad,
            self.uncertain + other.uncertain,
            self.out_of_range + other.out_of_range,
        )


class Window:
    """Rings of all assets of one type; the one big mutable thing of the agent.

    Entries have logical numbers 0, 1, 2 … for each column; entry ``i`` lies in slot
    ``i % depth``. Columns are numbered ``asset * roles + role``.

    Args:
        kind: the asset type.
        depth: slots, rounded up to a power of two (see `depth_for`).
        by_exception: True where only changes are reported: bool[roles], or
            bool[kind.size] in order of the tag index.
    """

    def __init__(
        self, kind: AssetType, depth: int, by_exception: Mask | None = None
    ) -> None:
        assets, roles = len(kind.assets), len(kind.tags)
        self.kind, self.assets, self.roles = kind, assets, roles
        self.columns = assets * roles
        self.depth = 1 << (max(depth, 4) - 1).bit_length()
        self.reach = self.depth
        """Entries that a row sees at most, however many the ring holds."""
        self.mask = self.depth - 1
        size = self.depth * self.columns
        self.times: I64 = np.zeros(size, np.int64)
        self.values: F64 = np.zeros(size, np.float64)
        self.quality: U8 = np.zeros(size, np.uint8)
        self.head: I64 = np.zeros(self.columns, np.int64)
        self.newest: I64 = np.full(self.columns, NEVER, np.int64)
        self.first: I64 = np.full(self.columns, np.iinfo(np.int64).max, np.int64)
        self.last_bad: I64 = np.full(self.columns, -1, np.int64)
        self.last_uncertain: I64 = np.full(self.columns, -1, np.int64)
        self.last_doubt: I64 = np.full(self.columns, -1, np.int64)
        """The newest entry that is BAD or UNCERTAIN."""
        self.held: Mask = self.by_column(_by_tag(kind, by_exception))
        self.any_held = bool(self.held.any())
        local = np.arange(kind.size)
        column = (local % max(assets, 1)) * roles + local // max(assets, 1)
        self._column: I64 = np.where(kind.is_text, -1, column)
        self._has_text = bool(kind.is_text.any())
        self._low = self.by_column(np.repeat([t.low for t in kind.tags], assets))
        self._high = self.by_column(np.repeat([t.high for t in kind.tags], assets))
        self._seen: I64 = np.zeros(self.columns, np.int64)

    def by_column(self, per_tag: NDArray[Any]) -> NDArray[Any]:
        """Bring an array in order of the tag index into order of the columns."""
        table = per_tag.reshape(self.roles, self.assets)
        return np.ascontiguousarray(table.T).reshape(-1)

    def deepen(self, depth: int) -> None:
        """Make room for more slots; every entry that is there stays."""
        wider = 1 << (max(depth, 4) - 1).bit_length()
        if wider <= self.depth:
            return
        back = np.arange(self.depth)[:, None]
        entry = self.head[None, :] - 1 - back
        there = entry >= 0
        column = np.broadcast_to(np.arange(self.columns), entry.shape)[there]
        source = (entry[there] & self.mask) * self.columns + column
        target = (entry[there] & (wider - 1)) * self.columns + column
        for name in ("times", "values", "quality"):
            old = getattr(self, name)
            ring = np.zeros(wider * self.columns, old.dtype)
            ring[target] = old[source]
            setattr(self, name, ring)
        self.depth, self.mask = wider, wider - 1

    def ingest(self, batch: SampleBatch) -> IngestCounts:
        """Store a batch; samples of other asset types and texts are passed over."""
        local = batch.tag - np.int32(self.kind.base)
        inside = (local >= 0) & (local < self.kind.size)
        if np.count_nonzero(inside) < len(inside):
            return self.ingest(batch.take(inside)) if inside.any() else IngestCounts()
        column = self._column[local]
        time, value, quality = batch.time, batch.value, batch.quality
        if self._has_text and column.min(initial=0) < 0:
            numeric = column >= 0
            column, time = column[numeric], time[numeric]
            value, quality = value[numeric], quality[numeric]
        return self._store(column, time, value, quality)

    def _store(self, column: I64, time: I64, value: F64, quality: U8) -> IngestCounts:
        count = len(column)
        if count == 0:
            return IngestCounts()
        sound = np.isfinite(value)
        sound &= value >= self._low[column]
        sound &= value <= self._high[column]
        ranged = 0
        if np.count_nonzero(sound) < count or np.count_nonzero(quality):
            bad = ~np.isfinite(value) | (quality >= Quality.BAD)
            outside = ~(sound | bad)
            ranged = int(outside.sum())
            quality = np.where(outside, np.maximum(quality, Quality.UNCERTAIN), quality)
            quality = np.where(bad, np.uint8(Quality.BAD), quality)
            value = np.where(bad, np.nan, value)
        order = np.arange(count)
        self._seen[column] = order
        once = np.count_nonzero(self._seen[column] == order) == count
        if once and np.count_nonzero(time > self.newest[column]) == count:
            counts = self._append(column, time, value, quality)
        else:
            counts = self._sorted_out(column, time, value, quality)
        return counts + IngestCounts(out_of_range=ranged) if ranged else counts

    def _append(self, column: I64, time: I64, value: F64, quality: U8) -> IngestCounts:
        """Store samples newer than all of their column, each column at most once."""
        bad = uncertain = 0
        if np.count_nonzero(quality):
            was_bad = (self.head[column] > 0) & (
                self.last_bad[column] == self.head[column] - 1
            )
            is_bad = quality == Quality.BAD
            bad = int(is_bad.sum())
            keep = ~(is_bad & was_bad)
            column, time = column[keep], time[keep]
            value, quality = value[keep], quality[keep]
            is_bad = quality == Quality.BAD
            doubted = quality == Quality.UNCERTAIN
            uncertain = int(doubted.sum())
            self.last_bad[column[is_bad]] = self.head[column[is_bad]]
            self.last_uncertain[column[doubted]] = self.head[column[doubted]]
            self.last_doubt[column[quality > 0]] = self.head[column[quality > 0]]
        head = self.head[column]
        slot = (head & self.mask) * self.columns + column
        self.times[slot] = time
        self.values[slot] = value
        self.quality[slot] = quality
        new = head == 0
        if np.count_nonzero(new):
            fresh = column[new]
            self.first[fresh] = np.minimum(self.first[fresh], time[new])
        self.head[column] = head + 1
        self.newest[column] = time
        accepted = (
            len(column) - int((quality == Quality.BAD).sum()) if bad else len(column)
        )
        return IngestCounts(accepted=accepted, bad=bad, uncertain=uncertain)

    def _sorted_out(
        self, column: I64, time: I64, value: F64, quality: U8
    ) -> IngestCounts:
        """Store several samples a column: in rounds where in order, else singly."""
        order = np.argsort(column, kind="stable")
        column, time = column[order], time[order]
        value, quality = value[order], quality[order]
        starts = np.flatnonzero(np.diff(column, prepend=-1))
        lengths = np.diff(starts, append=len(column))
        before = np.empty_like(time)
        before[1:] = time[:-1]
        before[starts] = self.newest[column[starts]]
        tangled = np.logical_or.reduceat(time <= before, starts)
        counts = IngestCounts()
        rank = np.arange(len(column)) - np.repeat(starts, lengths)
        rank[np.repeat(tangled, lengths)] = -1
        for turn in range(int(rank.max(initial=-1)) + 1):
            now = rank == turn
            counts += self._append(column[now], time[now], value[now], quality[now])
        for i in np.flatnonzero(rank < 0):
            counts += self._insert(
                int(column[i]), int(time[i]), float(value[i]), int(quality[i])
            )
        return counts

    def _insert(
        self, column: int, time: int, value: float, quality: int
    ) -> IngestCounts:
        """Store one sample wherever its stamp belongs."""
        head = int(self.head[column])
        oldest = max(head - self.depth, 0)
        place = head
        while place > oldest and self.times[self._slot(column, place - 1)] > time:
            place -= 1
        if place > oldest and self.times[self._slot(column, place - 1)] == time:
            return self._repeated(column, place - 1, value)
        if place == head:
            level = np.array([quality], np.uint8)
            one, stamp = np.array([column]), np.array([time])
            return self._append(one, stamp, np.array([value]), level)
        if place == oldest and head >= self.depth:
            return IngestCounts(too_late=1)
        bad = quality == Quality.BAD
        before = self.quality[self._slot(column, place - 1)]
        if bad and place > oldest and before == Quality.BAD:
            return IngestCounts(bad=1, late=1)
        self._make_room(column, place, head)
        slot = self._slot(column, place)
        self.times[slot], self.values[slot] = time, value
        self.quality[slot] = quality
        self.first[column] = min(int(self.first[column]), time)
        for last, concerned in (
            (self.last_bad, bad),
            (self.last_uncertain, quality == Quality.UNCERTAIN),
            (self.last_doubt, quality != Quality.GOOD),
        ):
            if last[column] >= place:
                last[column] += 1
            elif concerned:
                last[column] = place
        doubted = int(quality == Quality.UNCERTAIN)
        return IngestCounts(int(not bad), late=1, bad=int(bad), uncertain=doubted)

    def _make_room(self, column: int, place: int, head: int) -> None:
        moved = np.arange(max(place, head - self.depth + 1), head)
        source = (moved & self.mask) * self.columns + column
        target = ((moved + 1) & self.mask) * self.columns + column
        for ring in (self.times, self.values, self.quality):
            ring[target] = ring[source].copy()
        self.head[column] = head + 1

    def _repeated(self, column: int, place: int, value: float) -> IngestCounts:
        kept = self.values[self._slot(column, place)]
        same = kept == value or (np.isnan(kept) and np.isnan(value))
        return IngestCounts(duplicate=1, conflict=int(not same))

    def _slot(self, column: int, entry: int) -> int:
        return (entry & self.mask) * self.columns + column


def _by_tag(kind: AssetType, by_exception: Mask | None) -> Mask:
    if by_exception is None:
        return np.zeros(kind.size, bool)
    if len(by_exception) == kind.size:
        return np.asarray(by_exception, bool)
    return np.repeat(np.asarray(by_exception, bool), len(kind.assets))


def nanoseconds(seconds: float) -> int:
    """Whole nanoseconds of a duration in seconds."""
    return round(seconds * NANOSECONDS)
