"""Device clocks: constant errors are taken off, absurd stamps replaced."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from edge_agent.samples import I64, U8

TOLERANCE = 2 * NANOSECONDS
PERSISTENCE = 10 * NANOSECONDS
AHEAD = TOLERANCE
"""No stamp gets further ahead of its arrival: all rows of the asset up to it would
count as late."""
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
        asset: whose clock it is, where each asset of the source has its own.
    """

    source: int
    at: int
    old: int
    new: int
    asset: str = ""


@dataclass(slots=True)
class _Run:
    """Arrivals that all show about the same error."""

    since: int
    delay: int
    least: int
    last: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Guarded:
    """Stamps of one source, put right.

    Attributes:
        time: int64[n].
        quality: uint8[n].
        future: how many were replaced because they lay in the future.
        ancient: how many because they lay before the year 2000.
        steps: constant errors found.
    """

    time: I64
    quality: U8
    future: int
    ancient: int
    steps: tuple[ClockStep, ...]


class Guard:
    """One clock: of a source, or of one asset of it.

    Args:
        source: position in `TagTable.sources`.
        asset: whose clock it is, where each asset has its own.

    Attributes:
        shift: ns added to its stamps.
    """

    def __init__(self, source: int, asset: str = "") -> None:
        self.source, self.asset = source, asset
        self.shift = 0
        self._run: _Run | None = None

    @property
    def restless(self) -> bool:
        """Whether something speaks against the present shift."""
        return self._run is not None

    def settle(self, time: I64, received: I64, quality: U8) -> Guarded:
        """Take the constant error off, replace absurd stamps and mark them."""
        off = received - time - self.shift
        if self._run is None and (np.abs(off) <= TOLERANCE).all():
            return Guarded(time + self.shift, quality, 0, 0, ())
        steps: list[ClockStep] = []
        moved = np.empty_like(time)
        edges = np.flatnonzero(np.diff(received)) + 1
        for low, high in pairwise([0, *edges.tolist(), len(time)]):
            step = self._observe(int(received[low]), time[low:high])
            if step is not None:
                steps.append(step)
            moved[low:high] = time[low:high] + self.shift
        future = moved > received + AHEAD
        if np.count_nonzero(future):
            # put right since, or another device's: such a stamp needs no help
            right = future & (np.abs(received - time) <= TOLERANCE)
            moved, future = np.where(right, time, moved), future & ~right
        # a gateway that has no date itself says nothing of a stamp's year
        ancient = (moved < _YEAR_2000) & (received >= _YEAR_2000)
        wrong = future | ancient
        marked = np.maximum(quality, np.uint8(Quality.UNCERTAIN))
        return Guarded(
            np.where(wrong, received, moved),
            np.where(wrong, marked, quality),
            int(future.sum()),
            int(ancient.sum()),
            tuple(steps),
        )

    def _observe(self, instant: int, time: I64) -> ClockStep | None:
        """Learn from what arrived at one instant; the freshest of it counts."""
        delay = instant - time
        if (np.abs(delay - self.shift) <= TOLERANCE).any():
            self._run = None
            return None
        least, run = int(delay.min()), self._run
        silent = run is not None and instant - run.last > PERSISTENCE
        if run is None or silent or least < run.delay - TOLERANCE:
            self._run = _Run(instant, least, least, instant)
            return None
        if least > run.delay + TOLERANCE:
            return None
        run.least, run.last = min(run.least, least), instant
        run.count += 1
        if instant - run.since < PERSISTENCE or run.count < _LEAST_SHOWN:
            return None
        old, self._run = self.shift, None
        self.shift = run.least if abs(run.least) > TOLERANCE else 0
        return ClockStep(self.source, instant, old, self.shift, self.asset)
