"""How many independent rows a stretch of data is worth.

A pump that is read every second does not say something new every second. How much the
distribution over a stretch scatters is measured on healthy data, over stretches of many
lengths (`publish.calibration`): no formula of one time constant has a day's cycle and a
slow wander in it. A stretch counts as the number of independent rows that would scatter
as much. Of several assets, what each does by itself averages out and what all do
together does not; that each asset lies elsewhere counts where other assets run than
those of the training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64, I64

LEAST = 1e-12
_MANY = 1e6
_TINY = 1e-9
_TERMS = 20
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, eq=False)
class Wander:
    """How much stretches of healthy data scatter about their whole.

    A scatter is a variance of cumulative shares, in units of that of one independent
    row: 1 / scatter rows that are independent scatter as much.

    Attributes:
        lengths: float64[lengths], seconds, ascending.
        own: float64[lengths, columns], scatter of one asset by itself.
        shared: float64[lengths, columns], of all together.
        freedom: float64[lengths, columns], degrees of freedom they were told from.
        heavy: float64[lengths, columns], 1 or more: how much further than a normal
            distribution's the worst healthy stretch lay.
        between: float64[columns], scatter of the assets' own places.
        span: float64[columns], seconds the reference covers.
        trained: float64[columns], assets the reference has.
        again: float64[columns], how many of them run here.
    """

    lengths: F64
    own: F64
    shared: F64
    freedom: F64
    heavy: F64
    between: F64
    span: F64
    trained: F64
    again: F64
    reference: F64 = field(init=False, repr=False)
    """float64[columns], scatter of the reference itself."""

    def __post_init__(self) -> None:
        own, shared, *_ = _at(self, np.maximum(self.span, _TINY))
        object.__setattr__(self, "reference", own / self.trained + shared)


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """What a comparison is worth.

    Attributes:
        rows: float64[columns], independent rows of both sides together.
        freedom: float64[columns], what that was told from.
        heavy: float64[columns], factor on every limit.
    """

    rows: F64
    freedom: F64
    heavy: F64


def worth(wander: Wander, seconds: float, assets: float, n: I64, told: I64) -> Worth:
    """Of a stretch held against the reference.

    Args:
        wander: of healthy data.
        seconds: of running in the stretch.
        assets: that made its rows.
        n: int64[columns], numbers in it.
        told: int64[columns], numbers in the reference.
    """
    here = _at(wander, np.full(len(n), max(seconds, _TINY)))
    live = np.maximum(here[0] / assets + here[1], 1.0 / np.maximum(n, 1))
    then = np.maximum(wander.reference, 1.0 / np.maximum(told, 1))
    both = np.minimum(wander.again, assets) / (assets * wander.trained)
    others = np.maximum(1.0 / assets + 1.0 / wander.trained - 2.0 * both, 0.0)
    scatter = live + then + wander.between * others
    return Worth(1.0 / np.maximum(scatter, LEAST), here[2], here[3])


def unknown(pieces: int, n: I64, told: I64) -> Worth:
    """Without a calibration: two stretches of the window together are worth one row.

    Nobody knows how slowly the plant wanders. The window's own stretches cannot tell
    what is slower than the window.
    """
    scatter = 2.0 / max(pieces, 1) + 1.0 / np.maximum(n, 1) + 1.0 / np.maximum(told, 1)
    return Worth(1.0 / scatter, np.full(len(n), _MANY), np.ones(len(n)))


def limits(alpha: float, found: Worth) -> tuple[F64, F64]:
    """How many standard errors are too many, as float64[columns] each.

    Args:
        alpha: chance that a healthy column is beyond it; 1 or more asks for nothing.
        found: what the comparison is worth.

    Returns:
        Of a largest difference of cumulative shares, in units of half a share: the
        Kolmogorov distribution's; and of an area between them, in units of that of one
        standard deviation everywhere: a move as a whole is the worst case, scatter that
        is independent everywhere adds its mean of 0.8 and moves little.
    """
    if alpha >= 1.0:
        zero = np.zeros(len(found.rows))
        return zero, zero
    normal = _NORMAL.inv_cdf(1.0 - alpha / 2.0)
    largest = float(np.sqrt(2.0 * np.log(2.0 / alpha)))
    area = max(normal, 0.8 + normal / 1.8)
    return (
        _student(largest, found.freedom) * found.heavy,
        _student(area, found.freedom) * found.heavy,
    )


def chance(errors: F64, freedom: F64) -> F64:
    """How often a healthy column has such a largest difference: Kolmogorov's p.

    Args:
        errors: float64[columns], difference in units of half a share's standard error.
        freedom: float64[columns].
    """
    shrink = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)
    normal = shrink * np.sqrt(freedom * np.log1p(errors * errors / freedom))
    term = np.arange(1, _TERMS + 1)[:, None]
    signs = np.where(term % 2 == 1, 2.0, -2.0)
    series = (signs * np.exp(-(term**2) * normal**2 / 2.0)).sum(axis=0)
    # the series is of no use near 0, where the answer is 1
    found: F64 = np.where(normal < 0.5, 1.0, np.clip(series, 0.0, 1.0))  # noqa: PLR2004
    return found


def _student(normal: float, freedom: F64) -> F64:
    """A normal limit where the standard error itself is a guess; after Wallace."""
    grown = normal * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    # np.expm1 overflows to inf, which is right: nothing can be told from so little
    with np.errstate(over="ignore"):
        found: F64 = np.sqrt(freedom * np.expm1(grown * grown / freedom))
    return found


def _at(wander: Wander, seconds: F64) -> tuple[F64, F64, F64, F64]:
    """Own and shared scatter, freedom and heaviness at a length of each column.

    Longer than what was measured nothing averages out any further.
    """
    lengths = wander.lengths
    place = np.clip(np.searchsorted(lengths, seconds), 1, len(lengths) - 1)
    column = np.arange(wander.own.shape[1])
    step = np.log(lengths[place] / lengths[place - 1])
    part = np.clip(np.log(seconds / lengths[place - 1]) / step, 0.0, 1.0)
    shorter = np.maximum(lengths[0] / seconds, 1.0)

    def between(table: F64) -> F64:
        low = np.log(np.maximum(table[place - 1, column], LEAST))
        high = np.log(np.maximum(table[place, column], LEAST))
        found: F64 = np.exp((1.0 - part) * low + part * high)
        return found

    freedom = np.where(
        part <= 0.0,
        wander.freedom[place - 1, column],
        np.minimum(wander.freedom[place - 1, column], wander.freedom[place, column]),
    )
    return (
        between(wander.own) * shorter,
        between(wander.shared) * shorter,
        freedom,
        between(wander.heavy),
    )
