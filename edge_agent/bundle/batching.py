"""How due rows are cut into calls of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How rows are cut into calls.

    Attributes:
        sizes: allowed batch sizes, ascending; empty for any.
        least: rows a call has at least; filled up with a copy of the first.
        single: one row a call.
    """

    sizes: tuple[int, ...] = ()
    least: int = 1
    single: bool = False

    def cut(self, rows: int) -> Iterator[tuple[int, int, int]]:
        """First row, last row (exclusive) and batch size of each call."""
        step = 1 if self.single else self.sizes[-1] if self.sizes else max(rows, 1)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            count = max(last - first, self.least)
            size = next((s for s in self.sizes if s >= count), count)
            yield first, last, size
