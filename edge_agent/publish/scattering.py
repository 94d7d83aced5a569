"""The scatter of a column's stretches, of one length and of many, as single numbers.

What is longer than a good number of stretches can tell is extrapolated: as steeply as
measured, never more steeply than independent rows and at least with the square root of
the length; more where the few longest stretches show more. Degrees of freedom say what
a number was told from, and limits widen with them as Student's.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.drift.yardstick import area_unit, edge_weights, ends_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

    Counts = NDArray[np.float32]

_ENOUGH = 20
_MANY = 100
_GENTLE, _STEEP = -0.5, -1.0
_MORE = 2.5
_APART = 1.5
_ALPHA = 1e-4
_SLACK = 0.7
_LEAST = 1e-9
_NORMAL = NormalDist()


class Scattered(NamedTuple):
    """One column's.

    Attributes:
        own: float64[lengths + 1], of one asset by itself; the last is of the span.
        shared: float64[lengths + 1], of all assets together.
        freedom: float64[lengths + 1].
        heavy: float64[lengths + 1], how much further than a normal distribution's the
            worst stretch lay.
        between: of where the assets lie.
    """

    own: F64
    shared: F64
    freedom: F64
    heavy: F64
    between: float


def scattered(
    counts: Counts, edges: F64, of: I64, length: float, times: I64, span: float
) -> Scattered:
    """How much a column's stretches scatter about their context's whole.

    Args:
        counts: float32[blocks, assets, bins].
        edges: float64[bins - 1].
        of: int64[blocks], the context of each.
        length: seconds of a block.
        times: int64[lengths], ascending; blocks of a stretch.
        span: seconds of the longest context.
    """
    measure = _Measure.of(edges, counts)
    told = np.array([_told(_grouped(counts, of, k), measure) for k in times.tolist()])
    lengths = np.asarray(times * length, np.float64)
    own, of_own = _extended(lengths, told[:, 0], told[:, 2], span)
    shared, of_shared = _extended(lengths, told[:, 1], told[:, 2], span)
    heavy = np.append(told[:, 3], 1.0)
    last = _last(told[:, 2])
    # of a handful of stretches the worst tells nothing
    heavy[last:] = heavy[last]
    groups = _grouped(counts, of, 1)
    weights = np.array([group.sum(dtype=np.float64) for group in groups])
    between = np.average(
        [_between(group, measure) for group in groups], weights=weights
    )
    return Scattered(
        *(own, shared, np.minimum(of_own, of_shared), heavy),
        max(float(between) - float(own[-1]), 0.0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Measure:
    """Makes one number of a variance at each edge, 1 for one independent row.

    Attributes:
        weights: float64[edges], of an area.
        unit: the area under the deviations of one independent row.
    """

    weights: F64
    unit: float

    @staticmethod
    def of(edges: F64, counts: Counts) -> _Measure:
        total = counts.sum(axis=(0, 1), dtype=np.float64)
        shares = (total / max(total.sum(), 1.0))[None]
        table = edges[None]
        table = np.clip(table, *ends_of(table, np.zeros(1))[:, :, None])
        return _Measure(edge_weights(table)[0], float(area_unit(table, shares)[0]))

    def variance(self, each: F64) -> float:
        """The larger of what limits a largest difference, and an area."""
        area = float(np.sqrt(each) @ self.weights / self.unit)
        return max(4.0 * float(each.max(initial=0.0)), area * area)

    def errors(self, apart: F64, variance: float) -> F64:
        """float64[stretches], each one's distance in standard errors."""
        away = np.abs(apart)
        area = away @ self.weights / self.unit
        both = np.maximum(2.0 * away.max(axis=1, initial=0.0), area)
        found: F64 = both / np.sqrt(max(variance, _LEAST))
        return found


def _grouped(counts: Counts, of: I64, times: int) -> list[Counts]:
    """float32[stretches, assets, bins] of each context."""
    found = []
    for context in np.unique(of).tolist():
        mine = counts[of == context]
        whole = len(mine) // times
        shape = (whole, times, *mine.shape[1:])
        found.append(mine[: whole * times].reshape(shape).sum(axis=1))
    return found


def _told(
    groups: Sequence[Counts], measure: _Measure
) -> tuple[float, float, float, float]:
    """Own and shared scatter, degrees of freedom and heaviness at one length."""
    pooled, own, present = [], [], []
    for counts in groups:
        if not len(counts):
            continue
        away, there = _away(counts)
        kept = there.any(axis=1)
        away, there = away[kept], there[kept]
        many = there.sum(axis=1)
        middle = away.sum(axis=1) / many[:, None]
        pooled.append(middle)
        present.append(many)
        several = many > 1
        rest = np.where(there[..., None], away - middle[:, None], 0.0)[several]
        spread = (rest**2).sum(axis=1) / (many[several] - 1)[:, None]
        own.append(spread)
    apart, each, many = (np.concatenate(part) for part in (pooled, own, present))
    freedom = max(float(len(apart) - len(pooled)), 1.0)
    together = measure.variance((apart**2).mean(axis=0)) if len(apart) else 0.0
    mean_assets = len(many) / float((1.0 / many).sum()) if len(many) else 1.0
    heavy = 1.0
    if len(apart) > 1 and together > 0:
        usual = _NORMAL.inv_cdf(1.0 - 0.5 / len(apart)) + _SLACK
        heavy = max(float(measure.errors(apart, together).max()) / usual, 1.0)
    if mean_assets < _APART or not len(each):
        return 0.0, together, freedom, heavy
    alone = measure.variance(each.mean(axis=0))
    return alone, max(together - alone / mean_assets, 0.0), freedom, heavy


def _away(counts: Counts) -> tuple[F64, NDArray[np.bool_]]:
    """Cumulative shares of each stretch less its asset's own, and which have rows."""
    n = counts.sum(axis=2)
    usual = np.median(n[n > 0]) if (n > 0).any() else 1.0
    there = n >= usual / 2
    whole = counts.sum(axis=0, dtype=np.float64)
    mine = whole.cumsum(axis=1) / np.maximum(whole.sum(axis=1), 1.0)[:, None]
    below = counts.cumsum(axis=2) / np.maximum(n, 1.0)[..., None]
    away = np.where(there[..., None], below - mine, 0.0)[..., :-1]
    return away.astype(np.float64), there


def _between(counts: Counts, measure: _Measure) -> float:
    """Scatter of where the assets lie."""
    whole = counts.sum(axis=0, dtype=np.float64)
    there = whole.sum(axis=1) > 0
    if there.sum() < 2:  # noqa: PLR2004
        return 0.0
    below = whole[there].cumsum(axis=1) / whole[there].sum(axis=1)[:, None]
    return measure.variance(below[:, :-1].var(axis=0, ddof=1))


def _extended(lengths: F64, seen: F64, freedom: F64, span: float) -> tuple[F64, F64]:
    """Scatter and degrees of freedom at each length and at the whole span."""
    last = _last(freedom)
    slope = _slope(lengths, seen, freedom)
    # the whole holds its own stretches: they scatter about it by less than about what
    # an endless reference would have shown, by as much as the whole itself is off
    fall = float((span / lengths[-1]) ** slope)
    direct = seen + seen[-1] * fall / (1.0 - fall)
    on = direct[last] * (lengths / lengths[last]) ** slope
    more = direct > _MORE * on
    scatter = np.maximum(on, direct)
    told = np.where(more, freedom, freedom[last])
    # a few long stretches by themselves may be surer: a cycle that averages out
    alone = direct * _widening(freedom) < scatter * _widening(told)
    alone[: last + 1] = True
    scatter, told = np.where(alone, direct, scatter), np.where(alone, freedom, told)
    return np.append(scatter, scatter[-1] * fall), np.append(told, told[-1])


def _last(freedom: F64) -> int:
    """The longest length of which there are many stretches."""
    return max(int((freedom >= _ENOUGH).sum()) - 1, 0)


def _slope(lengths: F64, scatter: F64, freedom: F64) -> float:
    """How scatter falls with the length, of logarithms, at the long end.

    A straight line through the lengths with no more than `_MANY` stretches, each as
    sure as their number makes it, and one standard error to the careful side.
    """
    used = (freedom <= max(_MANY, float(freedom[-1]))) & (scatter > 0)
    if scatter[-1] <= 0:
        return _STEEP
    if used.sum() < 3:  # noqa: PLR2004
        return _GENTLE
    x, y, weight = np.log(lengths[used]), np.log(scatter[used]), freedom[used] / 2.0
    x = x - np.average(x, weights=weight)
    spread = float(weight @ x**2)
    fall = float(weight @ (x * y)) / spread + 1.0 / np.sqrt(spread)
    return float(min(max(fall, _STEEP), _GENTLE))


def _widening(freedom: F64) -> F64:
    """How many times more variance a limit of Student's allows than a normal one."""
    normal = _NORMAL.inv_cdf(1.0 - _ALPHA / 2.0)
    grown = normal * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    with np.errstate(over="ignore"):
        found: F64 = freedom * np.expm1(grown * grown / freedom) / normal**2
    return found
