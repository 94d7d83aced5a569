"""Device time to agent time: which stamp a sample carries into its window.

Device clocks are hours wrong, jump, and now and then give one absurd stamp. What is
done depends on the source's policy (`config.schema.TimePolicy`):

``source``, ``server``
    The delay of a sample is its agent time of arrival less its stamp. Within
    `TOLERANCE` a stamp is left as it is, to the bit. A constant error is taken off
    once it has shown itself: the freshest samples of at least `PERSISTENCE` all had
    the same delay, give or take the tolerance, and none was in order. (One sample
    proves nothing: an old stamp may be an old value.) A stamp still more than
    `AHEAD` in the future of its arrival, or before the year 2000, is replaced by the
    time of arrival and the sample marked UNCERTAIN.
``receive``
    The time of arrival; samples of one tag that arrived together are put one
    nanosecond apart, in order.
``recorded``
    The stamps of a recording, played at any speed: arrival proves nothing. A stamp
    more than `GAP` ahead of all before is set aside until `CONFIRMATIONS` other
    stamps beyond it confirm it; it is dropped when one comes back from before it.

So one wrong future stamp reaches no window, under any policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import NANOSECONDS, Quality, SampleBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64, U8, TagTable

TOLERANCE = 2 * NANOSECONDS
PERSISTENCE = 10 * NANOSECONDS
AHEAD = 5 * NANOSECONDS
GAP = 3600 * NANOSECONDS
CONFIRMATIONS = 3
_LEAST_SHOWN = 3
"""Arrivals that must show a constant error."""
_YEAR_2000 = 946_684_800 * NANOSECONDS


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A source's clock was found to be off by another amount than before.

    Attributes:
        source: position in `TagTable.sources`.
        at: agent time of the finding.
        old: ns added to its stamps before.
        new: ns added from now on.
    """

    source: int
    at: int
    old: int
    new: int


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


@dataclass(slots=True)
class _Run:
    """Arrivals that all show about the same error."""

    since: int
    delay: int
    least: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class _Aside:
    """A sample whose stamp waits for confirmation."""

    tag: int
    time: int
    value: float
    quality: int
    text: str | None


@dataclass(slots=True)
class _Recording:
    """How far a recording has come, and what runs ahead of it."""

    high: int | None = None
    aside: list[_Aside] = field(default_factory=list)

    def freed(self) -> list[_Aside]:
        """Take out, by stamp, what enough later stamps confirm, and what follows it."""
        stamps = sorted({a.time for a in self.aside})
        if len(stamps) <= CONFIRMATIONS:
            return []
        high = stamps[-1 - CONFIRMATIONS]
        for stamp in stamps[-CONFIRMATIONS:]:
            high = stamp if stamp <= high + GAP else high
        self.high = high
        free = sorted((a for a in self.aside if a.time <= high), key=lambda a: a.time)
        self.aside = [a for a in self.aside if a.time > high]
        return free


class Stamps:
    """The clocks of all sources.

    Args:
        tags: the tag table.
        policies: of each source, as in `config.schema.TimePolicy`.
    """

    def __init__(self, tags: TagTable, policies: Sequence[str]) -> None:
        known = {"source", "server", "receive", "recorded"}
        if len(policies) != len(tags.sources) or not set(map(str, policies)) <= known:
            raise ValueError(f"one of {sorted(known)} for each of {tags.sources}")
        self.tags = tags
        self.policies = [str(policy) for policy in policies]
        self.shift: I64 = np.zeros(len(policies), np.int64)
        """Ns added to the stamps of each source."""
        self._runs: dict[int, _Run] = {}
        self._guards_all = set(self.policies) <= {"source", "server"}
        self._recordings = {
            source: _Recording()
            for source, policy in enumerate(self.policies)
            if policy == "recorded"
        }
        self._text = np.concatenate(
            [np.repeat([t.text for t in k.tags], len(k.assets)) for k in tags.types]
            or [np.zeros(0, bool)]
        ).astype(bool)

    def settle(self, batch: SampleBatch) -> tuple[SampleBatch, StampCounts]:
        """A batch with stamps on the axis of agent time, and what was done to it."""
        if len(batch) == 0:
            return batch, StampCounts()
        if self._guards_all and not self._runs and not self.shift.any():
            delay = batch.received - batch.time
            if delay.max() <= TOLERANCE and delay.min() >= -TOLERANCE:
                return batch, StampCounts()
        owner = self.tags.source[batch.tag]
        counts = StampCounts()
        time, quality = batch.time.copy(), batch.quality.copy()
        for source in np.unique(owner).tolist():
            mine = np.flatnonzero(owner == source)
            policy = self.policies[source]
            if policy == "receive":
                time[mine] = _apart(batch.tag[mine], batch.received[mine])
            elif policy != "recorded":
                time[mine], quality[mine], found = self._guarded(
                    source, batch.time[mine], batch.received[mine], quality[mine]
                )
                counts += found
        batch = replace(batch, time=time, quality=quality)
        for source, recording in self._recordings.items():
            batch, dropped = self._confirmed(source, recording, batch)
            counts += StampCounts(set_aside=dropped)
        return batch, counts

    def release(self, at: int) -> SampleBatch:
        """What is still set aside when a recording ends, in order of its stamps.

        Args:
            at: agent time, as ``received``.
        """
        rows = [
            (one.time, one)
            for recording in self._recordings.values()
            for one in recording.aside
        ]
        for recording in self._recordings.values():
            recording.aside.clear()
        rows.sort(key=lambda row: row[0])
        return _batch_of([one for _, one in rows], at)

    def _guarded(
        self, source: int, time: I64, received: I64, quality: U8
    ) -> tuple[I64, U8, StampCounts]:
        """Stamps of one source, its constant error taken off, absurd ones replaced."""
        off = received - time - self.shift[source]
        if source not in self._runs and (np.abs(off) <= TOLERANCE).all():
            return time + self.shift[source], quality, StampCounts()
        steps: list[ClockStep] = []
        moved = np.empty_like(time)
        edges = np.flatnonzero(np.diff(received)) + 1
        for low, high in _pairs(edges, len(time)):
            instant = int(received[low])
            step = self._observe(source, instant, time[low:high])
            if step is not None:
                steps.append(step)
            moved[low:high] = time[low:high] + self.shift[source]
        future = moved > received + AHEAD
        ancient = moved < _YEAR_2000
        wrong = future | ancient
        moved = np.where(wrong, received, moved)
        marked = np.maximum(quality, np.uint8(Quality.UNCERTAIN))
        counts = StampCounts(
            future=int(future.sum()), ancient=int(ancient.sum()), steps=tuple(steps)
        )
        return moved, np.where(wrong, marked, quality), counts

    def _observe(self, source: int, instant: int, time: I64) -> ClockStep | None:
        """Learn from what arrived at one instant; the freshest of it counts."""
        delay = instant - time
        shift = int(self.shift[source])
        if (np.abs(delay - shift) <= TOLERANCE).any():
            self._runs.pop(source, None)
            return None
        least = int(delay.min())
        run = self._runs.get(source)
        if run is None or least < run.delay - TOLERANCE:
            self._runs[source] = _Run(instant, least, least)
            return None
        if least > run.delay + TOLERANCE:
            return None
        run.least = min(run.least, least)
        run.count += 1
        if instant - run.since < PERSISTENCE or run.count < _LEAST_SHOWN:
            return None
        del self._runs[source]
        self.shift[source] = run.least if abs(run.least) > TOLERANCE else 0
        return ClockStep(source, instant, shift, int(self.shift[source]))

    def _confirmed(
        self, source: int, recording: _Recording, batch: SampleBatch
    ) -> tuple[SampleBatch, int]:
        """Hold back what runs ahead of a recording until it is confirmed."""
        mine = np.flatnonzero(self.tags.source[batch.tag] == source)
        if len(mine) == 0:
            return batch, 0
        mine = mine[np.lexsort((batch.time[mine], batch.received[mine]))]
        if recording.high is not None and not recording.aside:
            reached = np.maximum.accumulate(batch.time[mine])
            before = np.append(recording.high, reached[:-1])
            if (batch.time[mine] <= np.maximum(before, recording.high) + GAP).all():
                recording.high = max(recording.high, int(reached[-1]))
                return batch, 0
        return self._confirmed_singly(recording, batch, mine)

    def _confirmed_singly(
        self, recording: _Recording, batch: SampleBatch, mine: NDArray[np.intp]
    ) -> tuple[SampleBatch, int]:
        dropped = 0
        kept = np.ones(len(batch), bool)
        released: list[tuple[int, list[_Aside]]] = []
        for i in mine.tolist():
            time = int(batch.time[i])
            if recording.high is not None and time <= recording.high + GAP:
                dropped += len(recording.aside)
                recording.aside.clear()
                recording.high = max(recording.high, time)
                continue
            kept[i] = False
            before = len(recording.aside)
            recording.aside = [a for a in recording.aside if a.time <= time + GAP]
            dropped += before - len(recording.aside)
            recording.aside.append(self._one(batch, i))
            freed = recording.freed()
            if freed:
                released.append((i, freed))
        return _merged(batch, kept, released), dropped

    def _one(self, batch: SampleBatch, i: int) -> _Aside:
        tag, value = int(batch.tag[i]), float(batch.value[i])
        known = self._text[tag] and np.isfinite(value)
        text = batch.texts[int(value)] if known else None
        return _Aside(tag, int(batch.time[i]), value, int(batch.quality[i]), text)


def _pairs(edges: NDArray[np.intp], count: int) -> list[tuple[int, int]]:
    return list(pairwise([0, *edges.tolist(), count]))


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


def _batch_of(samples: Sequence[_Aside], received: int) -> SampleBatch:
    texts = [one.text for one in samples if one.text is not None]
    value: F64 = np.array([one.value for one in samples], np.float64)
    has_text = np.array([one.text is not None for one in samples], bool)
    value[has_text] = np.arange(len(texts))
    return SampleBatch.of(
        [one.tag for one in samples],
        [one.time for one in samples],
        value,
        [one.quality for one in samples],
        [received] * len(samples),
        texts,
    )


def _merged(
    batch: SampleBatch,
    kept: NDArray[np.bool_],
    released: Sequence[tuple[int, list[_Aside]]],
) -> SampleBatch:
    """A batch less what was held back, and with what was released in its place."""
    texts = list(batch.texts)
    pieces: list[SampleBatch] = []
    low = 0
    for place, samples in released:
        pieces.append(batch.take(np.flatnonzero(kept[low:place]) + low))
        piece = _batch_of(samples, int(batch.received[place]))
        is_text = np.array([one.text is not None for one in samples], bool)
        moved = np.where(is_text, piece.value + len(texts), piece.value)
        pieces.append(replace(piece, value=moved))
        texts.extend(piece.texts)
        low = place
    pieces.append(batch.take(np.flatnonzero(kept[low:]) + low))
    return SampleBatch(
        np.concatenate([p.tag for p in pieces]),
        np.concatenate([p.time for p in pieces]),
        np.concatenate([p.value for p in pieces]),
        np.concatenate([p.quality for p in pieces]),
        np.concatenate([p.received for p in pieces]),
        tuple(texts),
    )
