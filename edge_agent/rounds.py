"""Rows of several assets, several rows an asset, taken in rounds.

A step that needs the result of the asset's row before (an alarm's delay, a
deadband) runs once a round, over all assets at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.samples import I32, I64


def rounds(asset: I32) -> Iterator[I64]:
    """Positions of rows in rounds that hold each asset at most once, in order.

    Args:
        asset: int32[n].
    """
    rows = np.arange(len(asset), dtype=np.int64)
    if len(asset) <= 1:
        yield rows
        return
    order = asset.argsort(kind="stable")
    ordered = asset[order]
    new = ordered[1:] != ordered[:-1]
    if np.count_nonzero(new) == len(new):
        yield rows
        return
    starts = np.append(0, np.flatnonzero(new) + 1)
    place = rows - np.repeat(starts, np.diff(starts, append=len(ordered)))
    for number in range(int(place.max()) + 1):
        yield np.sort(order[place == number])
