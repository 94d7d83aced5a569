"""How far apart the counts of two tallies are, all columns at once.

Counts are int64[columns, bins] over the same bins; what fills a row up to the widest
column is zero in both, and adds nothing to any result. A result is float64[columns],
NaN where one side is empty; `answers` says why.

What is binned is seen no finer than its bins. `ks` is therefore a lower bound, and
`ks_most` the upper one; the error of `wasserstein` is at most `wasserstein_error`. Psi,
Jensen-Shannon and Hellinger are those of the bins, and grow when bins are split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64, I64

ZERO_SHARE = 1e-4
"""Stands for the share of an empty bin in `psi`."""


def shares(counts: I64) -> F64:
    """float64[columns, bins] of each column's sum; NaN where that is 0."""
    with np.errstate(invalid="ignore"):
        found: F64 = counts / counts.sum(axis=1, keepdims=True)
    return found


def psi(reference: I64, current: I64, zero: float = ZERO_SHARE) -> F64:
    """Population stability index, float64[columns], 0 to about 18.

    Sum of (p - q) ln(p / q) over the bins, natural logarithm. A share of 0 becomes
    ``zero`` and the other shares stay as they are: the variant of credit scoring, over
    whatever bins the tallies have. Evidently's differs in its bins, and in its zeros
    only where some bin holds a share of 1e-4 or less (see `divergences.psi_evidently`).
    """
    p, q = shares(reference), shares(current)
    p[p == 0.0] = zero
    q[q == 0.0] = zero
    found: F64 = ((p - q) * np.log(p / q)).sum(axis=1)
    return found


def jensen_shannon(reference: I64, current: I64, base: float = 2.0) -> F64:
    """Jensen-Shannon distance, float64[columns], 0 to 1.

    Square root of (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2, as in scipy. Base 2
    as NannyML; Evidently takes base e, so that its most is 0.8326. Zeros stay zeros.
    """
    p, q = shares(reference), shares(current)
    middle = (p + q) / 2.0
    nats = (_kl(p, middle) + _kl(q, middle)).sum(axis=1) / 2.0
    found: F64 = np.sqrt(np.maximum(nats, 0.0) / np.log(base))
    return found


def hellinger(reference: I64, current: I64) -> F64:
    """Hellinger distance, float64[columns], 0 to 1.

    Square root of half the sum of (sqrt p - sqrt q)^2, as NannyML. Zeros stay zeros.
    """
    p, q = shares(reference), shares(current)
    half = ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1) / 2.0
    found: F64 = np.sqrt(half)
    return found


def ks(reference: I64, current: I64) -> F64:
    """Kolmogorov-Smirnov D at the edges of the bins, float64[columns], 0 to 1.

    Largest difference of the two cumulative shares. At most the D of the numbers
    themselves, and equal to it where each bin holds one value.
    """
    below, other = _cumulative(reference), _cumulative(current)
    found: F64 = np.abs(below - other).max(axis=1)
    return found


def ks_most(reference: I64, current: I64) -> F64:
    """float64[columns], what the D of the binned numbers is at most.

    As if all numbers of one side lay at the left of each bin, the other's at the right.
    """
    left, right = _cumulative(reference), _cumulative(current)
    over = left.copy()
    over[:, 1:] -= right[:, :-1]
    under = right.copy()
    under[:, 1:] -= left[:, :-1]
    found: F64 = np.maximum(over, under).max(axis=1)
    return np.minimum(found, 1.0)


def wasserstein(edges: F64, reference: I64, current: I64, low: F64, high: F64) -> F64:
    """Wasserstein-1 distance, float64[columns], in the unit of the column.

    Area between the two cumulative shares, each taken to rise evenly within a bin. That
    of the numbers themselves (scipy's) is off by at most `wasserstein_error`.

    Args:
        edges: float64[columns, bins - 1], rising, filled up with inf.
        reference: int64[columns, bins].
        current: int64[columns, bins].
        low: float64[columns], smallest of both sides, where the first bin begins.
        high: float64[columns], largest of both sides, where the last one ends.
    """
    width = _widths(edges, low, high)
    apart = _cumulative(reference) - _cumulative(current)
    after = np.abs(apart)
    before = np.zeros_like(after)
    before[:, 1:] = after[:, :-1]
    both = before + after
    crossing = np.zeros(apart.shape, bool)
    crossing[:, 1:] = apart[:, 1:] * apart[:, :-1] < 0.0
    # where the lines cross within a bin there are two triangles, not one trapezium
    with np.errstate(invalid="ignore"):
        triangles = (before**2 + after**2) / both
    found: F64 = (width * np.where(crossing, triangles, both)).sum(axis=1) / 2.0
    return found


def wasserstein_error(
    edges: F64, reference: I64, current: I64, low: F64, high: F64
) -> F64:
    """float64[columns], how far off `wasserstein` is at most: half the width of a bin.

    Of each bin, weighted with the sum of both shares in it.
    """
    width = _widths(edges, low, high)
    found: F64 = (width * (shares(reference) + shares(current))).sum(axis=1) / 2.0
    return found


def distance(
    edges: F64, point: F64, counts: I64, low: F64, high: F64
) -> tuple[F64, F64]:
    """Mean distance from a point: Wasserstein-1 from a side that is always the same.

    Each bin's numbers are taken to lie evenly in the part of it between the extremes.

    Args:
        edges: float64[columns, bins - 1], rising, filled up with inf.
        point: float64[columns].
        counts: int64[columns, bins].
        low: float64[columns], smallest number counted.
        high: float64[columns], largest.

    Returns:
        float64[columns] in the unit of the column, and how far off it is at most.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        away = _ends(edges, low, high) - point[:, None]
        near, far = away[:, :-1], away[:, 1:]
        width = far - near
        across = (near**2 + far**2) / (2.0 * width)
        mean = np.where(near * far < 0.0, across, np.abs(near + far) / 2.0)
        share = shares(counts)
        return (mean * share).sum(axis=1), (width * share).sum(axis=1) / 2.0


def _kl(p: F64, q: F64) -> F64:
    """Terms of the Kullback-Leibler divergence, nats; 0 where p is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = p * np.log(p / q)
    # not of what is NaN because its side is empty
    return np.where(p == 0.0, 0.0, terms)


def _cumulative(counts: I64) -> F64:
    """float64[columns, bins], share up to the end of each bin; NaN where none is."""
    with np.errstate(invalid="ignore"):
        found: F64 = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
    return found


def _widths(edges: F64, low: F64, high: F64) -> F64:
    """float64[columns, bins], of the part of each bin where numbers can be."""
    with np.errstate(invalid="ignore"):
        found: F64 = np.diff(_ends(edges, low, high), axis=1)
    return found


def _ends(edges: F64, low: F64, high: F64) -> F64:
    """float64[columns, bins + 1], edges as far as numbers go, and the extremes."""
    ends = np.empty((len(edges), edges.shape[1] + 2))
    ends[:, 0], ends[:, -1] = low, high
    # of an empty side the extremes are the wrong way round, and cancel in the caller
    np.clip(edges, low[:, None], np.maximum(low, high)[:, None], out=ends[:, 1:-1])
    return ends
