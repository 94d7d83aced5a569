"""Rows of continuous scoring folded to one a stretch of time and asset. Pure.

A thousand assets scored every second make 86 million rows a day; what a label asks of
them is whether, in its stretch, the score was high. A bucket keeps the highest score
(with the threshold, class, context and version of that row) and whether an alarm was
active at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.labels.columns import BUCKET, Columns, Flag, empty, length, taken

if TYPE_CHECKING:
    from edge_agent.samples import I64

#: Lengths a bucket may have, seconds.
LENGTHS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_NS = 1_000_000_000
_MOST_ROWS = 65_535
_ANY = np.uint8(Flag.ALARM | Flag.OVER)
_NO_SCORE, _CLEAR = np.uint8(Flag.NO_SCORE), np.uint8(255 - Flag.NO_SCORE)


def fitting(assets: int, rows: int, horizon: float) -> int:
    """Seconds of a bucket: the shortest with which so many rows reach the horizon.

    Args:
        assets: of the pipeline.
        rows: that the memory holds.
        horizon: seconds.
    """
    room = max(rows // max(assets, 1), 1)
    return next((s for s in LENGTHS if horizon / s <= room), LENGTHS[-1])


class Buckets:
    """Those not yet closed.

    Args:
        seconds: length of one.
    """

    def __init__(self, seconds: int) -> None:
        self.span = seconds * _NS
        self._open = empty(BUCKET)

    def __len__(self) -> int:
        return length(self._open)

    def take(self, rows: Columns) -> Columns:
        """Fold rows in; gives the buckets that are over, in order of time.

        A bucket is over when its asset has a later row: rows come in order.

        Args:
            rows: columns of `BUCKET`, ``at`` still the rows' own time.
        """
        rows = {**rows, "at": rows["at"] // self.span * self.span}
        merged = _folded(
            {name: np.concatenate([self._open[name], rows[name]]) for name in BUCKET}
        )
        if not length(merged):
            return merged
        asset, at = merged["asset"], merged["at"]
        newest = np.full(int(asset.max()) + 1, np.iinfo(np.int64).min)
        np.maximum.at(newest, asset, at)
        return self._closed(merged, at < newest[asset])

    def over(self, now: int) -> Columns:
        """Close those that ended some time ago though no further row came."""
        ended = self._open["at"] < now - 2 * self.span
        return self._closed(self._open, ended)

    def rest(self) -> Columns:
        """Close all: the agent stops."""
        return self._closed(self._open, np.ones(len(self), bool))

    def _closed(self, merged: Columns, which: np.typing.NDArray[np.bool_]) -> Columns:
        self._open = taken(merged, ~which)
        closed = taken(merged, which)
        return taken(closed, np.argsort(closed["at"], kind="stable"))


def _folded(rows: Columns) -> Columns:
    """One row for each asset and time; ``rows`` are added, flags joined."""
    if not length(rows):
        return rows
    # of one bucket the row with the highest score comes last, rows without one first
    score = np.nan_to_num(rows["score"], nan=-np.inf)
    order = np.lexsort((score, rows["at"], rows["asset"]))
    asset, at = rows["asset"][order], rows["at"][order]
    last = np.ones(len(order), bool)
    last[:-1] = (asset[1:] != asset[:-1]) | (at[1:] != at[:-1])
    ends = np.flatnonzero(last)
    starts: I64 = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    flags = rows["flags"][order]
    found = taken(rows, order[ends])
    any_of = np.bitwise_or.reduceat(flags & _ANY, starts)
    scored = ~np.bitwise_and.reduceat(flags & _NO_SCORE, starts).astype(bool)
    kept = found["flags"] & _CLEAR
    found["flags"] = kept | any_of | np.where(scored, np.uint8(0), _NO_SCORE)
    counts = np.add.reduceat(rows["rows"][order].astype(np.int64), starts)
    found["rows"] = np.minimum(counts, _MOST_ROWS).astype(np.uint16)
    return found
