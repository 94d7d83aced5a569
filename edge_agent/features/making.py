"""How the rows of a turn were made, for who must show it while the turn lasts.

A row is made from the rings as they were at its step. Later samples of the same turn
mostly add what the row does not look at; but a turn that is taken in steps (late
values, a backlog) may push out or put between what a row has seen. Of the columns that
a later step touches, the rings are therefore kept as they were before it. Such turns
are rare, and what is kept is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.window import Window
from edge_agent.samples import AssetType

if TYPE_CHECKING:
    from edge_agent.features.arrivals import Arrivals
    from edge_agent.features.triggers import Due
    from edge_agent.samples import F64, I64, U8

#: Bytes of rings kept in one turn at most; of rows made before, nothing is known then.
MOST_KEPT = 32 << 20
_ENTRY = 17


@dataclass(frozen=True, slots=True)
class Before:
    """Some columns of the rings as they were before a step.

    Attributes:
        step: which.
        column: int64[k], ascending.
        head, first: int64[k], as in `Window`.
        times, values, quality: ``slots x k``.
    """

    step: int
    column: I64
    head: I64
    first: I64
    times: I64
    values: F64
    quality: U8


@dataclass(slots=True)
class Making:
    """How the rows of one turn were made.

    Attributes:
        window: the rings, as they are behind the turn.
        vouched: int64[columns] when the source of each was last seen alive; None
            vouches for all of them.
        kept: rings before steps, in order.
        lost: of rows made before this step the rings were not kept.
    """

    window: Window
    vouched: I64 | None
    kept: list[Before] = field(default_factory=list)
    lost: int = 0
    _made: dict[int, list[tuple[int, Due]]] = field(default_factory=dict)
    _room: int = MOST_KEPT

    def made(self, pipeline: int, step: int, due: Due) -> None:
        """Note rows of a pipeline that were made in a step."""
        self._made.setdefault(pipeline, []).append((step, due))

    def before(self, step: int, arrivals: Arrivals, low: int, high: int) -> None:
        """Keep what a step will touch, where rows were made in this turn already."""
        if not self._made:
            return
        window = self.window
        column = np.unique(
            arrivals.asset[low:high] * window.roles + arrivals.role[low:high]
        )
        self._room -= len(column) * window.depth * _ENTRY
        if self._room < 0:
            self.kept.clear()
            self.lost = step
            return
        shape = (window.depth, window.columns)
        self.kept.append(
            Before(
                step,
                column,
                window.head[column],
                window.first[column],
                window.times.reshape(shape)[:, column],
                window.values.reshape(shape)[:, column],
                window.quality.reshape(shape)[:, column],
            )
        )

    def row(self, pipeline: int, row: int) -> tuple[int, int | None]:
        """In which step a row was made, and where its cycle began.

        Args:
            pipeline: its position.
            row: position among the pipeline's rows of the turn.
        """
        for step, due in self._made[pipeline]:
            if row < len(due):
                return step, None if due.start is None else int(due.start[row])
            row -= len(due)
        raise IndexError(row)

    def seen(self, step: int, column: I64) -> tuple[Window, I64] | None:
        """Rings that hold what rows of a step saw of some columns.

        Args:
            step: in which the rows were made.
            column: int64[k].

        Returns:
            The rings and which columns of theirs; None where they were not kept.
        """
        if step < self.lost:
            return None
        later = [one for one in self.kept if one.step > step]
        if not any(np.isin(column, one.column).any() for one in later):
            return self.window, column
        return _older(self.window, later, column), np.arange(len(column))


def _older(window: Window, later: list[Before], column: I64) -> Window:
    """One asset's rings with each column as it was before the first of some steps."""
    made = bare(window, column)
    shape = (window.depth, len(column))
    times, values = made.times.reshape(shape), made.values.reshape(shape)
    quality = made.quality.reshape(shape)
    for one in reversed(later):
        place = np.searchsorted(one.column, column)
        place = np.minimum(place, len(one.column) - 1)
        mine = one.column[place] == column
        other = place[mine]
        made.head[mine], made.first[mine] = one.head[other], one.first[other]
        times[:, mine], values[:, mine] = one.times[:, other], one.values[:, other]
        quality[:, mine] = one.quality[:, other]
    last = (made.head - 1) & made.mask
    made.newest[:] = np.where(
        made.head > 0, times[last, np.arange(len(column))], made.newest
    )
    # looks are taken the long way: every column may hold a doubtful value
    made.last_bad[:] = made.last_uncertain[:] = made.last_doubt[:] = made.head
    return made


def bare(window: Window, column: I64) -> Window:
    """A copy of some columns, as the rings of one asset."""
    kind = AssetType(
        "", ("",), tuple(window.kind.tags[c % window.roles] for c in column), 0
    )
    made = Window(kind, window.depth)
    shape = (window.depth, window.columns)
    for name in ("times", "values", "quality"):
        ring = getattr(window, name).reshape(shape)[:, column]
        setattr(made, name, np.ascontiguousarray(ring).reshape(-1))
    for name in ("head", "first", "newest", "held"):
        setattr(made, name, getattr(window, name)[column])
    made.reach, made.any_held = window.reach, bool(made.held.any())
    return made
