"""What a model's live rows are held against: its reference, ready to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.monitoring.drift.independence import Wander
    from edge_agent.monitoring.tallies import Grid, Tallies
    from edge_agent.samples import F64

_TINY = 1e-30
_RELATIVE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """How rows of one context, or all rows, looked in the reference.

    Attributes:
        grid: the bins.
        tallies: of the reference's rows.
        usual_low, usual_high: float64[columns], 1st and 99th percentile.
        wander: how much healthy data scatters; None where the bundle does not tell.
    """

    grid: Grid
    tallies: Tallies
    usual_low: F64
    usual_high: F64
    wander: Wander | None = None
    scale: F64 = field(init=False, repr=False)
    """float64[columns], standard deviation that distances are divided by."""
    unit: F64 = field(init=False, repr=False)
    """float64[columns], area between the cumulative shares, in scales, when each is
    off by one standard deviation of a single row."""
    ends: F64 = field(init=False, repr=False)
    """float64[2, columns], see `ends_of`."""

    def __post_init__(self) -> None:
        middle = np.nan_to_num(self.tallies.mean(self.grid))
        smallest = np.maximum(np.abs(middle) * _RELATIVE, _TINY)
        scale = np.maximum(np.nan_to_num(self.tallies.std()), smallest)
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "ends", ends_of(self.grid.edges, scale))
        within = np.clip(self.grid.edges, *self.ends[:, :, None])
        unit = area_unit(within, np.nan_to_num(self.tallies.shares()))
        object.__setattr__(self, "unit", unit / scale)


def ends_of(edges: F64, scale: F64) -> F64:
    """float64[2, columns], between which areas are measured.

    A number further out counts as there: of a bin between the 95th percentile and a
    rare peak nobody knows where in it the numbers lie. The ends are as far outside the
    5th and 95th percentile as these are apart.

    Args:
        edges: float64[columns, edges], filled up with inf; the first and last are the
            extremes.
        scale: float64[columns], the least width.
    """
    finite = np.isfinite(edges)
    last = finite.sum(axis=1) - 1
    column = np.arange(len(edges))
    inner = np.minimum(1, last), np.maximum(last - 1, 0)
    low, high = edges[column, inner[0]], edges[column, inner[1]]
    whole = high <= low
    low = np.where(whole, edges[:, 0], low)
    high = np.where(whole, edges[column, last], high)
    width = np.maximum(high - low, scale)
    return np.stack([low - width, high + width])


def area_unit(edges: F64, shares: F64) -> F64:
    """float64[columns], the area under sqrt(F (1 - F)), in the column's unit.

    Args:
        edges: float64[columns, edges], filled up with inf.
        shares: float64[columns, edges + 1] of the bins.
    """
    below = np.clip(shares.cumsum(axis=1)[:, :-1], 0.0, 1.0)
    deviation = np.sqrt(below * (1.0 - below))
    found: F64 = (deviation * edge_weights(edges)).sum(axis=1)
    return np.maximum(found, _TINY)


def edge_weights(edges: F64) -> F64:
    """float64[columns, edges], what each edge counts for in an area by trapeziums."""
    with np.errstate(invalid="ignore"):
        width = np.diff(edges, axis=1)
    width = np.where(np.isfinite(width), width, 0.0)
    found = np.zeros(edges.shape)
    found[:, :-1] += width / 2.0
    found[:, 1:] += width / 2.0
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """A model's reference.

    Attributes:
        whole: of all its rows.
        contexts: of the rows of each context; none where the build was told of none.
        features: how many of the columns are inputs; the others are outputs.
        labels: a column's name in a sentence.
        units: a column's unit, or an empty string.
        whose: of what the tags are, for sentences: "all pumps".
    """

    whole: Profile
    contexts: Mapping[str, Profile]
    features: int
    labels: tuple[str, ...]
    units: tuple[str, ...]
    whose: str = ""

    @property
    def grid(self) -> Grid:
        """The bins, the same for all contexts."""
        return self.whole.grid

    def profile(self, context: str) -> Profile | None:
        """That of a context; the whole where there are none, None where it is new.

        ``recipeA/early`` is held against ``recipeA`` where the reference knows no
        shifts, as thresholds are.
        """
        if not self.contexts or not context:
            return self.whole
        parts = context.split("/")
        names = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
        return next((self.contexts[n] for n in names if n in self.contexts), None)


def spanning(wander: Wander, share: F64) -> Wander:
    """The same, for a part of the reference.

    Args:
        wander: of the whole.
        share: float64[columns] of its rows.
    """
    return replace(wander, span=wander.span * share)
