"""A recording being played: what runs ahead of it waits until it is confirmed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import NANOSECONDS, SampleBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64

GAP = 3600 * NANOSECONDS
CONFIRMATIONS = 3


@dataclass(frozen=True, slots=True)
class Aside:
    """A sample whose stamp waits for confirmation."""

    tag: int
    time: int
    value: float
    quality: int
    text: str | None


class Recording:
    """How far one source's recording has come, and what runs ahead of it.

    Args:
        text: bool[tags] which tags are texts.
    """

    def __init__(self, text: NDArray[np.bool_]) -> None:
        self._text = text
        self._high: int | None = None
        self._aside: list[Aside] = []

    def settle(
        self, batch: SampleBatch, mine: NDArray[np.intp]
    ) -> tuple[SampleBatch, int]:
        """A batch less what waits, with what is confirmed; how many were dropped.

        Args:
            batch: samples of all sources.
            mine: positions of this source's.
        """
        if len(mine) == 0:
            return batch, 0
        mine = mine[np.lexsort((batch.time[mine], batch.received[mine]))]
        if self._high is not None and not self._aside:
            reached = np.maximum.accumulate(batch.time[mine])
            before = np.maximum(np.append(self._high, reached[:-1]), self._high)
            if (batch.time[mine] <= before + GAP).all():
                self._high = max(self._high, int(reached[-1]))
                return batch, 0
        return self._singly(batch, mine)

    def release(self) -> list[Aside]:
        """Take out what still waits."""
        waiting, self._aside = self._aside, []
        return waiting

    def _singly(
        self, batch: SampleBatch, mine: NDArray[np.intp]
    ) -> tuple[SampleBatch, int]:
        dropped = 0
        kept = np.ones(len(batch), bool)
        released: list[tuple[int, list[Aside]]] = []
        for i in mine.tolist():
            time = int(batch.time[i])
            if self._high is not None and time <= self._high + GAP:
                dropped += len(self._aside)
                self._aside.clear()
                self._high = max(self._high, time)
                continue
            kept[i] = False
            before = len(self._aside)
            self._aside = [a for a in self._aside if a.time <= time + GAP]
            dropped += before - len(self._aside)
            self._aside.append(self._one(batch, i))
            freed = self._freed()
            if freed:
                released.append((i, freed))
        return _merged(batch, kept, released), dropped

    def _freed(self) -> list[Aside]:
        """Take out, by stamp, what enough later stamps confirm, and what follows it."""
        stamps = sorted({a.time for a in self._aside})
        if len(stamps) <= CONFIRMATIONS:
            return []
        high = stamps[-1 - CONFIRMATIONS]
        for stamp in stamps[-CONFIRMATIONS:]:
            high = stamp if stamp <= high + GAP else high
        self._high = high
        free = sorted((a for a in self._aside if a.time <= high), key=lambda a: a.time)
        self._aside = [a for a in self._aside if a.time > high]
        return free

    def _one(self, batch: SampleBatch, i: int) -> Aside:
        tag, value = int(batch.tag[i]), float(batch.value[i])
        known = self._text[tag] and np.isfinite(value)
        text = batch.texts[int(value)] if known else None
        return Aside(tag, int(batch.time[i]), value, int(batch.quality[i]), text)


def batch_of(samples: Sequence[Aside], received: int) -> SampleBatch:
    """Samples that waited, as a batch received at one instant."""
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
    released: Sequence[tuple[int, list[Aside]]],
) -> SampleBatch:
    """A batch less what was held back, and with what was released in its place."""
    texts = list(batch.texts)
    pieces: list[SampleBatch] = []
    low = 0
    for place, samples in released:
        pieces.append(batch.take(np.flatnonzero(kept[low:place]) + low))
        piece = batch_of(samples, int(batch.received[place]))
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
