"""Every source's samples by its own policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import Quality
from edge_agent.stamps.guard import TOLERANCE, ClockStep, Guard
from edge_agent.stamps.recording import Recording, batch_of

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    Raises:
        ValueError: not one known policy for each source.
    """

    def __init__(self, tags: TagTable, policies: Sequence[str]) -> None:
        known = {"source", "server", "receive", "recorded"}
        if len(policies) != len(tags.sources) or not set(map(str, policies)) <= known:
            raise ValueError(f"one of {sorted(known)} for each of {tags.sources}")
        self.tags = tags
        self.policies = [str(policy) for policy in policies]
        text = np.concatenate(
            [np.repeat([t.text for t in k.tags], len(k.assets)) for k in tags.types]
            or [np.zeros(0, bool)]
        ).astype(bool)
        self._guards = {
            source: Guard(source)
            for source, policy in enumerate(self.policies)
            if policy in {"source", "server"}
        }
        self._recordings = {
            source: Recording(text)
            for source, policy in enumerate(self.policies)
            if policy == "recorded"
        }

    @property
    def shift(self) -> I64:
        """int64[sources] ns added to the stamps of each source, for status."""
        shifts = [
            self._guards[source].shift if source in self._guards else 0
            for source in range(len(self.policies))
        ]
        return np.array(shifts, np.int64)

    def settle(self, batch: SampleBatch) -> tuple[SampleBatch, StampCounts]:
        """A batch with stamps on the axis of agent time, and what was done to it."""
        if len(batch) == 0 or self._all_right(batch):
            return batch, StampCounts()
        owner = self.tags.source[batch.tag]
        counts = StampCounts()
        time, quality = batch.time.copy(), batch.quality.copy()
        # the gateway's own mark of a lost link (`Inbox.lost`) is agent time already
        marks = (quality == Quality.BAD) & (time == batch.received)
        for source in np.unique(owner).tolist():
            mine = np.flatnonzero(owner == source)
            if self.policies[source] == "receive":
                time[mine] = _apart(batch.tag[mine], batch.received[mine])
            elif source in self._guards:
                mine = mine[~marks[mine]]
                if not len(mine):
                    continue
                found = self._guards[source].settle(
                    time[mine], batch.received[mine], quality[mine]
                )
                time[mine], quality[mine] = found.time, found.quality
                counts += StampCounts(found.future, found.ancient, 0, found.steps)
        batch = replace(batch, time=time, quality=quality)
        for source, recording in self._recordings.items():
            mine = np.flatnonzero(self.tags.source[batch.tag] == source)
            batch, dropped = recording.settle(batch, mine)
            counts += StampCounts(set_aside=dropped)
        return batch, counts

    def release(self, at: int) -> SampleBatch:
        """What is still set aside when a recording ends, in order of its stamps.

        Args:
            at: agent time, as ``received``.
        """
        waiting = [one for r in self._recordings.values() for one in r.release()]
        return batch_of(sorted(waiting, key=lambda one: one.time), at)

    def _all_right(self, batch: SampleBatch) -> bool:
        """The usual case: every clock is right, and every stamp of the batch."""
        if len(self._guards) < len(self.policies):
            return False
        if not all(guard.calm for guard in self._guards.values()):
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
