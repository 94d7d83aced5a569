"""The plant every contender sees: 100 assets of 20 tags, 64 features a row.

Row n of an asset is a pure function of n and the asset, so that any score on the
wire can be recomputed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASSETS = 100
TAGS = 20
SLOTS = 16
"""Samples a window holds, in every contender."""
SLOPES = 4
"""The first tags also have a slope."""
FEATURES = 3 * TAGS + SLOPES
POOL = 997
"""Distinct rows; prime, so that no asset ever sees a short period."""
NAMES = tuple(f"B{i:03d}" for i in range(ASSETS))
ROLES = tuple(f"tag_{i:02d}" for i in range(TAGS))


def pool() -> NDArray[np.float64]:
    """float64[POOL, TAGS]: values with three decimals, different level per tag."""
    noise = np.random.default_rng(20240131).normal(size=(POOL, TAGS))
    return np.round(10.0 + np.arange(TAGS) + 0.5 * noise, 3)


def pool_row(turn: int, asset: int) -> int:
    """Which row of the pool an asset sends in a round."""
    return (turn * ASSETS + asset) % POOL


def bodies(tags: int = TAGS) -> list[bytes]:
    """The JSON members of each row of the pool, its first tags, without the stamp."""
    names = [role.encode() for role in ROLES[:tags]]
    return [
        b",".join(b'"%s":%.3f' % pair for pair in zip(names, row, strict=True))
        for row in pool()[:, :tags]
    ]


def features(window: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """float64[FEATURES] of float64[SLOTS, TAGS], oldest first: the oracle.

    last, mean and sample standard deviation of every tag, least-squares slope per
    second of the first four.
    """
    time = (np.arange(len(window)) - (len(window) - 1) / 2) * period
    slope = time @ (window[:, :SLOPES] - window[:, :SLOPES].mean(0)) / (time @ time)
    return np.concatenate([window[-1], window.mean(0), window.std(0), slope])


@dataclass(frozen=True)
class Load:
    """How many rows a second reach the contender.

    Attributes:
        rows: rows a second over all assets.
        start: stamp of round 0, milliseconds since 1970.
    """

    rows: int
    start: int = 0

    @property
    def period(self) -> int:
        """Milliseconds between two rows of one asset."""
        return 1000 * ASSETS // self.rows

    def stamp(self, turn: int) -> int:
        """Milliseconds since 1970 that every asset's row of a round carries."""
        return self.start + turn * self.period
