"""Gateways' drift rows as the agent counts them, and what counting at once gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.tallies import Grid, Tallies, counted
from tests.fleet.made import BEGIN, HOUR_US, put

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.fleet.made import Row

FEATURES = ("temperature", "pressure", "state", "score")
BASELINE = "0123456789abcdef"


@dataclass(frozen=True)
class Hall:
    """A model's reference and its live rows, of some gateways.

    Attributes:
        grid: the bins.
        trained: of the reference.
        live: by site and gateway.
    """

    grid: Grid
    trained: Tallies
    live: dict[tuple[str, str], list[Tallies]]

    def of(self, site: str = "") -> Tallies:
        """All rows of a site or the fleet, added up in memory."""
        total = Tallies.empty(self.grid)
        for (where, _), hours in self.live.items():
            for one in hours if site in {"", where} else []:
                total = total.plus(one)
        return total


def hall(seed: int, sites: tuple[str, ...], gateways: int, hours: int) -> Hall:
    """Rows by chance: each gateway has its own level, one feature is a constant."""
    chance = np.random.default_rng(seed)
    trained = _rows(chance, 5_000, 0.0)
    edges = [
        np.unique(
            np.r_[
                np.nextafter(c.min(), -np.inf, dtype=np.float32),
                np.quantile(c, np.linspace(0.1, 0.9, 9)).astype(np.float32),
                c.max(),
            ]
        ).tolist()
        for c in trained.T
    ]
    grid = Grid.of(FEATURES, edges, [one[len(one) // 2] for one in edges], BASELINE)
    live = {
        (site, f"g{number}"): [
            counted(grid, _rows(chance, int(chance.integers(5, 60)), chance.normal()))
            for _ in range(hours)
        ]
        for site in sites
        for number in range(gateways)
    }
    return Hall(grid, counted(grid, trained), live)


def write(archive: Path, made: Hall) -> None:
    """As the gateways would: an object an hour, and the baseline once each."""
    for (site, gateway), hours in made.live.items():
        for hour, one in enumerate(hours):
            rows = drift_rows(made.grid, one, BEGIN + hour * HOUR_US, hour)
            put(archive, "drift", site, gateway, rows)
        put(archive, "baselines", site, gateway, baseline_rows(made.grid, made.trained))


def drift_rows(
    grid: Grid, one: Tallies, at: int, seq: int, context: str = ""
) -> list[Row]:
    """A stretch as the archive has it."""
    return [
        {
            **_whose(grid, at, seq, context, place),
            "since": at - HOUR_US,
            "rows": one.rows,
            "gated": 0,
            "n": int(one.n[place]),
            "missing": int(one.missing[place]),
            "total": float(one.total[place]),
            "square": float(one.square[place]),
            "low": float(one.low[place]) if one.n[place] else None,
            "high": float(one.high[place]) if one.n[place] else None,
            "counts": one.counts[place, : grid.bins[place]].tolist(),
        }
        for place in range(len(grid.names))
    ]


def baseline_rows(grid: Grid, one: Tallies, context: str = "") -> list[Row]:
    """The reference as the archive has it."""
    return [
        {
            **_whose(grid, BEGIN, 0, context, place),
            "n": int(one.n[place]),
            "edges": grid.edges[place, : grid.bins[place] - 1].tolist(),
            "counts": one.counts[place, : grid.bins[place]].tolist(),
        }
        for place in range(len(grid.names))
    ]


def _whose(grid: Grid, at: int, seq: int, context: str, place: int) -> Row:
    return {
        "ts": at,
        "boot": 1,
        "seq": seq,
        "pipeline": "pumps",
        "model": "pump",
        "model_version": "1.0",
        "model_digest": "d" * 64,
        "baseline_id": grid.baseline_id,
        "context": context,
        "feature": grid.names[place],
    }


def _rows(chance: np.random.Generator, count: int, level: float) -> NDArray[np.float32]:
    columns = [
        chance.normal(20 + level, 2, count),
        chance.lognormal(level / 4, 0.5, count),
        np.full(count, 1.0 if level == 0.0 else float(chance.integers(1, 3))),
        chance.random(count) ** 2,
    ]
    table = np.stack(columns, axis=1).astype(np.float32)
    table[chance.random(table.shape) < (0.0 if level == 0.0 else 0.02)] = np.nan
    return table
