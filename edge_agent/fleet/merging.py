"""Counts of many gateways as one, and how far they are from what was trained on. Pure.

Adding is exact, and the statistics are the agent's own: of the same rows they say the
same, bit for bit, wherever these were counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.statistics.answers import Reason, of_tallies
from edge_agent.monitoring.tallies import Grid, Tallies

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_WHY = {
    Reason.EMPTY_REFERENCE: "the model was trained without a number",
    Reason.EMPTY_CURRENT: "there is no number",
    Reason.TOO_FEW: "there are too few numbers",
    Reason.CONSTANT_REFERENCE: "the model was trained on one number only",
}


@dataclass(frozen=True, slots=True)
class Merged:
    """Counts of a feature, added up exactly.

    Attributes:
        gateways: they come from.
        n, missing: numbers, and rows without one.
        total, square: sums about the bins' origin.
        low, high: None where n is 0.
        counts: by bin; empty where rows do not fit together.
    """

    gateways: int
    n: int
    missing: int
    total: float
    square: float
    low: float | None
    high: float | None
    counts: tuple[int, ...]

    def plus(self, other: Merged) -> Merged:
        """Both together; of different gateways."""
        fits = len(self.counts) == len(other.counts)
        pairs = zip(self.counts, other.counts, strict=True) if fits else ()
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Merged(
            self.gateways + other.gateways,
            self.n + other.n,
            self.missing + other.missing,
            self.total + other.total,
            self.square + other.square,
            min(lows, default=None),
            max(highs, default=None),
            tuple(a + b for a, b in pairs),
        )


class Baseline(NamedTuple):
    """What a feature was trained on."""

    n: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def statistics(
    pairs: Sequence[tuple[Baseline, Merged]],
) -> list[tuple[tuple[float, float, float] | None, str]]:
    """PSI, Jensen-Shannon and KS of each pair, or why there is none."""
    if not pairs:
        return []
    edges = [one.edges for one, _ in pairs]
    # the middle edge, as a bundle's bins have it: only a constant column asks for it
    grid = Grid.of([""] * len(pairs), edges, [one[len(one) // 2] for one in edges])
    now = [one for _, one in pairs]
    apart = of_tallies(grid, _trained(grid, [one for one, _ in pairs]), _now(grid, now))
    found: list[tuple[tuple[float, float, float] | None, str]] = []
    columns = zip(apart.psi, apart.jensen_shannon, apart.ks, apart.reason, strict=True)
    for psi, js, ks, reason in columns:
        why = _WHY.get(Reason(int(reason)), "")
        known = (float(psi), float(js), float(ks))
        found.append((None if np.isnan(psi) else known, why))
    return found


def _trained(grid: Grid, found: Sequence[Baseline]) -> Tallies:
    n = np.array([one.n for one in found], np.int64)
    # the first edge lies just below the smallest number (`bundle.profile`)
    first = np.array([one.edges[0] for one in found], np.float32)
    low = np.nextafter(first, np.float32(np.inf)).astype(np.float64)
    high = np.array([one.edges[-1] for one in found], np.float64)
    none = np.zeros(len(found))
    counts = _table(grid, [one.counts for one in found])
    return Tallies(0, n, np.zeros_like(n), none, none, low, high, counts)


def _now(grid: Grid, found: Sequence[Merged]) -> Tallies:
    def numbers(of: Iterable[float | None], empty: float) -> NDArray[np.float64]:
        return np.array([empty if one is None else one for one in of], np.float64)

    return Tallies(
        0,
        np.array([one.n for one in found], np.int64),
        np.array([one.missing for one in found], np.int64),
        numbers((one.total for one in found), 0.0),
        numbers((one.square for one in found), 0.0),
        numbers((one.low for one in found), np.inf),
        numbers((one.high for one in found), -np.inf),
        _table(grid, [one.counts for one in found]),
    )


def _table(grid: Grid, counts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    table = np.zeros((len(counts), grid.width), np.int64)
    for row, own in zip(table, counts, strict=True):
        row[: len(own)] = own
    return table
