"""Whether a chance of 0.8 is bad in 80 of 100 rows: bins and their distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64

BINS = 10
"""Of equal width over 0..1; bin i is (i/10, (i+1)/10]."""


def bins_of(chance: F64, bad: NDArray[Any]) -> F64:
    """float64[1, BINS, 3] of chances and what was found, for the calibration error."""
    return bins_by_code(chance, bad, np.zeros(len(chance), np.int32), 1)


def bins_by_code(chance: F64, bad: NDArray[Any], code: I32, codes: int) -> F64:
    """float64[codes, BINS, 3]: rows, sum of the chances, bad ones."""
    cells = _bin(chance) + code * np.int64(BINS)
    columns = [np.bincount(cells, w, codes * BINS) for w in (None, chance, bad)]
    return np.stack(columns, axis=1).reshape(codes, BINS, 3).astype(np.float64)


def _bin(chance: F64) -> I64:
    """Bin of each chance, as scikit-learn's ``calibration_curve`` has it."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    guess = np.clip((chance * BINS).astype(np.int64), 0, BINS - 1)
    # a chance on an edge belongs to the bin below it
    guess -= (chance <= edges[guess]) & (guess > 0)
    return guess


def calibration_error(bins: F64) -> F64:
    """float64[k] expected calibration error of float64[k, BINS, 3]; NaN without rows.

    The mean distance, weighted by rows, between the chance of bad the model gave and
    the share that was bad, over the bins of `BINS`.
    """
    return _over(np.abs(bins[:, :, 1] - bins[:, :, 2]), bins)


def calibration_noise(bins: F64) -> F64:
    """float64[k] calibration error that chance alone gives a well calibrated model.

    The mean distance of a share of n rows from its p is sqrt(2 p (1 - p) / (pi n)).
    """
    rows = bins[:, :, 0]
    n = np.maximum(rows, 1.0)
    share = np.clip(bins[:, :, 1] / n, 0.0, 1.0)
    apart = np.sqrt(2.0 * share * (1.0 - share) / (np.pi * n)) * rows
    return _over(apart, bins)


def _over(apart: F64, bins: F64) -> F64:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: F64 = apart.sum(axis=1) / bins[:, :, 0].sum(axis=1)
    return found
