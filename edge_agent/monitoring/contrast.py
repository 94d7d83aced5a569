"""Groups held against each other by one rate: how far apart, and is it chance?

Each group is held against all the others together, by Fisher's exact test of shares and
the exact binomial test of events in time. Rows that depend on each other count for
fewer. Groups too small to judge are pooled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import log
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.intervals import poisson, wilson
from edge_agent.monitoring.accuracy.tails import binomial, chi_square_sf, fisher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64

    Bools = NDArray[np.bool_]

LEAST = 30.0
"""Independent rows, or events of rates in time; smaller groups are pooled."""
RATIO = 1.25
"""Times the others' rate, or one part of it: the four-fifths rule."""
APART = 0.02
"""And so much difference of a share; of alarms an asset and week `APART_WEEKLY`."""
APART_WEEKLY = 0.1
LEVEL = 0.05
"""Chance of any false finding of a field within all looks."""


class Rate(StrEnum):
    """What is compared."""

    ALARMS = "alarm rate"
    WEEKLY = "alarms an asset and week"
    ERRORS = "error rate"
    FALSE = "share of false alarms"
    """Of the alarms with a label."""
    MISSED = "share of missed faults"


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Of k groups.

    Attributes:
        hits: float64[k].
        size: float64[k] rows, or asset-weeks.
        evidence: float64[k] how many rows, or events, count as independent; 0 where the
            rate cannot be told.
        weekly: size is a time.
        bursts: how many times more weekly events vary than single ones would.
    """

    hits: F64
    size: F64
    evidence: F64
    weekly: bool = False
    bursts: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One rate of g groups, small ones pooled.

    Attributes:
        names: of the groups.
        value, low, high: float64[g] with 95 % interval.
        rest: float64[g], rate of all others together.
        p: float64[g], corrected for groups, rates and looks.
        strength: float64[g] size of the difference over what matters; at least 1 does.
        differs: bool[g].
        pooled: names that are together in the last group.
        untold: names of groups whose rate cannot be told.
        p_all: that all groups are alike, not corrected; NaN for fewer than two.
        size: float64[g] rows, or asset-weeks.
    """

    names: tuple[str, ...]
    value: F64
    low: F64
    high: F64
    rest: F64
    p: F64
    strength: F64
    differs: Bools
    pooled: tuple[str, ...]
    untold: tuple[str, ...]
    p_all: float
    size: F64


def table(groups: Sequence[str], counts: Counts, tests: int) -> Table:
    """Hold each group against all the others together.

    Args:
        groups: names of k groups.
        counts: of them.
        tests: that are made besides, of other rates and at other looks.
    """
    names = np.array(groups, dtype=object)
    told = (counts.evidence > 0) & (counts.size > 0)
    small = told & (counts.evidence < LEAST)
    kept = np.flatnonzero(told & ~small)
    pooled = tuple(names[small])
    columns = (counts.hits, counts.size, counts.evidence)
    hits, size, sure = (column[kept] for column in columns)
    shown = list(names[kept])
    if pooled:
        together = (float(column[small].sum()) for column in columns)
        hits, size, sure = (
            np.append(column, one)
            for column, one in zip((hits, size, sure), together, strict=True)
        )
        shown.append(f"{len(pooled)} small groups" if pooled[1:] else pooled[0])
    return _judged(
        Counts(hits, size, sure, counts.weekly, counts.bursts),
        *(tuple(shown), pooled, tuple(names[~told]), tests),
    )


def _judged(
    counts: Counts,
    names: tuple[str, ...],
    pooled: tuple[str, ...],
    untold: tuple[str, ...],
    tests: int,
) -> Table:
    hits, size, sure = counts.hits, counts.size, counts.evidence
    value = hits / size
    if counts.weekly:
        low, high = poisson(hits / counts.bursts, size / counts.bursts)
    else:
        low, high = wilson(value * sure, sure)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = (hits.sum() - hits) / (size.sum() - size)
    p, p_all = _chances(counts)
    p = np.minimum(p * max(len(names), 1) * tests, 1.0)
    strength = _strength(value, rest, APART_WEEKLY if counts.weekly else APART)
    enough = (sure >= LEAST) & (sure.sum() - sure >= LEAST)
    differs = (strength >= 1) & (p < LEVEL) & enough
    return Table(
        *(names, value, low, high, rest, p, strength, differs),
        *(pooled, untold, p_all, size),
    )


def _chances(counts: Counts) -> tuple[F64, float]:
    """Of a difference as large by chance: each group against the rest, and all."""
    if not len(counts.hits):
        return np.zeros(0), float("nan")
    p, away, spread = (_of_events if counts.weekly else _of_shares)(counts)
    if len(p) < 2 or not (spread > 0).all():  # noqa: PLR2004
        return np.ones(len(p)), float("nan")
    square = float((np.square(away) / spread).sum())
    return p, float(chi_square_sf(square, len(p) - 1))


def _of_events(counts: Counts) -> tuple[F64, F64, F64]:
    """Of a rate in time: p, how far from what is expected, and the variance of that."""
    events = np.rint(counts.hits / counts.bursts)
    part = counts.size / counts.size.sum()
    whole = int(events.sum())
    each = zip(events.tolist(), part.tolist(), strict=True)
    p = np.array([binomial(int(k), whole, own) for k, own in each])
    return p, events - part * whole, part * whole


def _of_shares(counts: Counts) -> tuple[F64, F64, F64]:
    """The same of a share of rows."""
    sure = np.rint(counts.evidence)
    events = np.rint(counts.hits / counts.size * sure)
    bad, n = int(events.sum()), int(sure.sum())
    p = [
        fisher(int(k), int(own), bad - int(k), n - int(own))
        for k, own in zip(events, sure, strict=True)
    ]
    share = bad / max(n, 1)
    return np.array(p), events - sure * share, sure * share * (1 - share)


def _strength(value: F64, rest: F64, apart: float) -> F64:
    """The smaller of ratio and difference, each over what matters; NaN is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(np.log(value / rest)) / log(RATIO)
        found: F64 = np.minimum(ratio, np.abs(value - rest) / apart)
    return np.nan_to_num(found, nan=0.0)
