"""Confidence intervals of shares, rates and means.

All are two-sided. Shares and rates take arrays; counts may be fractions, as pieces of
evidence that depend on each other count for less than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.accuracy.tails import gamma_quantile, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from edge_agent.samples import F64

CONFIDENCE = 0.95
_SMALL = 1e-12


class Interval(NamedTuple):
    """Lower and upper end; NaN where there is nothing to go by."""

    low: F64
    high: F64


def wilson(hits: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share ``hits / n``; NaN where n is 0."""
    k, many = np.asarray(hits, float), np.asarray(n, float)
    z = normal_quantile((1 + confidence) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / many
        weight = 1.0 + z * z / many
        centre = share + z * z / (2.0 * many)
        spread = z * np.sqrt(share * (1 - share) / many + (z / (2.0 * many)) ** 2)
        low, high = (centre - spread) / weight, (centre + spread) / weight
    low = np.where(k <= 0, np.where(many > 0, 0.0, np.nan), low)
    high = np.where((k >= many) & (many > 0), 1.0, high)
    return Interval(np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0))


def poisson(
    events: ArrayLike, exposure: ArrayLike, confidence: float = CONFIDENCE
) -> Interval:
    """Garwood's exact interval of a rate ``events / exposure``; NaN without exposure.

    A bit wide, never too narrow: events come whole.
    """
    k, size = np.asarray(events, float), np.asarray(exposure, float)
    tail = (1 - confidence) / 2
    low, high = gamma_quantile(k, tail), gamma_quantile(k + 1, 1 - tail)
    size = np.where(size > 0, size, np.nan)
    return Interval(low / size, high / size)


def positive(
    value: F64, variance: F64, n: F64, confidence: float = CONFIDENCE
) -> Interval:
    """Of a mean that cannot be negative, by Student's t of its logarithm.

    Args:
        value: float64[k] found; NaN is passed on.
        variance: float64[k] of it, not of a single row.
        n: float64[k] independent pieces it rests on; NaN with fewer than two.
        confidence: two-sided.
    """
    t = _student(normal_quantile((1 + confidence) / 2), n - 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = np.exp(t * np.sqrt(variance) / value)
        low, high = value / factor, value * factor
    still, few = value <= 0, ~(n > 1)
    low, high = np.where(still, value, low), np.where(still, value, high)
    return Interval(np.where(few, np.nan, low), np.where(few, np.nan, high))


def evidence(whole: F64, hits: F64, variance: F64, most: F64) -> F64:
    """Rows that count as independent, of a share found over rows that are not.

    A share of ``whole`` independent rows would have a variance of p (1 - p) / whole;
    what it really has, from piece to piece, says how many there are.

    Args:
        whole: float64[k] rows.
        hits: float64[k] rows of them that count.
        variance: float64[k] of the share, from piece to piece; NaN where unknown.
        most: float64[k] that there are at least: were all rows of a piece alike.

    Returns:
        float64[k] between ``most`` and ``whole``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / whole
        found = share * (1 - share) / variance
    found = np.where(np.isfinite(found) & (found > _SMALL), found, most)
    return np.clip(found, np.minimum(most, whole), whole)


def _student(z: float, df: F64) -> F64:
    """Quantile of Student's t where the normal's is z (Cornish and Fisher)."""
    v = np.maximum(df, 1.0)
    first, second = z**3 + z, 5 * z**5 + 16 * z**3 + 3 * z
    found: F64 = z + first / (4 * v) + second / (96 * v * v)
    return found
