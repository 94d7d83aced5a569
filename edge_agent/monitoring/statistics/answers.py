"""Statistics with what stands behind them: why there is none, and what was left out.

An `Answer` or `Apart` never says "no drift" of what could not be compared: its value is
NaN, and its reason says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.statistics import binned
from edge_agent.monitoring.statistics.finite import finite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_agent.monitoring.tallies import Grid, Tallies
    from edge_agent.samples import F64, I64, U8

FEWEST = 30
"""Numbers a side below which nothing is said."""


class Reason(IntEnum):
    """What an answer is worth. The first of those that apply, OK last."""

    OK = 0
    EMPTY_REFERENCE = 1
    EMPTY_CURRENT = 2
    TOO_FEW = 3
    CONSTANT_REFERENCE = 4
    """There is a value, but no width to hold it against: any move is a full one."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One statistic of some columns.

    Attributes:
        value: float64[columns], NaN where there is none.
        reason: uint8[columns], see `Reason`.
        dropped_reference: int64[columns], what was no number on this side.
        dropped_current: int64[columns].
    """

    value: F64
    reason: U8
    dropped_reference: I64
    dropped_current: I64


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """How far two tallies are apart, column by column.

    All are float64[columns], NaN where nothing can be said. A column whose reference is
    constant is compared in two bins: that number, and any other, however near. If all
    current numbers are others, it is a full move: 1, and 18.4 for psi. Where bins and
    moments do not tell how many are, it is at least so many.

    Attributes:
        psi, jensen_shannon, hellinger, ks, ks_most: as in `binned`.
        wasserstein: in the unit of the column, at least the difference of the means;
            `binned.distance` from a constant.
        wasserstein_error: how far off it is at most.
        wasserstein_normed: over the reference's standard deviation. inf where a
            constant reference has moved.
        reason: uint8[columns], see `Reason`.
        dropped_reference: int64[columns], what was no number on this side.
        dropped_current: int64[columns].
    """

    psi: F64
    jensen_shannon: F64
    hellinger: F64
    ks: F64
    ks_most: F64
    wasserstein: F64
    wasserstein_error: F64
    wasserstein_normed: F64
    reason: U8
    dropped_reference: I64
    dropped_current: I64


def of_tallies(
    grid: Grid, reference: Tallies, current: Tallies, fewest: int = FEWEST
) -> Apart:
    """Compare two tallies over one grid.

    Args:
        grid: of both.
        reference: what was usual.
        current: what is now.
        fewest: numbers a side below which a column has no value.
    """
    constant = (reference.n > 0) & (reference.low == reference.high)
    reason = _reasons(reference.n, current.n, constant, fewest)
    known = (reason == Reason.OK) | (reason == Reason.CONSTANT_REFERENCE)
    constant &= known
    away = _away(grid, reference, current) if constant.any() else current.n
    usual, now = _in_two_bins(reference, current, away, constant)
    most = np.where(constant, away > 0, binned.ks_most(usual, now))
    area, error, normed = _moved(grid, reference, current, constant)

    def told(value: F64) -> F64:
        return np.where(known, value, np.nan)

    return Apart(
        psi=told(binned.psi(usual, now)),
        jensen_shannon=told(binned.jensen_shannon(usual, now)),
        hellinger=told(binned.hellinger(usual, now)),
        ks=told(binned.ks(usual, now)),
        ks_most=told(most),
        wasserstein=told(area),
        wasserstein_error=told(error),
        wasserstein_normed=told(normed),
        reason=reason,
        dropped_reference=reference.missing,
        dropped_current=current.missing,
    )


def of_samples(
    statistic: Callable[[F64, F64], float],
    references: Sequence[F64],
    currents: Sequence[F64],
    fewest: int = FEWEST,
) -> Answer:
    """One statistic of samples, a pair for each column.

    The value of a column with a constant reference is the library's own, which may be 0
    though all has moved (`divergences.psi_deciles`): its reason is not OK.

    Args:
        statistic: of `divergences`, `kolmogorov` or `wasserstein`.
        references: float64[n] each.
        currents: float64[m] each.
        fewest: numbers a side below which a column has no value.
    """
    ones, others = [finite(s) for s in references], [finite(s) for s in currents]
    constant = np.array([len(s) > 0 and s[0] == s[-1] for s in ones], bool)
    reason = _reasons(_lengths(ones), _lengths(others), constant, fewest)
    known = (reason == Reason.OK) | (reason == Reason.CONSTANT_REFERENCE)
    value = np.full(len(ones), np.nan)
    for place in np.flatnonzero(known):
        value[place] = statistic(ones[place], others[place])
    return Answer(
        value,
        reason,
        _lengths(references) - _lengths(ones),
        _lengths(currents) - _lengths(others),
    )


def _reasons(n: I64, m: I64, constant: NDArray[np.bool_], fewest: int) -> U8:
    """uint8[columns]."""
    reason = np.where(constant, Reason.CONSTANT_REFERENCE, Reason.OK)
    reason[np.minimum(n, m) < fewest] = Reason.TOO_FEW
    reason[m == 0] = Reason.EMPTY_CURRENT
    reason[n == 0] = Reason.EMPTY_REFERENCE
    return reason.astype(np.uint8)


def _lengths(samples: Sequence[F64]) -> I64:
    return np.array([len(sample) for sample in samples], np.int64)


def _in_two_bins(
    reference: Tallies, current: Tallies, away: I64, columns: NDArray[np.bool_]
) -> tuple[I64, I64]:
    """Counts of both, those of constant columns anew.

    Bins may hide what leaves a constant: it and where it goes can share one.
    """
    usual, now = reference.counts.copy(), current.counts.copy()
    usual[columns] = now[columns] = 0
    usual[columns, 0] = reference.n[columns]
    now[columns, 0] = (current.n - away)[columns]
    now[columns, 1] = away[columns]
    return usual, now


def _away(grid: Grid, reference: Tallies, current: Tallies) -> I64:
    """int64[columns], current numbers that are not the reference's only one, at least.

    Those in other bins; all, where the extremes leave that number out; and what the
    moments take: with a mean distance a and a mean square s of it, of which none is
    longer than f, the share away is at least a^2 / s, and s / f^2. Both are exact for
    a switch of two positions.
    """
    only, n = reference.low, current.n
    home = reference.counts.argmax(axis=1)[:, None]
    elsewhere = n - np.take_along_axis(current.counts, home, axis=1)[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = current.mean(grid) - only
        square = current.std() ** 2 + mean**2
        far = np.maximum(np.abs(current.low - only), np.abs(current.high - only))
        share = np.fmax(mean**2 / square, square / far**2)
    least = np.rint(np.nan_to_num(np.clip(share, 0.0, 1.0)) * n).astype(np.int64)
    least = np.maximum(least, (current.low < only) * 1 + (current.high > only) * 1)
    moved = (current.low != only) | (current.high != only)
    least = np.where(moved, np.maximum(least, elsewhere), 0)
    gone = (current.low > only) | (current.high < only)
    return np.where(gone, n, np.minimum(least, n))


def _moved(
    grid: Grid, reference: Tallies, current: Tallies, constant: NDArray[np.bool_]
) -> tuple[F64, F64, F64]:
    """Wasserstein-1, its largest error, and over the reference's deviation."""
    low = np.minimum(reference.low, current.low)
    high = np.maximum(reference.high, current.high)
    sides = (grid.edges, reference.counts, current.counts, low, high)
    area, error = binned.wasserstein(*sides), binned.wasserstein_error(*sides)
    std = reference.std()
    if constant.any():
        now = (current.counts, current.low, current.high)
        off, most = binned.distance(grid.edges, reference.low, *now)
        area, error = np.where(constant, off, area), np.where(constant, most, error)
        std = np.where(constant, 0.0, std)
    # no distance is below that of the means, whatever the bins hide
    area = np.fmax(area, np.abs(current.mean(grid) - reference.mean(grid)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return area, error, np.where(area == 0.0, 0.0, area / std)
