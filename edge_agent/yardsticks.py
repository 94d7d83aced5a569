"""A model's reference profile as what live rows are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.drift.independence import Wander
from edge_agent.monitoring.drift.yardstick import Profile, Yardstick, spanning
from edge_agent.monitoring.tallies import Grid, Tallies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.bundle.calibration import Calibration
    from edge_agent.bundle.profile import Bins, Tally
    from edge_agent.bundle.reference import Profile as Kept
    from edge_agent.bundle.reference import Reference
    from edge_agent.explain import Usual
    from edge_agent.samples import F64

_AS_READ = frozenset({"last", "mean", "rms"})


def yardstick_of(
    reference: Reference,
    names: Sequence[str],
    usual: Usual,
    assets: Sequence[str] = (),
    whose: str = "",
) -> Yardstick:
    """What a model's live rows are held against.

    Args:
        reference: of its bundle.
        names: of the features, in the order of the model.
        usual: labels and units of the plant's own tags.
        assets: that run here; of those the model was trained on it is known where each
            lies.
        whose: of what the tags are, for sentences: "all pumps".
    """
    outputs = list(reference.baseline.outputs)
    bins = [
        *(reference.baseline.features[name] for name in names),
        *(reference.baseline.outputs[name] for name in outputs),
    ]
    columns = (*names, *outputs)
    grid = Grid.of(
        columns,
        [one.edges for one in bins],
        [one.origin for one in bins],
        reference.baseline_id,
    )
    found = reference.calibration
    whole = within = None
    if found is not None:
        whole = _wander(found.features, found.outputs, names, outputs, assets)
        within = _wander(
            *(found.features_in_context, found.outputs_in_context),
            *(names, outputs, assets),
        )
    kept = reference.whole
    contexts = {
        context: _profile(
            part, columns, grid, bins, _part_of(within, part, kept, columns)
        )
        for context, part in reference.contexts.items()
    }
    return Yardstick(
        _profile(kept, columns, grid, bins, whole),
        contexts,
        len(names),
        (*_labels(usual), *outputs),
        (*_units(usual), *("" for _ in outputs)),
        whose,
    )


def _profile(
    part: Kept,
    columns: Sequence[str],
    grid: Grid,
    bins: Sequence[Bins],
    wander: Wander | None,
) -> Profile:
    """Of the whole or a context; a column it does not have counts nothing."""
    both = _both(part)
    tallies = _tallies([both[name] for name in columns], bins, part.rows, grid)
    low, high = np.array(
        [
            (t.quantiles[0], t.quantiles[-1]) if t.quantiles else (np.nan, np.nan)
            for t in (both[name] for name in columns)
        ]
    ).T
    return Profile(grid, tallies, low, high, wander)


def _tallies(
    kept: Sequence[Tally], bins: Sequence[Bins], rows: int, grid: Grid
) -> Tallies:
    counts = np.zeros((len(kept), grid.width), np.int64)
    for row, one in zip(counts, kept, strict=True):
        row[: len(one.counts)] = one.counts
    # sums of a passport are about its own origin, those of a grid about a float32
    moved = np.array([one.origin for one in bins]) - grid.origin
    n = np.array([one.n for one in kept], np.int64)
    total = np.array([one.sum for one in kept])
    square = np.array([one.sumsq for one in kept])
    return Tallies(
        rows,
        n,
        np.array([one.missing for one in kept], np.int64),
        total + n * moved,
        square + 2.0 * moved * total + n * moved**2,
        np.array([np.inf if one.min is None else one.min for one in kept]),
        np.array([-np.inf if one.max is None else one.max for one in kept]),
        counts,
    )


def _wander(
    features: Calibration | None,
    outputs: Calibration | None,
    names: Sequence[str],
    output_names: Sequence[str],
    assets: Sequence[str],
) -> Wander | None:
    """Both calibrations over one set of lengths; None where one is missing."""
    if features is None or (output_names and outputs is None):
        return None
    parts: list[tuple[Calibration, Sequence[str]]] = [(features, names)]
    if outputs is not None and output_names:
        parts.append((outputs, output_names))
    lengths = np.unique(np.concatenate([part.lengths for part, _ in parts]))
    here = set(assets)

    def table(field: str) -> F64:
        return np.column_stack(
            [
                _at(lengths, part, getattr(part.columns[name], field))
                for part, own in parts
                for name in own
            ]
        )

    def each(numbers: Sequence[float]) -> F64:
        return np.repeat(np.array(numbers, np.float64), [len(own) for _, own in parts])

    return Wander(
        *(lengths, table("own"), table("shared"), table("freedom"), table("heavy")),
        np.array([part.columns[name].between for part, own in parts for name in own]),
        each([part.span for part, _ in parts]),
        each([part.assets for part, _ in parts]),
        each([len(here & set(part.names)) for part, _ in parts]),
    )


def _at(lengths: F64, part: Calibration, numbers: Sequence[float]) -> F64:
    """Numbers of one set of lengths at others, straight between them in logarithms."""
    known = np.log(np.maximum(np.array(numbers), 1e-12))
    found: F64 = np.exp(np.interp(np.log(lengths), np.log(part.lengths), known))
    return found


def _part_of(
    within: Wander | None, part: Kept, whole: Kept, columns: Sequence[str]
) -> Wander | None:
    """What a context's part of the reference is worth."""
    if within is None:
        return None
    mine, everything = _both(part), _both(whole)
    share = [mine[name].n / max(everything[name].n, 1) for name in columns]
    return spanning(within, np.array(share))


def _both(part: Kept) -> dict[str, Tally]:
    return {**part.features, **part.outputs}


def _labels(usual: Usual) -> list[str]:
    found = []
    for role, aggregate, window in zip(
        usual.role.tolist(), usual.aggregates, usual.windows, strict=True
    ):
        label = usual.labels[role]
        over = f" over {window:g} s" if window else ""
        plain = aggregate in _AS_READ
        found.append(label if plain else f"{label} ({aggregate}{over})")
    return found


def _units(usual: Usual) -> list[str]:
    units = [usual.units[role] for role in usual.role.tolist()]
    return [
        f"{unit}/s" if aggregate == "slope" and unit else unit
        for unit, aggregate in zip(units, usual.aggregates, strict=True)
    ]
