"""Memory that is used again each turn.

The tables of a turn are half a megabyte; fresh ones would be mapped, faulted in page
by page and given back every time, which costs more than the arithmetic on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64, I64


class Scratch:
    """Tables by name; one of a name is valid until the next is asked for."""

    def __init__(self) -> None:
        self._floats: dict[str, F64] = {}
        self._numbers: dict[str, I64] = {}

    def table(self, name: str, rows: int, columns: int) -> F64:
        """A float64 table with whatever was in it."""
        size = rows * columns
        held = self._floats.get(name)
        if held is None or len(held) < size:
            held = self._floats[name] = np.empty(size + size // 4)
        return held[:size].reshape(rows, columns)

    def numbers(self, name: str, rows: int, columns: int) -> I64:
        """An int64 table with whatever was in it."""
        size = rows * columns
        held = self._numbers.get(name)
        if held is None or len(held) < size:
            held = self._numbers[name] = np.empty(size + size // 4, np.int64)
        return held[:size].reshape(rows, columns)
