"""How much healthy data scatters by itself, measured when the passport is built.

The rows are cut into stretches of many lengths, from seconds to a quarter of them all:
powers of two of a day, so that a day's cycle falls into whole stretches. For each length
the cumulative shares of the stretches are compared with those of the whole, and their
variance is split into what each asset does by itself and what all do together. No model
of the plant is assumed: a slow wander is seen as variance that does not fall with the
length, a cycle as variance that vanishes at its period.

What is longer than a good number of stretches can tell is extrapolated: as steeply as
measured, never more steeply than independent rows and at least with the square root of
the length; more where the few longest stretches show more. `freedom` says what a number
was told from, and limits widen with it as Student's.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.calibration import Calibration, Scatter
from edge_agent.monitoring.drift.yardstick import area_unit, edge_weights, ends_of
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.bundle.profile import Bins
    from edge_agent.samples import F64, I64

    Table = NDArray[np.floating]

DAY = 86_400.0
ASSETS = 50
"""Assets that are looked at; of more, so many spread evenly."""
_TICKS = 64
_MOST = 4096
_STEPS = 4
_FEWEST = 4
_ENOUGH = 30
_GENTLE, _STEEP = -0.5, -1.0
_MORE = 2.5
_APART = 1.5
_ALPHA = 1e-4
_SLACK = 0.7
_LEAST = 1e-9
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Rows in time.

    Attributes:
        asset: int64[rows].
        at: int64[rows], ns.
        context: int64[rows], a number for each context, all 0 for the whole.
        names: of the assets; empty where not known.
    """

    asset: I64
    at: I64
    context: I64
    names: tuple[str, ...] = ()


def calibrated(
    bins: Mapping[str, Bins], values: Table, course: Course
) -> Calibration | None:
    """How much stretches of each column scatter; None where too few rows tell.

    Args:
        bins: of the columns.
        values: float[rows, columns], NaN where missing.
        course: when and where the rows were made. With contexts, stretches are of one
            context each and are held against its own whole.
    """
    cut = _cut(course)
    if cut is None:
        return None
    asset = _some(course.asset)
    columns = {
        name: _scatter(np.asarray(values[:, i], np.float64), own, asset, cut)
        for i, (name, own) in enumerate(bins.items())
    }
    lengths = (*(round(s, 6) for s, _ in _lengths(cut)), round(cut.span, 6))
    return Calibration(
        lengths=lengths,
        span=cut.span,
        assets=len(np.unique(course.asset)),
        names=course.names,
        columns=columns,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """Rows in their shortest stretches.

    Attributes:
        block: int64[rows], of running time in its context.
        of: int64[blocks], the context of each.
        length: seconds of a block.
        span: seconds of running in all.
    """

    block: I64
    of: I64
    length: float
    span: float


def _cut(course: Course) -> _Cut | None:
    """Stretches of running time: pauses are left out, as they are of a live window."""
    order = np.lexsort((course.at, course.asset))
    steps = np.diff(course.at[order])[np.diff(course.asset[order]) == 0]
    steps = steps[steps > 0]
    if not len(steps):
        return None
    step = float(np.median(steps))
    tick = ((course.at - course.at.min()) / step + 0.5).astype(np.int64)
    contexts = np.unique(course.context)
    ranked = np.zeros(len(tick), np.int64)
    ticks = 0
    for context in contexts.tolist():
        mine = course.context == context
        _, ranked[mine] = np.unique(tick[mine], return_inverse=True)
        ticks += int(ranked[mine].max()) + 1
    if ticks < _TICKS:
        return None
    length = DAY
    seconds = step / NANOSECONDS
    while length / 2 >= max(_STEPS * seconds, ticks * seconds / _MOST):
        length /= 2
    while length < _STEPS * seconds:
        length *= 2
    within = (ranked * (seconds / length)).astype(np.int64)
    block, of, first = np.zeros(len(tick), np.int64), [], 0
    for context in contexts.tolist():
        mine = course.context == context
        count = int(within[mine].max()) + 1
        block[mine] = first + within[mine]
        of += [context] * count
        first += count
    return _Cut(block, np.array(of), length, ticks * seconds)


def _some(asset: I64) -> I64:
    """int64[rows], number of each row's asset among those looked at, -1 for others."""
    known = np.unique(asset)
    picked = known[:: max(-(-len(known) // ASSETS), 1)]
    place = np.searchsorted(picked, asset).clip(max=len(picked) - 1)
    return np.where(picked[place] == asset, place, -1)


def _lengths(cut: _Cut) -> Iterator[tuple[float, int]]:
    """Seconds of each length that is measured, and how many blocks make one."""
    times = 1
    while sum(_counts_of(cut, times)) >= _FEWEST:
        yield cut.length * times, times
        times *= 2


def _counts_of(cut: _Cut, times: int) -> list[int]:
    """Whole stretches of so many blocks, of each context."""
    return [int(n) // times for n in np.unique(cut.of, return_counts=True)[1]]


def _scatter(column: F64, bins: Bins, asset: I64, cut: _Cut) -> Scatter:
    edges = np.array(bins.edges)
    used = np.isfinite(column) & (asset >= 0)
    place = np.searchsorted(edges, column[used], side="left")
    shape = (len(cut.of), int(asset.max()) + 1, len(edges) + 1)
    where = np.ravel_multi_index((cut.block[used], asset[used], place), shape)
    size = int(np.prod(shape))
    counts = np.bincount(where, minlength=size).reshape(shape).astype(np.float32)
    measure = _Measure.of(edges, counts)
    found = [
        _told(_grouped(counts, cut.of, times), measure) for _, times in _lengths(cut)
    ]
    lengths = np.array([seconds for seconds, _ in _lengths(cut)])
    table = np.array(found)
    own = _extended(lengths, table[:, 0], table[:, 2], cut.span)
    shared = _extended(lengths, table[:, 1], table[:, 2], cut.span)
    freedom = np.minimum(own[1], shared[1])
    heavy = np.append(table[:, 3], table[-1, 3])
    enough = np.flatnonzero(table[:, 2] >= _ENOUGH)
    heavy[(enough[-1] if len(enough) else 0) :] = heavy[
        enough[-1] if len(enough) else 0
    ]
    apart = max(_between(counts, measure) - float(own[0][-1]), 0.0)
    return Scatter(
        own=_rounded(own[0]),
        shared=_rounded(shared[0]),
        freedom=_rounded(freedom),
        heavy=_rounded(heavy),
        between=round(apart, 9),
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
    def of(edges: F64, counts: NDArray[np.float32]) -> _Measure:
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


def _grouped(
    counts: NDArray[np.float32], of: I64, times: int
) -> list[NDArray[np.float32]]:
    """float32[stretches, assets, bins] of each context."""
    found = []
    for context in np.unique(of).tolist():
        mine = counts[of == context]
        whole = len(mine) // times
        shape = (whole, times, *mine.shape[1:])
        found.append(mine[: whole * times].reshape(shape).sum(axis=1))
    return found


def _told(
    groups: Sequence[NDArray[np.float32]], measure: _Measure
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


def _away(counts: NDArray[np.float32]) -> tuple[F64, NDArray[np.bool_]]:
    """Cumulative shares of each stretch less its asset's own, and which have rows."""
    n = counts.sum(axis=2)
    usual = np.median(n[n > 0]) if (n > 0).any() else 1.0
    there = n >= usual / 2
    whole = counts.sum(axis=0, dtype=np.float64)
    mine = whole.cumsum(axis=1) / np.maximum(whole.sum(axis=1), 1.0)[:, None]
    below = counts.cumsum(axis=2) / np.maximum(n, 1.0)[..., None]
    away = np.where(there[..., None], below - mine, 0.0)[..., :-1]
    return away.astype(np.float64), there


def _between(counts: NDArray[np.float32], measure: _Measure) -> float:
    """Scatter of where the assets lie."""
    whole = counts.sum(axis=0, dtype=np.float64)
    there = whole.sum(axis=1) > 0
    if there.sum() < 2:  # noqa: PLR2004
        return 0.0
    below = whole[there].cumsum(axis=1) / whole[there].sum(axis=1)[:, None]
    return measure.variance(below[:, :-1].var(axis=0, ddof=1))


def _extended(lengths: F64, seen: F64, freedom: F64, span: float) -> tuple[F64, F64]:
    """Scatter and degrees of freedom at each length and at the whole span."""
    last = max(int((freedom >= _ENOUGH).sum()) - 1, 0)
    slope = _slope(lengths[: last + 1], seen[: last + 1])
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


def _slope(lengths: F64, scatter: F64) -> float:
    """How scatter falls with the length, of logarithms, over the last factor of 4."""
    if scatter[-1] <= 0:
        return _STEEP
    if len(lengths) < 3 or scatter[-3] <= 0:  # noqa: PLR2004
        return _GENTLE
    fall = np.log(scatter[-1] / scatter[-3]) / np.log(lengths[-1] / lengths[-3])
    return min(max(float(fall), _STEEP), _GENTLE)


def _widening(freedom: F64) -> F64:
    """How many times more variance a limit of Student's allows than a normal one."""
    normal = _NORMAL.inv_cdf(1.0 - _ALPHA / 2.0)
    grown = normal * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    with np.errstate(over="ignore"):
        found: F64 = freedom * np.expm1(grown * grown / freedom) / normal**2
    return found


def _rounded(numbers: F64) -> tuple[float, ...]:
    return tuple(float(f"{x:.4g}") for x in numbers)
