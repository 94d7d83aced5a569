"""Wasserstein-1 of two samples: how far the average number has to move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.statistics.finite import finite

if TYPE_CHECKING:
    from edge_agent.samples import F64

_LEAST_STD = 1e-3


def wasserstein(reference: F64, current: F64) -> float:
    """Area between the cumulative shares, in the unit of the samples, as scipy.

    Args:
        reference: float64[n] in any order; what is not finite is left out.
        current: float64[m].

    Returns:
        NaN where a side has no number.
    """
    one, other = finite(reference), finite(current)
    return _area(one, other) if len(one) and len(other) else float("nan")


def wasserstein_evidently(reference: F64, current: F64) -> float:
    """The same over the standard deviation of the reference (its n, not n - 1).

    Evidently takes 0.001 for a smaller deviation, whatever the unit is.
    """
    one, other = finite(reference), finite(current)
    if not len(one) or not len(other):
        return float("nan")
    return _area(one, other) / max(float(np.std(one)), _LEAST_STD)


def _area(one: F64, other: F64) -> float:
    both = np.concatenate([one, other])
    both.sort()
    below = np.searchsorted(one, both[:-1], side="right") / len(one)
    below -= np.searchsorted(other, both[:-1], side="right") / len(other)
    return float((np.abs(below) * np.diff(both)).sum())
