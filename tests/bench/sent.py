"""What was sent when, shared by the generator and the receiver of the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.bench.plant import ASSETS

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 8192


class Sent:
    """A ring of send times, one a row, and the generator's counters.

    Args:
        path: file of the shared memory map; made when missing.
    """

    def __init__(self, path: Path) -> None:
        fresh = not path.exists()
        shape = (ROUNDS + 1, ASSETS)
        self._map = np.memmap(path, np.int64, "w+" if fresh else "r+", shape=shape)
        self.at = self._map[1:]
        """int64[ROUNDS, ASSETS] CLOCK_MONOTONIC of the send, ns."""

    @property
    def start(self) -> int:
        """Stamp of round 0, milliseconds since 1970; 0 until the generator runs."""
        return int(self._map[0, 0])

    @start.setter
    def start(self, value: int) -> None:
        self._map[0, 0] = value

    @property
    def rows(self) -> int:
        """Rows sent so far."""
        return int(self._map[0, 1])

    @rows.setter
    def rows(self, value: int) -> None:
        self._map[0, 1] = value
