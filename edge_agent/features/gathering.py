"""Rows that are not whole yet, and how they close (see `triggers`)."""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.window import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.features.arrivals import Arrivals
    from edge_agent.features.window import Mask
    from edge_agent.samples import I64

_WORD = 63
"""Roles in one word of a row's set of arrived roles."""


class Gathering:
    """Open rows of all assets.

    Args:
        makers: bool[assets, roles] tags that must arrive for a row to be whole.
        settle: ns a row waits for more after each of its samples.

    Attributes:
        late: stamps that came after their row, or a newer one, was closed.
    """

    def __init__(self, makers: Mask, settle: int) -> None:
        assets, roles = makers.shape
        words = roles // _WORD + 1
        self.bit = np.zeros((roles, words), np.int64)
        role = np.arange(roles)
        self.bit[role, role // _WORD] = 1 << (role % _WORD)
        self.needed: NDArray[np.int64] = np.stack(
            [np.where(makers, self.bit[:, w], 0).sum(axis=1) for w in range(words)], 1
        ).astype(np.int64)
        self.closed: I64 = np.full(assets, NEVER, np.int64)
        self.late = 0
        self._settle = settle
        self._arrived: dict[tuple[int, int], list[int]] = {}
        self._touched: dict[tuple[int, int], int] = {}
        """Open rows by when they got their last sample, the longest ago first."""
        self._stamps: dict[int, list[int]] = {}

    @property
    def open(self) -> int:
        """Rows not closed yet."""
        return len(self._touched)

    def take_over(self, other: Gathering) -> None:
        """Go on with the rows of another one, over the same assets."""
        self.closed, self.late = other.closed, other.late
        self._arrived, self._touched = other._arrived, other._touched
        self._stamps = other._stamps

    def advance(
        self, arrivals: Arrivals, sample: I64, now: int
    ) -> list[tuple[int, int, int]]:
        """Take samples in, instant by instant.

        Args:
            arrivals: the turn's samples.
            sample: which of them make rows.
            now: agent time up to which rows settle.

        Returns:
            (asset, at, how many arrivals it sees) of each closed row.
        """
        rows: list[tuple[int, int, int]] = []
        asset, time = arrivals.asset[sample], arrivals.time[sample]
        received, role = arrivals.received[sample], arrivals.role[sample]
        order = np.lexsort((time, asset, received))
        asset, time, received = asset[order], time[order], received[order]
        new = (np.diff(asset) != 0) | (np.diff(time) != 0) | (np.diff(received) != 0)
        first = np.append(0, np.flatnonzero(new) + 1)[: len(sample)]
        if len(first):
            bits = np.bitwise_or.reduceat(self.bit[role[order]], first, axis=0)
            pieces = zip(
                asset[first].tolist(),
                time[first].tolist(),
                received[first].tolist(),
                bits.tolist(),
                strict=True,
            )
            for a, at, instant, arrived in pieces:
                self._expire(arrivals, instant - 1, rows)
                self._join(a, at, instant, arrived)
                if self._arrived.get((a, at)) == self.needed[a].tolist():
                    self._close(a, at, arrivals, instant, rows)
        self._expire(arrivals, now, rows)
        return rows

    def _join(self, asset: int, at: int, instant: int, arrived: list[int]) -> None:
        if at <= self.closed[asset]:
            self.late += 1
            return
        key = (asset, at)
        have = self._arrived.get(key)
        if have is None:
            insort(self._stamps.setdefault(asset, []), at)
            self._arrived[key] = arrived
        else:
            self._arrived[key] = [x | y for x, y in zip(have, arrived, strict=True)]
            del self._touched[key]
        self._touched[key] = instant

    def _expire(
        self, arrivals: Arrivals, moment: int, rows: list[tuple[int, int, int]]
    ) -> None:
        """Close rows whose wait was over at a moment."""
        while self._touched:
            (asset, at), touched = next(iter(self._touched.items()))
            over = touched + self._settle
            if over > moment:
                return
            self._shut(asset, at, arrivals.seen_at(over), rows)

    def _close(
        self,
        asset: int,
        at: int,
        arrivals: Arrivals,
        instant: int,
        rows: list[tuple[int, int, int]],
    ) -> None:
        self._shut(asset, at, arrivals.up_to(instant, at), rows)

    def _shut(
        self, asset: int, at: int, seen: int, rows: list[tuple[int, int, int]]
    ) -> None:
        stamps = self._stamps[asset]
        count = bisect_right(stamps, at)
        for stamp in stamps[:count]:
            rows.append((asset, stamp, seen))
            del self._arrived[(asset, stamp)], self._touched[(asset, stamp)]
        del stamps[:count]
        self.closed[asset] = at
