"""Kept drift rows added up, by stretch and by day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.tallies import Tallies
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.monitoring.tallies import Grid
    from edge_agent.store.blocks import Block
    from edge_agent.store.drifts import Drift as Row


class Key(NamedTuple):
    """What rows of one stretch have in common."""

    pipeline: str
    context: str
    version: str
    digest: str
    baseline: str
    layout: str


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Rows added up."""

    block: Block
    since: int
    until: int
    rows: int
    gated: int
    blocks: int

    def plus(self, other: Sum) -> Sum:
        """Both together, exactly."""
        return Sum(
            self.block.plus(other.block),
            min(self.since, other.since),
            max(self.until, other.until),
            self.rows + other.rows,
            self.gated + other.gated,
            self.blocks + other.blocks,
        )


def key_of(row: Row) -> Key:
    """Of a row."""
    return Key(
        *(row.pipeline, row.context, row.model_version, row.model_digest),
        *(row.baseline_id, row.layout),
    )


def begin_of(row: Row) -> int:
    """When a row's stretch began, ns of the wall clock."""
    return row.since + row.wall_offset


def paces(groups: Mapping[Key, Sequence[Row]]) -> dict[str, float]:
    """Most rows a second of each pipeline: as many as it makes while it runs."""
    together: dict[tuple[str, int, int], int] = {}
    for key, some in groups.items():
        for row in some:
            stretch = (key.pipeline, row.since, row.until)
            together[stretch] = together.get(stretch, 0) + row.rows
    found: dict[str, float] = {}
    for (name, since, until), rows in together.items():
        seconds = max((until - since) / NANOSECONDS, 1.0)
        found[name] = max(found.get(name, 0.0), rows / seconds)
    return found


def by_day(rows: Sequence[Row]) -> tuple[dict[int, Sum], int]:
    """Sums of each day, and how many rows are damaged."""
    days: dict[int, Sum] = {}
    damaged = 0
    for row in rows:
        try:
            block = row.block
        except ValueError:
            damaged += 1
            continue
        begin, end = begin_of(row), row.until + row.wall_offset
        one = Sum(block, begin, end, row.rows, row.gated, row.blocks)
        before = days.get(row.day)
        days[row.day] = one if before is None else before.plus(one)
    return days, damaged


def whole(days: Mapping[int, Sum]) -> Sum:
    """All days together; at least one."""
    first, *rest = days.values()
    for one in rest:
        first = first.plus(one)
    return first


def tallies_of(one: Sum, grid: Grid) -> Tallies:
    """The same over a grid with its bins."""
    block = one.block
    counts = np.zeros((len(grid.names), grid.width), np.int64)
    counts[:, : block.counts.shape[1]] = block.counts
    return Tallies(
        *(one.rows, block.n, block.missing, block.total, block.square),
        np.where(block.n > 0, block.low, np.inf),
        np.where(block.n > 0, block.high, -np.inf),
        counts,
    )
