"""Every source's samples by its own policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import Quality
from edge_agent.stamps.guard import TOLERANCE, ClockStep, Guard
from edge_agent.stamps.recording import Recording, batch_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import I32, I64, SampleBatch, TagTable


@dataclass(frozen=True, slots=True)
class StampCounts:
    """What became of the stamps of a batch.

    Attributes:
        future: replaced, they lay in the future.
        ancient: replaced, they lay before the year 2000.
        set_aside: dropped, nothing confirmed them (``recorded``).
        steps: constant errors found.
    """

    future: int = 0
    ancient: int = 0
    set_aside: int = 0
    steps: tuple[ClockStep, ...] = ()

    def __add__(self, other: StampCounts) -> StampCounts:
        """Sum, count by count."""
        return StampCounts(
            self.future + other.future,
            self.ancient + other.ancient,
            self.set_aside + other.set_aside,
            self.steps + other.steps,
        )


class Stamps:
    """The clocks of all sources.

    Args:
        tags: the tag table.
        policies: of each source, as in `config.schema.TimePolicy`.
        by_asset: of each source, whether every asset has a clock of its own (many
            devices behind one broker); by default none.

    Raises:
        ValueError: not one known policy for each source.
    """

    def __init__(
        self, tags: TagTable, policies: Sequence[str], by_asset: Sequence[bool] = ()
    ) -> None:
        known = {"source", "server", "receive", "recorded"}
        if len(policies) != len(tags.sources) or not set(map(str, policies)) <= known:
            raise ValueError(f"one of {sorted(known)} for each of {tags.sources}")
        self.tags = tags
        self.policies = [str(policy) for policy in policies]
        guarded = [policy in {"source", "server"} for policy in self.policies]
        self._guards, self._clock = _clocks(tags, guarded, by_asset)
        self._shifts = np.zeros(len(self._guards) + 1, np.int64)
        """By clock; the last stands for no clock at all."""
        self._restless = np.zeros(len(self._guards) + 1, bool)
        self._calm = self._whole = all(guarded)
        at_arrival = np.array([p == "receive" for p in self.policies], bool)
        self._at_arrival = at_arrival[tags.source]
        self._recordings = {
            source: Recording(tags.is_text)
            for source, policy in enumerate(self.policies)
            if policy == "recorded"
        }

    @property
    def shift(self) -> I64:
        """int64[sources] ns added to the stamps of each source, for status.

        Where assets have their own clocks, that of the one that is most off.
        """
        shifts = np.zeros(len(self.policies), np.int64)
        for guard in self._guards:
            if abs(guard.shift) > abs(shifts[guard.source]):
                shifts[guard.source] = guard.shift
        return shifts

    def saved(self) -> dict[str, int]:
        """Errors found so far, ns by clock: what must survive a restart.

        Without it a wrong clock's stamps would be their own again until the error is
        found anew, and all of them late behind the rows of before.
        """
        return {_name(self.tags, g): g.shift for g in self._guards if g.shift}

    def restore(self, saved: Mapping[str, int]) -> None:
        """Go on from what `saved` gave; clocks that are gone are passed over."""
        for clock, guard in enumerate(self._guards):
            guard.shift = int(saved.get(_name(self.tags, guard), guard.shift))
            self._note(clock, guard)

    def settle(self, batch: SampleBatch) -> tuple[SampleBatch, StampCounts]:
        """A batch with stamps on the axis of agent time, and what was done to it."""
        if len(batch) == 0 or self._all_right(batch):
            return batch, StampCounts()
        batch, counts = self._guarded(batch)
        mine = np.flatnonzero(self._at_arrival[batch.tag])
        if len(mine):
            batch.time[mine] = _apart(batch.tag[mine], batch.received[mine])
        for source, recording in self._recordings.items():
            mine = np.flatnonzero(self.tags.source[batch.tag] == source)
            batch, dropped = recording.settle(batch, mine)
            counts += StampCounts(set_aside=dropped)
        return batch, counts

    def _guarded(self, batch: SampleBatch) -> tuple[SampleBatch, StampCounts]:
        """Take the clocks' errors off; a clock that is not in order is looked at."""
        clock, received = self._clock[batch.tag], batch.received
        # the gateway's own mark of a lost link (`Inbox.lost`) is agent time already
        marks = (batch.quality == Quality.BAD) & (batch.time == received)
        free = marks | (clock < 0)
        time = batch.time + np.where(free, 0, self._shifts[clock])
        odd = np.abs(received - time) > TOLERANCE
        odd = ~free & (odd | self._restless[clock])
        quality, counts = batch.quality.copy(), StampCounts()
        if np.count_nonzero(odd):
            noisy = np.zeros(len(self._shifts), bool)
            noisy[clock[odd]] = True
            rows = np.flatnonzero(noisy[clock] & ~free)
            rows = rows[np.argsort(clock[rows], kind="stable")]
            edges = np.flatnonzero(np.diff(clock[rows])) + 1
            for mine in np.split(rows, edges):
                guard = self._guards[clock[mine[0]]]
                found = guard.settle(batch.time[mine], received[mine], quality[mine])
                time[mine], quality[mine] = found.time, found.quality
                counts += StampCounts(found.future, found.ancient, 0, found.steps)
                self._note(int(clock[mine[0]]), guard)
        return replace(batch, time=time, quality=quality), counts

    def _note(self, clock: int, guard: Guard) -> None:
        """Keep beside the guards what the usual case is decided by."""
        self._shifts[clock], self._restless[clock] = guard.shift, guard.restless
        # the usual case needs no look: every tag has a clock, and all are right
        self._calm = self._whole and not (self._shifts.any() or self._restless.any())

    def release(self, at: int) -> SampleBatch:
        """What is still set aside when a recording ends, in order of its stamps.

        Args:
            at: agent time, as ``received``.
        """
        waiting = [one for r in self._recordings.values() for one in r.release()]
        return batch_of(sorted(waiting, key=lambda one: one.time), at)

    def _all_right(self, batch: SampleBatch) -> bool:
        """The usual case: every clock is right, and every stamp of the batch."""
        if not self._calm:
            return False
        delay = batch.received - batch.time
        return bool(delay.max() <= TOLERANCE and delay.min() >= -TOLERANCE)


def _apart(tag: I32, received: I64) -> I64:
    """Times of arrival, those of one tag and instant a nanosecond apart."""
    order = np.lexsort((tag, received))
    again = (np.diff(tag[order]) == 0) & (np.diff(received[order]) == 0)
    if not again.any():
        return received
    first = np.append(0, np.flatnonzero(~again) + 1)
    lengths = np.diff(first, append=len(tag))
    apart = np.empty_like(received)
    apart[order] = np.arange(len(tag)) - np.repeat(first, lengths)
    return received + apart


def _name(tags: TagTable, guard: Guard) -> str:
    source = tags.sources[guard.source]
    return f"{source}/{guard.asset}" if guard.asset else source


def _clocks(
    tags: TagTable, guarded: Sequence[bool], by_asset: Sequence[bool]
) -> tuple[list[Guard], NDArray[np.int32]]:
    """All clocks, and which of them stamps each tag; -1 where none does.

    An asset keeps its clock over all asset types it is in.
    """
    own = {source for source, each in enumerate(by_asset) if each}
    numbers: dict[tuple[int, str], int] = {}
    clock = np.full(len(tags), -1, np.int32)
    for kind in tags.types:
        for local, tag in enumerate(range(kind.base, kind.base + kind.size)):
            source = int(tags.source[tag])
            if guarded[source]:
                asset = kind.assets[local % len(kind.assets)] if source in own else ""
                clock[tag] = numbers.setdefault((source, asset), len(numbers))
    return [Guard(source, asset) for source, asset in numbers], clock
