"""Values of state, recipe and product tags: as they come, and as they are held."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.features.window import Mask
    from edge_agent.samples import F64, I64


@dataclass(frozen=True, slots=True)
class Heard:
    """Values of a turn, in order of arrival.

    Attributes:
        sample: int64[m] position among the turn's arrivals.
        column: int64[m].
        time: int64[m] stamps, newer than the column's before.
        code: int64[m] `Words`.
        raw: float64[m] numbers as they came.
    """

    sample: I64
    column: I64
    time: I64
    code: I64
    raw: F64

    def __len__(self) -> int:
        """Count values."""
        return len(self.sample)

    def take(self, select: I64 | Mask) -> Heard:
        """Some of them, in the order given."""
        return Heard(*(getattr(self, f.name)[select] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Held:
    """What n assets' roles were at n times; arrays [n, roles].

    Attributes:
        code: int64, 0 where unknown.
        time: int64 since when it is so, `window.NEVER` for never.
        since: int64 since when the value is what it is, gaps looked through.
        begun: int64 since when the role's gate is as it is; of no meaning for others.
    """

    code: I64
    time: I64
    since: I64
    begun: I64


def in_order(column: I64, time: I64, seen: I64) -> tuple[I64, int]:
    """Values newer than all that came before them in their column.

    Args:
        column: int64[m], in order of arrival.
        time: int64[m] stamps.
        seen: int64[m] newest stamp of each one's column before.

    Returns:
        Their positions, and how many are older than what came before.
    """
    order = np.argsort(column, kind="stable")
    column, time, seen = column[order], time[order], seen[order]
    first = np.flatnonzero(np.diff(column, prepend=-1))
    group = np.repeat(np.arange(len(first)), np.diff(first, append=len(column)))
    # stamps by rank, each column above the one before it: one running maximum
    stamps = np.append(time, seen[first])
    _, rank = np.unique(stamps, return_inverse=True)
    own = rank[: len(time)] + group * len(stamps)
    floor = rank[len(time) :] + np.arange(len(first)) * len(stamps)
    most = own.copy()
    most[first] = np.maximum(own[first], floor)
    most = np.maximum.accumulate(most)
    before = np.empty_like(most)
    before[1:] = most[:-1]
    before[first] = floor
    return np.sort(order[own > before]), int(np.count_nonzero(own < before))
