"""Live rows over time: the newest stretch, and longer ones behind it; bounded.

Rows are added to the open block of their context. When a block is closed it becomes one
piece of the window, which is their sum. What slides out of sight in hours is kept in
coarser pieces: a second window is eight times as long, a third 64 times, so that what
changes by a little every week is seen as well. All sums are exact (`tallies`): a window
is what counting its rows at once would have given.

Memory a column and context: at most 51 pieces of 8 bytes a bin (a passport has 22) and
48 bytes besides, 11 KiB; with the default of 24 blocks a window 43 pieces, 10 KiB.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.pieces import Piece, even, together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.monitoring.tallies import Grid, Tallies
    from edge_agent.samples import I64

OTHER = "(other)"
"""Rows of contexts that came when there were `MAX_CONTEXTS` already."""
MAX_CONTEXTS = 32
MAX_PIECES = 32
"""Of the first window; shorter blocks are put together."""
LONGER = 8
"""A window is so many times as long as the one before it, in so many pieces."""
WINDOWS = 3
NANOSECONDS = 1_000_000_000
_FORGET = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """The block that is being filled.

    Attributes:
        tallies: of its rows.
        by_asset: int64[assets] rows of each.
        gated: rows that were not counted.
    """

    tallies: Tallies
    by_asset: I64
    gated: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One context's pieces of one length, oldest first.

    Attributes:
        pieces: closed.
        pending: what will be a piece of the next longer window; None when empty.
    """

    pieces: tuple[Piece, ...] = ()
    pending: Piece | None = None


@dataclass(frozen=True, slots=True)
class Cadence:
    """How time is cut.

    Attributes:
        every: seconds of a block.
        window: seconds of the first window.
        contexts: told apart at most; more are one.
    """

    every: float
    window: float
    contexts: int = MAX_CONTEXTS

    @property
    def blocks(self) -> int:
        """In the first window."""
        return max(round(self.window / self.every), 1)

    @property
    def group(self) -> int:
        """Blocks of a piece of the first window."""
        return ceil(self.blocks / MAX_PIECES)

    def pieces(self, place: int) -> int:
        """Of the window at a place, 0 the first."""
        return ceil(self.blocks / self.group) if place == 0 else LONGER

    def seconds(self, place: int) -> float:
        """Length of the window at a place."""
        return float(self.window * LONGER**place)

    def span(self, place: int) -> int:
        """Blocks of the window at a place."""
        return int(self.blocks * LONGER**place)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """All rows of a pipeline that monitoring remembers.

    Attributes:
        grid: the bins.
        cadence: how time is cut.
        assets: of the pipeline.
        since: agent time the open blocks began, ns.
        live: by context; what rows are added to.
        closed: by context, the windows, shortest first.
        pace: most rows a second of all contexts together, slowly forgotten.
        crowded: rows that went to `OTHER`.
    """

    grid: Grid
    cadence: Cadence
    assets: int
    since: int
    live: Mapping[str, Open] = field(default_factory=dict)
    closed: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)
    pace: float = 0.0
    crowded: int = 0

    def folded(
        self,
        context: str,
        tallies: Tallies,
        by_asset: I64 | None = None,
        gated: int = 0,
    ) -> Blocks:
        """With more rows of a context.

        Args:
            context: empty where there are none.
            tallies: of the rows, from `tallies.counted`.
            by_asset: int64[assets] rows of each; without, all of one.
            gated: rows that were not counted as the machine did not run.
        """
        crowded = self.crowded
        if context not in self.live and not self._has_room(context):
            context, crowded = OTHER, crowded + tallies.rows
        before = self.live.get(context)
        if by_asset is None:
            by_asset = np.zeros(self.assets, np.int64)
            by_asset[0] = tallies.rows
        if before is not None:
            tallies = before.tallies.plus(tallies)
            by_asset = before.by_asset + by_asset
            gated += before.gated
        live = {**self.live, context: Open(tallies, by_asset, gated)}
        return replace(self, live=live, crowded=crowded)

    def close(self, now: int) -> tuple[Blocks, dict[str, Piece]]:
        """With the open blocks closed at an agent time, and those by context.

        A context without rows gets no piece: its window holds the last time it ran.
        """
        seconds = max((now - self.since) / NANOSECONDS, 1e-9)
        rows = sum(block.tallies.rows for block in self.live.values())
        pace = max(self.pace * _FORGET, rows / seconds)
        found = {
            context: Piece(
                *(self.since, now, block.tallies),
                block.tallies.rows / pace if pace else 0.0,
                even(block.by_asset),
                block.gated,
            )
            for context, block in self.live.items()
        }
        closed = dict(self.closed)
        for context, piece in found.items():
            if piece.tallies.rows:
                closed[context] = self._behind(closed.get(context, ()), piece)
        closed = self._remembered(closed, now)
        return replace(self, live={}, closed=closed, pace=pace, since=now), found

    def window(self, context: str, place: int = 0) -> Piece | None:
        """Sum of a window of a context; None while it is no longer than a shorter one.

        Args:
            context: one of `closed`.
            place: 0 the first, 1 eight times as long, 2 64 times.
        """
        windows = self.closed.get(context, ())
        if place >= len(windows) or not windows[place].pieces:
            return None
        pieces = list(windows[place].pieces)
        if place:
            # what has come since its last piece: a longer window is as fresh
            pieces += [w.pending for w in windows[place - 1 :: -1] if w.pending]
        return together(pieces)

    def whole(self, place: int = 0) -> Piece | None:
        """Sum of a window of all contexts."""
        found = [self.window(context, place) for context in self.closed]
        there = [piece for piece in found if piece is not None]
        return together(there) if there else None

    def recent(self, now: int) -> dict[str, Piece]:
        """By context, what ran within the first window's length of an agent time."""
        begin = now - int(self.cadence.window * NANOSECONDS)
        found = {}
        for context, windows in self.closed.items():
            pieces = [p for p in windows[0].pieces if p.until > begin]
            if pieces:
                found[context] = together(pieces)
        return found

    def _behind(self, windows: tuple[Window, ...], piece: Piece) -> tuple[Window, ...]:
        after = list(windows) or [Window()]
        coming: Piece | None = piece
        for place in range(WINDOWS):
            if coming is None:
                break
            if place == len(after):
                after.append(Window())
            after[place], coming = self._taken(after[place], coming, place)
        return tuple(after)

    def _taken(
        self, window: Window, piece: Piece, place: int
    ) -> tuple[Window, Piece | None]:
        """A window with one more piece, and what the next longer one gets."""
        pieces = window.pieces
        if place == 0 and pieces and pieces[-1].blocks < self.cadence.group:
            pieces = (*pieces[:-1], pieces[-1].plus(piece))
        else:
            pieces = (*pieces, piece)
        pieces = pieces[-self.cadence.pieces(place) :]
        if place == WINDOWS - 1:
            return Window(pieces), None
        pending = window.pending.plus(piece) if window.pending else piece
        if pending.blocks >= self.cadence.span(place):
            return Window(pieces), pending
        return Window(pieces, pending), None

    def _has_room(self, context: str) -> bool:
        return len({*self.live, context} - {OTHER}) <= self.cadence.contexts

    def _remembered(
        self, closed: Mapping[str, tuple[Window, ...]], now: int
    ) -> dict[str, tuple[Window, ...]]:
        """Contexts that ran within the longest window, of too many the newest."""
        oldest = now - int(self.cadence.seconds(WINDOWS - 1) * NANOSECONDS)
        newest = {c: w[0].pieces[-1] for c, w in closed.items()}
        order = sorted(
            (c for c in closed if newest[c].until > oldest),
            key=lambda c: (newest[c].until, newest[c].tallies.rows),
            reverse=True,
        )
        # one more for what came when there was no room
        most = self.cadence.contexts + 1
        return {context: closed[context] for context in order[:most]}
