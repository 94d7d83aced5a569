"""What is kept of samples by tag: the newest one, and sums between two looks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64, I64

NEVER = int(np.iinfo(np.int64).min)
LEAST = frozenset({"step", "delay"})
MOST = frozenset({"bend", "gap", "held"})
"""Sums that are a least or a largest."""


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """The newest sample of each tag that had a number.

    Attributes:
        value: float64[tags], NaN before the first.
        leap: float64[tags], value less the one before.
        time: int64[tags], its stamp.
        received: int64[tags], agent time it came; `NEVER` before the first.
        changed: int64[tags], agent time at which the value was last another one.
        repeats: float64[tags], samples since then.
        bad: int64[tags], agent time since when it has no number or quality BAD;
            `NEVER` if it has a good one.
    """

    value: F64
    leap: F64
    time: I64
    received: I64
    changed: I64
    repeats: F64
    bad: I64

    @staticmethod
    def fresh(tags: int) -> Trail:
        """Before any sample."""
        none, never = np.full(tags, np.nan), np.full(tags, NEVER, np.int64)
        return Trail(none, none, never, never, never, np.zeros(tags), never)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Of the samples since the last look, float64[tags] each; seconds.

    Attributes:
        count: samples with a number.
        bad: samples without, or of quality BAD.
        total: sum of the values.
        travel: sum of the bends, as sizes; a bend is the change to a sample less the
            change before it, so that a ramp has none.
        bend: largest of them.
        step: smallest change from sample to sample that is not 0; inf without one.
        changes: how many of those are not 0.
        spikes: samples from which the value came back at once.
        floor, ceiling: samples at the ends of the range.
        beyond: samples outside it.
        gap: longest time between two arrivals.
        waited: time between arrivals in all.
        hold, hold_squared: sum of how long values stood that have ended, and of its
            square.
        held: longest of these.
        delay: least time from stamp to arrival; inf without a sample.
        stood: samples whose stamp had not moved on since an earlier arrival.
    """

    count: F64
    bad: F64
    total: F64
    travel: F64
    bend: F64
    step: F64
    changes: F64
    spikes: F64
    floor: F64
    ceiling: F64
    beyond: F64
    gap: F64
    waited: F64
    hold: F64
    hold_squared: F64
    held: F64
    delay: F64
    stood: F64

    @staticmethod
    def fresh(tags: int) -> Sums:
        """Of no samples."""
        return Sums(
            **{
                f.name: np.full(tags, np.inf if f.name in LEAST else 0.0)
                for f in fields(Sums)
            }
        )
