"""Blocks in a checkpoint: plain values and bytes, and back.

``open`` changes with every row and is small, ``closed/0`` with every block,
``closed/1`` and ``closed/2`` seldom: kept apart, so that a checkpoint writes what is
new.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.monitoring.blocks import (
    MAX_CONTEXTS,
    MAX_PIECES,
    WINDOWS,
    Blocks,
    Cadence,
    Open,
    Window,
)
from edge_agent.monitoring.pieces import Piece
from edge_agent.monitoring.tallies import Tallies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.monitoring.tallies import Grid

    Plain = dict[str, Any]

_FORMAT = 1
_QUICK = 1
_FIELDS = ("n", "missing", "total", "square", "low", "high", "counts")


def saved(blocks: Blocks, *, closed: bool = True) -> dict[str, Plain]:
    """By name; each is of numbers, texts, lists and bytes.

    Args:
        blocks: all.
        closed: also what is closed: much, and new only behind a close.
    """
    head = {
        "format": _FORMAT,
        "baseline": blocks.grid.baseline_id,
        "columns": list(blocks.grid.names),
        "every": blocks.cadence.every,
        "window": blocks.cadence.window,
    }
    live = [
        [context, block.gated, block.by_asset.tobytes(), _packed([block.tallies])]
        for context, block in blocks.live.items()
    ]
    found: dict[str, Plain] = {
        "open": {
            **head,
            "since": blocks.since,
            "pace": blocks.pace,
            "crowded": blocks.crowded,
            "live": live,
        }
    }
    for place in range(WINDOWS if closed else 0):
        windows = [
            [context, _window(windows[place])]
            for context, windows in blocks.closed.items()
            if place < len(windows)
        ]
        found[f"closed/{place}"] = {**head, "windows": windows}
    return found


def restored(
    grid: Grid, cadence: Cadence, assets: int, kept: Mapping[str, Plain]
) -> Blocks:
    """From a checkpoint.

    Args:
        grid: of the model that runs now.
        cadence: as configured now.
        assets: of the pipeline now; with another number the open block counts as made
            by one asset.
        kept: what `saved` gave.

    Raises:
        ValueError, KeyError, TypeError: it is damaged, or of other bins or times: start
            fresh.
    """
    for part in kept.values():
        _check(part, grid, cadence)
    now = kept["open"]
    live = {}
    for context, gated, by_asset, body in now["live"][: MAX_CONTEXTS + 1]:
        tallies = _unpacked(body, 1, grid)[0]
        rows = np.frombuffer(by_asset, np.int64)
        if len(rows) != assets:
            rows = np.zeros(assets, np.int64)
            rows[0] = tallies.rows
        live[str(context)] = Open(tallies, rows, int(gated))
    closed: dict[str, tuple[Window, ...]] = {}
    for place in range(WINDOWS):
        for context, plain in kept[f"closed/{place}"]["windows"][: MAX_CONTEXTS + 1]:
            before = closed.get(str(context), ())
            if len(before) == place:
                closed[str(context)] = (*before, _window_of(plain, grid))
    return Blocks(
        *(grid, cadence, assets, int(now["since"]), live, closed),
        float(now["pace"]),
        int(now["crowded"]),
    )


def _check(part: Plain, grid: Grid, cadence: Cadence) -> None:
    wanted = (_FORMAT, grid.baseline_id, list(grid.names))
    if (part["format"], part["baseline"], list(part["columns"])) != wanted:
        raise ValueError("it was counted over other bins")
    if (part["every"], part["window"]) != (cadence.every, cadence.window):
        raise ValueError("it was cut into other windows")


def _window(window: Window) -> Plain:
    pieces = [*window.pieces, *([window.pending] if window.pending else [])]
    return {
        "closed": len(window.pieces),
        "heads": [
            [p.since, p.until, p.seconds, p.assets, p.gated, p.blocks] for p in pieces
        ],
        "tallies": _packed([piece.tallies for piece in pieces]),
    }


def _window_of(plain: Plain, grid: Grid) -> Window:
    heads, closed = plain["heads"], int(plain["closed"])
    if not closed <= len(heads) <= min(closed, MAX_PIECES) + 1:
        raise ValueError(f"{len(heads)} pieces, of which {closed} are closed")
    pieces = tuple(
        Piece(
            *(int(since), int(until), tallies, float(seconds), float(assets)),
            *(int(gated), int(blocks)),
        )
        for (since, until, seconds, assets, gated, blocks), tallies in zip(
            heads, _unpacked(plain["tallies"], len(heads), grid), strict=True
        )
    )
    return Window(pieces[:closed], pieces[closed] if len(pieces) > closed else None)


def _packed(parts: Sequence[Tallies]) -> bytes:
    rows = np.array([part.rows for part in parts], np.int64).tobytes()
    tables = [
        np.stack([getattr(part, name) for part in parts]).tobytes() for name in _FIELDS
    ]
    return zlib.compress(b"".join([rows, *tables]), _QUICK) if parts else b""


def _unpacked(body: bytes, count: int, grid: Grid) -> list[Tallies]:
    if not count:
        return []
    empty = Tallies.empty(grid)
    shapes = {name: getattr(empty, name) for name in _FIELDS}
    size = 8 * count * (1 + sum(table.size for table in shapes.values()))
    try:
        raw = zlib.decompressobj().decompress(body, size + 1)
    except zlib.error as error:
        raise ValueError(f"tallies are damaged: {error}") from error
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes of tallies instead of {size}")
    rows = np.frombuffer(raw, np.int64, count)
    at, tables = 8 * count, []
    for table in shapes.values():
        many = count * table.size
        found = np.frombuffer(raw, table.dtype, many, at)
        tables.append(found.reshape(count, *table.shape))
        at += 8 * many
    return [Tallies(int(rows[i]), *(t[i] for t in tables)) for i in range(count)]
