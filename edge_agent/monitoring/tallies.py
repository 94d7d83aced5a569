"""Rows counted over the passport's bins, all columns at once.

A `Grid` is the bins of a model's columns, features first, then outputs. `counted`
makes `Tallies` of rows; tallies over one grid are added with `plus`. Adding is exact:
whatever way rows are cut into turns, hours or gateways, the sum has the same bits.
Counts are whole numbers, and what is summed is rounded to 2^-22 of the column's span
first, so that no addition rounds (up to 2^31 rows; a number further out than 64 spans
counts as 64 spans in the sums, but not in ``low`` and ``high``).

Sorting a column and looking up the edges in it is five times as fast as looking up
every number in the edges (8 against 30 ns a number).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

    F32 = NDArray[np.float32]

_FINE = 2.0**22
_MOST = np.float32(64.0 * _FINE)
_COARSER = np.float32(2.0**-22)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Bins of some columns.

    Bin 0 of a column with edges e0 < ... < ek is x <= e0, bin k + 1 is x > ek.

    Attributes:
        names: of the columns.
        edges: float64[columns, most], filled up with inf on the right.
        bins: int64[columns], edges of the column plus one.
        origin: float64[columns], sums are about it; numbers of float32, as edges are.
        baseline_id: names the bins.
    """

    names: tuple[str, ...]
    edges: F64
    bins: I64
    origin: F64
    baseline_id: str = ""
    unit: F64 = field(init=False, repr=False)
    """float64[columns], what is summed is rounded to it; a power of two."""

    def __post_init__(self) -> None:
        known = np.where(np.isfinite(self.edges), self.edges, -np.inf).max(axis=1)
        span = np.maximum(known - self.edges[:, 0], np.abs(self.origin) * 1e-6)
        span = np.maximum(span, 1e-30)
        object.__setattr__(self, "unit", 2.0 ** np.ceil(np.log2(span)) / _FINE)

    @staticmethod
    def of(
        names: Sequence[str],
        edges: Sequence[Sequence[float]],
        origin: Sequence[float],
        baseline_id: str = "",
    ) -> Grid:
        """From each column's edges."""
        most = max(len(own) for own in edges)
        table = np.full((len(names), most), np.inf)
        for row, own in zip(table, edges, strict=True):
            row[: len(own)] = _narrow(own)
        bins = np.array([len(own) + 1 for own in edges], np.int64)
        return Grid(tuple(names), table, bins, _narrow(origin), baseline_id)

    @property
    def width(self) -> int:
        """Bins of the column that has most."""
        return int(self.edges.shape[1]) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Tallies:
    """Rows over a grid.

    Attributes:
        rows: counted.
        n, missing: int64[columns], numbers, and rows without one.
        total, square: float64[columns], sum of x - origin, and of its square.
        low, high: float64[columns], extremes; inf and -inf where n is 0.
        counts: int64[columns, width].
    """

    rows: int
    n: I64
    missing: I64
    total: F64
    square: F64
    low: F64
    high: F64
    counts: I64

    @staticmethod
    def empty(grid: Grid) -> Tallies:
        """Of no rows."""
        columns = len(grid.names)
        none = np.zeros(columns, np.int64)
        zero = np.zeros(columns)
        return Tallies(
            *(0, none, none, zero, zero),
            np.full(columns, np.inf),
            np.full(columns, -np.inf),
            np.zeros((columns, grid.width), np.int64),
        )

    def plus(self, other: Tallies) -> Tallies:
        """Both together, exactly."""
        return Tallies(
            self.rows + other.rows,
            self.n + other.n,
            self.missing + other.missing,
            self.total + other.total,
            self.square + other.square,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.counts + other.counts,
        )

    def mean(self, grid: Grid) -> F64:
        """float64[columns], NaN where n is 0."""
        return grid.origin + self._middle()

    def std(self) -> F64:
        """float64[columns], NaN where n is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            spread: F64 = self.square / self.n - self._middle() ** 2
        return np.sqrt(np.maximum(spread, 0.0))

    def shares(self) -> F64:
        """float64[columns, width] of n; NaN where n is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: F64 = self.counts / self.n[:, None]
        return found

    def outside(self, grid: Grid) -> F64:
        """float64[columns] share of the numbers below the first or above the last edge.

        NaN where n is 0.
        """
        shares = self.shares()
        last = np.take_along_axis(shares, grid.bins[:, None] - 1, axis=1)[:, 0]
        found: F64 = shares[:, 0] + last
        return found

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """For a checkpoint."""
        return {
            "rows": np.array([self.rows], np.int64),
            "n": self.n,
            "missing": self.missing,
            "total": self.total,
            "square": self.square,
            "low": self.low,
            "high": self.high,
            "counts": self.counts,
        }

    @staticmethod
    def from_arrays(grid: Grid, arrays: Mapping[str, NDArray[np.generic]]) -> Tallies:
        """From a checkpoint.

        Raises:
            ValueError: the arrays are not those of this grid.
            KeyError: one is missing.
        """
        empty = Tallies.empty(grid)
        found = {}
        for name, wanted in empty.to_arrays().items():
            given = arrays[name]
            if given.shape != wanted.shape or given.dtype != wanted.dtype:
                raise ValueError(f"{name} is {given.dtype}{list(given.shape)}")
            found[name] = given
        rows = int(found.pop("rows")[0])
        return Tallies(rows, **found)  # type: ignore[arg-type]

    def _middle(self) -> F64:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: F64 = self.total / self.n
        return found


def counted(grid: Grid, values: F32) -> Tallies:
    """Count rows.

    Args:
        grid: of the columns.
        values: float32[rows, columns]; a number that is not finite counts as missing.
    """
    return counted_columns(grid, np.array(values.T, np.float32, order="C"))


def counted_columns(grid: Grid, columns: F32) -> Tallies:
    """Count rows that lie column by column.

    Args:
        grid: of the columns.
        columns: float32[columns, rows], each column in one piece; sorted in place. A
            number that is not finite counts as missing.
    """
    rows = columns.shape[1]
    if not rows:
        return Tallies.empty(grid)
    finite = np.isfinite(columns)
    n = np.full(len(columns), rows, np.int64)
    if not finite.all():
        # a sort puts them behind everything that is counted
        columns[~finite] = np.nan
        n = finite.sum(axis=1)
    columns.sort(axis=1)
    last = np.take_along_axis(columns, np.maximum(n - 1, 0)[:, None], axis=1)[:, 0]
    some = n > 0
    low = np.where(some, columns[:, 0], np.inf).astype(np.float64)
    high = np.where(some, last, -np.inf).astype(np.float64)
    total, square = _sums(grid, columns, n)
    counts = _counts(grid, columns, n)
    return Tallies(rows, n, rows - n, total, square, low, high, counts)


def _counts(grid: Grid, columns: F32, n: I64) -> I64:
    counts = np.zeros((len(columns), grid.width), np.int64)
    # in 32 bits: else numpy makes 64 of the whole column first
    narrow = grid.edges.astype(np.float32)
    for place, (column, edges) in enumerate(zip(columns, narrow, strict=True)):
        below = column[: n[place]].searchsorted(edges, side="right")
        counts[place, 0] = below[0]
        counts[place, 1:-1] = below[1:] - below[:-1]
        counts[place, -1] = n[place] - below[-1]
    return counts


def _narrow(numbers: Sequence[float]) -> F64:
    """As float32 holds them: rows are of that kind."""
    return np.array(numbers, np.float32).astype(np.float64)


def _sums(grid: Grid, columns: F32, n: I64) -> tuple[F64, F64]:
    """Sum about the origin, and of its square, of rounded numbers: exact in any order.

    Whole numbers of steps, held in float32: each is rounded once, the same wherever it
    is counted; their sum in float64 is not rounded at all.
    """
    scale = (1.0 / grid.unit).astype(np.float32)
    origin = grid.origin.astype(np.float32)
    found = np.zeros((2, len(columns)))
    for place, column in enumerate(columns):
        steps = column[: n[place]] - origin[place]
        with np.errstate(over="ignore"):  # what has no room is far out anyway
            steps *= scale[place]
        # sorted: the ends tell of all
        if len(steps) and not (steps[0] >= -_MOST and steps[-1] <= _MOST):
            np.clip(steps, -_MOST, _MOST, out=steps)
        np.rint(steps, out=steps)
        found[0, place] = steps.sum(dtype=np.float64)
        # a square in steps of its own: 2^44 of those units make one of 2^-22
        np.multiply(steps, steps, out=steps)
        steps *= _COARSER
        np.rint(steps, out=steps)
        found[1, place] = steps.sum(dtype=np.float64)
    unit = grid.unit
    return found[0] * unit, found[1] * (unit * unit / _COARSER)
