"""Kolmogorov-Smirnov of two samples: D, and how likely it is by chance.

The p takes every number for independent. Readings of a plant are not: ask `smirnov`
with an effective size, or better, look at D alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.statistics import smirnov
from edge_agent.monitoring.statistics.finite import finite

if TYPE_CHECKING:
    from edge_agent.samples import F64

_EXACT_TO = 10_000


class KolmogorovSmirnov(NamedTuple):
    """Two-sided test of two samples.

    Attributes:
        d: largest difference of the cumulative shares, 0 to 1.
        p: chance of at least that much where nothing has changed.
    """

    d: float
    p: float


def ks(reference: F64, current: F64) -> KolmogorovSmirnov:
    """As scipy's ``ks_2samp``: p is `smirnov.exact` up to 10,000 a side, else `tail`.

    Args:
        reference: float64[n] in any order; what is not finite is left out.
        current: float64[m].

    Returns:
        NaN for both where a side has no number.
    """
    one, other = finite(reference), finite(current)
    n, m = len(one), len(other)
    if not n or not m:
        return KolmogorovSmirnov(float("nan"), float("nan"))
    d = _largest(one, other)
    if max(n, m) <= _EXACT_TO:
        return KolmogorovSmirnov(d, smirnov.exact(d, n, m))
    return KolmogorovSmirnov(d, _tail(d, n, m))


def ks_d(reference: F64, current: F64) -> float:
    """D alone, as NannyML up to 10,000 reference rows; NaN where a side is empty."""
    one, other = finite(reference), finite(current)
    return _largest(one, other) if len(one) and len(other) else float("nan")


def ks_p(reference: F64, current: F64) -> float:
    """P alone, as Evidently tells it; NaN where a side is empty."""
    return ks(reference, current).p


def ks_p_asymptotic(reference: F64, current: F64) -> float:
    """As scipy's ``method="asymp"``: one sample of n m / (n + m), rounded."""
    one, other = finite(reference), finite(current)
    if not len(one) or not len(other):
        return float("nan")
    return _tail(_largest(one, other), len(one), len(other))


def _tail(d: float, n: int, m: int) -> float:
    return smirnov.tail(d, round(n * m / (n + m)))


def _largest(one: F64, other: F64) -> float:
    both = np.concatenate([one, other])
    below = np.searchsorted(one, both, side="right") / len(one)
    below -= np.searchsorted(other, both, side="right") / len(other)
    return float(np.abs(below).max())
