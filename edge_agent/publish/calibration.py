"""How much healthy data scatters by itself, measured when the passport is built.

The rows are cut into stretches of many lengths, from seconds to a quarter of them all:
powers of two of a day, so that a day's cycle falls into whole stretches. For each
length the cumulative shares of the stretches are compared with those of the whole, and
their variance is split into what each asset does by itself and what all do together
(`scattering`). No model of the plant is assumed: a slow wander is seen as variance that
does not fall with the length, a cycle as variance that vanishes at its period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.calibration import MAX_NAMES, Calibration, Calibrations, Scatter
from edge_agent.bundle.profile import as_counted
from edge_agent.bundle.reference import CALIBRATED
from edge_agent.publish.scattering import scattered
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.bundle.profile import Bins
    from edge_agent.bundle.reference import ReferenceFile
    from edge_agent.publish.rows import Rows
    from edge_agent.samples import F64, I64

    Table = NDArray[np.floating]
    Taken = tuple[Rows, I64, Table]

DAY = 86_400.0
ASSETS = 50
"""Assets that are looked at; of more, so many spread evenly."""
_TICKS = 64
_MOST = 4096
_STEPS = 4
_FEWEST = 4


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
    times = _times(cut)
    if not len(times):
        return None
    columns = {
        name: _column(as_counted(values[:, i]), own, asset, cut, times)
        for i, (name, own) in enumerate(bins.items())
    }
    return Calibration(
        lengths=(*(round(float(k * cut.length), 6) for k in times), cut.longest),
        span=cut.span,
        assets=len(np.unique(course.asset)),
        names=course.names[:MAX_NAMES],
        columns=columns,
    )


def with_calibration(
    profile: ReferenceFile, learned: Taken, scored: Taken, assets: Sequence[str]
) -> ReferenceFile:
    """A profile that says how much its columns scatter, where its rows carry times.

    Args:
        profile: as `reference.profiled` made it.
        learned: rows, which of them, and the features' values.
        scored: rows, which of them, and the outputs' values.
        assets: names, in the order rows number them.
    """
    features, outputs = profile.baseline.features, profile.baseline.outputs
    found = Calibrations(
        features=_of_rows(features, learned, assets, within=False),
        outputs=_of_rows(outputs, scored, assets, within=False),
        features_in_context=_of_rows(features, learned, assets, within=True),
        outputs_in_context=_of_rows(outputs, scored, assets, within=True),
    )
    if found.features is None and found.outputs is None:
        return profile
    return profile.model_copy(update={"reference": CALIBRATED, "calibration": found})


def _of_rows(
    bins: Mapping[str, Bins], taken: Taken, assets: Sequence[str], *, within: bool
) -> Calibration | None:
    rows, which, values = taken
    if rows.at is None or not len(which) or (within and not rows.contexts):
        return None
    context = np.zeros(len(which), np.int64)
    if within:
        spoken = np.array(rows.contexts, object)[which].astype(str)
        _, context = np.unique(spoken, return_inverse=True)
    asset = rows.asset[which].astype(np.int64)
    named = len(assets) > int(asset.max())
    names = tuple(assets[i] for i in np.unique(asset).tolist()) if named else ()
    return calibrated(bins, values, Course(asset, rows.at[which], context, names))


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """Rows in their shortest stretches.

    Attributes:
        block: int64[rows], of running time in its context.
        of: int64[blocks], the context of each.
        length: seconds of a block.
        span: seconds of running in all.
        longest: seconds of the context that ran longest.
    """

    block: I64
    of: I64
    length: float
    span: float
    longest: float


def _cut(course: Course) -> _Cut | None:
    """Stretches of running time: pauses are left out, as they are of a live window."""
    step = _step(course)
    if step is None:
        return None
    tick = ((course.at - course.at.min()) / step + 0.5).astype(np.int64)
    rank, ticks = _ranked(tick, course.context)
    if sum(ticks) < _TICKS:
        return None
    seconds = step / NANOSECONDS
    length = DAY
    while length / 2 >= max(_STEPS * seconds, sum(ticks) * seconds / _MOST):
        length /= 2
    while length < _STEPS * seconds:
        length *= 2
    within = (rank * (seconds / length)).astype(np.int64)
    block, of = np.zeros(len(tick), np.int64), list[int]()
    for place, context in enumerate(np.unique(course.context).tolist()):
        mine = course.context == context
        block[mine] = len(of) + within[mine]
        of += [place] * (int(within[mine].max()) + 1)
    return _Cut(
        *(block, np.array(of), length),
        *(round(sum(ticks) * seconds, 6), round(max(ticks) * seconds, 6)),
    )


def _step(course: Course) -> float | None:
    """Ns between two rows of an asset, usually."""
    order = np.lexsort((course.at, course.asset))
    steps = np.diff(course.at[order])[np.diff(course.asset[order]) == 0]
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else None


def _ranked(tick: I64, context: I64) -> tuple[I64, list[int]]:
    """Place of each row in the running time of its context, and how much there is."""
    rank, ticks = np.zeros(len(tick), np.int64), []
    for one in np.unique(context).tolist():
        mine = context == one
        _, rank[mine] = np.unique(tick[mine], return_inverse=True)
        ticks.append(int(rank[mine].max()) + 1)
    return rank, ticks


def _some(asset: I64) -> I64:
    """int64[rows], number of each row's asset among those looked at, -1 for others."""
    known = np.unique(asset)
    picked = known[:: max(-(-len(known) // ASSETS), 1)]
    place = np.searchsorted(picked, asset).clip(max=len(picked) - 1)
    return np.where(picked[place] == asset, place, -1)


def _times(cut: _Cut) -> I64:
    """int64[lengths], how many blocks make a stretch of each length measured."""
    blocks = np.unique(cut.of, return_counts=True)[1]
    found, times = [], 1
    while (blocks // times).sum() >= _FEWEST and times * cut.length < cut.longest:
        found.append(times)
        times *= 2
    return np.array(found, np.int64)


def _column(column: F64, bins: Bins, asset: I64, cut: _Cut, times: I64) -> Scatter:
    edges = np.array(bins.edges)
    used = np.isfinite(column) & (asset >= 0)
    place = np.searchsorted(edges, column[used], side="left")
    shape = (len(cut.of), int(asset.max()) + 1, len(edges) + 1)
    where = np.ravel_multi_index((cut.block[used], asset[used], place), shape)
    counts = np.bincount(where, minlength=int(np.prod(shape))).reshape(shape)
    found = scattered(
        counts.astype(np.float32), edges, cut.of, cut.length, times, cut.longest
    )
    return Scatter(
        own=_rounded(found.own),
        shared=_rounded(found.shared),
        freedom=_rounded(found.freedom),
        heavy=_rounded(found.heavy),
        between=_rounded([found.between])[0],
    )


def _rounded(numbers: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{x:.4g}") for x in numbers)
