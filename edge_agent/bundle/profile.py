"""Columns of numbers as counts that can be added up.

A *baseline* says where the bins of each column lie; it is fixed when the model is
built and never moves. A *tally* counts a stretch of data over such bins. Two tallies
over the same bins are added up field by field (`merged`), so that hours make a day and
gateways a fleet; ``baseline_id`` names the bins, and only tallies of equal ids may be
added.

Per column, with ``edges`` e0 < e1 < ... < ek::

    counts   k + 2 numbers: x <= e0 (below), e0 < x <= e1, ..., ek < x (above)
    n        numbers counted; missing: rows in which there was none
    sum      of x - origin          sumsq: of (x - origin) squared
    min, max of x; null when n is 0

``origin`` is a number from the middle of the column: sums about it keep their digits
where a reading of 1000 moves by 0.01. Edges are numbers of float32, so that a reading
falls into one bin whether it is held in 32 or in 64 bits.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Table = NDArray[np.floating[Any]]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
_MAX_EDGES = 1000

Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Bins(BaseModel):
    """Where one column is counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Finite
    edges: tuple[Finite, ...] = Field(min_length=2, max_length=_MAX_EDGES)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("edges must ascend")
        return self

    @staticmethod
    def of(column: Table) -> Bins:
        """Bins of equal count between the lowest and the highest number.

        Where numbers repeat (a column that is mostly one number) equal edges are
        merged. The first edge lies just below the lowest number: nothing of the
        column itself is below or above.
        """
        known = np.asarray(column[np.isfinite(column)], np.float64)
        if not len(known):
            raise ValueError("a column without a single number has no bins")
        cuts = np.quantile(known, np.linspace(0, 1, BINS + 1))[1:-1]
        low, high = np.float32(known.min()), np.float32(known.max())
        if high < known.max():  # rounded down
            high = np.nextafter(high, np.float32(np.inf))
        below = np.nextafter(low, np.float32(-np.inf))
        inner = cuts.astype(np.float32)
        # the lowest number itself where many are: else 0 and 1 share a bin
        edges = np.unique(np.r_[below, inner[(inner >= low) & (inner < high)], high])
        origin = float(edges[len(edges) // 2])
        return Bins(origin=origin, edges=tuple(float(e) for e in edges))


class Tally(BaseModel):
    """One column of a stretch of data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Count
    missing: Count = 0
    sum: Finite
    sumsq: Finite = Field(ge=0)
    min: Finite | None
    max: Finite | None
    counts: tuple[Count, ...] = Field(min_length=3, max_length=_MAX_EDGES + 1)
    quantiles: tuple[Finite, ...] = ()
    """At `QUANTILES`; empty for a sum of tallies, which cannot tell them exactly."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(self.counts) != self.n:
            raise ValueError("counts must add up to n")
        if (self.min is None) != (self.n == 0) or (self.max is None) != (self.n == 0):
            raise ValueError("min and max are numbers when n is above 0, else null")
        if self.quantiles and len(self.quantiles) != len(QUANTILES):
            raise ValueError(f"quantiles must be {len(QUANTILES)} numbers or none")
        if list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("quantiles must ascend")
        return self

    def mean(self, bins: Bins) -> float:
        """Mean of the column; NaN without a number."""
        return bins.origin + self.sum / self.n if self.n else float("nan")

    def std(self) -> float:
        """Standard deviation of the column; NaN without a number."""
        if not self.n:
            return float("nan")
        middle = self.sum / self.n
        return float(np.sqrt(max(self.sumsq / self.n - middle * middle, 0.0)))


def as_counted(column: Table) -> NDArray[np.float64]:
    """Numbers as rows hold them, in 32 bits.

    Else a number just above an edge is on one side of it in the reference and on the
    other in a live row.
    """
    with np.errstate(over="ignore"):
        return np.asarray(np.asarray(column, np.float32), np.float64)


def tally(column: Table, bins: Bins) -> Tally:
    """Count a column, NaN where a number is missing.

    Args:
        column: float[rows]; numbers that are not finite count as missing.
        bins: of its baseline.
    """
    wide = np.asarray(column, np.float64)
    known = wide[np.isfinite(wide)]
    edges = np.array(bins.edges)
    place = np.searchsorted(edges, as_counted(known), side="left")
    counts = np.bincount(place, minlength=len(edges) + 1)
    away = known - bins.origin
    there = len(known) > 0
    return Tally(
        n=len(known),
        missing=len(wide) - len(known),
        sum=float(away.sum()),
        sumsq=float(away @ away),
        min=float(known.min()) if there else None,
        max=float(known.max()) if there else None,
        counts=tuple(int(c) for c in counts),
        quantiles=tuple(float(q) for q in np.quantile(known, QUANTILES))
        if there
        else (),
    )


def merged(one: Tally, other: Tally) -> Tally:
    """Two tallies over the same bins as one.

    Raises:
        ValueError: they have another number of bins.
    """
    lows = [t.min for t in (one, other) if t.min is not None]
    highs = [t.max for t in (one, other) if t.max is not None]
    return Tally(
        n=one.n + other.n,
        missing=one.missing + other.missing,
        sum=one.sum + other.sum,
        sumsq=one.sumsq + other.sumsq,
        min=min(lows, default=None),
        max=max(highs, default=None),
        counts=tuple(a + b for a, b in zip(one.counts, other.counts, strict=True)),
    )


def baseline_id(features: Mapping[str, Bins], outputs: Mapping[str, Bins]) -> str:
    """Sixteen digits that name the bins: SHA-256 over names, origins and edges."""
    text = json.dumps(
        [
            [kind, name, bins.origin, *bins.edges]
            for kind, columns in (("feature", features), ("output", outputs))
            for name, bins in sorted(columns.items())
        ],
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def bins_of(names: Sequence[str], table: Table) -> dict[str, Bins]:
    """Bins of each column of float[rows, columns]."""
    return {name: Bins.of(table[:, i]) for i, name in enumerate(names)}


def tallies(bins: Mapping[str, Bins], table: Table) -> dict[str, Tally]:
    """Tally of each column of float[rows, columns], in the order of the bins."""
    return {name: tally(table[:, i], b) for i, (name, b) in enumerate(bins.items())}
