"""One block of feature rows while it is being filled in.

Per feature a reason code says why it is missing (`records.NoScore`); the row carries
the worst quality of its inputs, the share of them that was there, and the age of the
oldest. What is usual, nothing missing and nothing doubtful, is not written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.feature_rows import FeatureRows
from edge_agent.features.window import NEVER, nanoseconds
from edge_agent.records import NoScore
from edge_agent.samples import NANOSECONDS, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.features.lookback import Newest
    from edge_agent.features.spec import FeatureSpec
    from edge_agent.features.window import Mask, Window
    from edge_agent.samples import F64, I32, I64, U8, Tag

_CLOSE = 1e-9
"""Slack of a share, which is a quotient, against its limit."""
_LONGEST_HOLD = 1e9
"""Seconds; some thirty years, for a hold without end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the specs demand, one entry a feature.

    Attributes:
        position: int64[F] which of the plan's roles.
        hold: int64[F] ns, not beyond what the tag allows.
        least_hold: int64[roles] the shortest hold of each role.
        max_age: int64[F] ns of silence that the tag allows; None where all allow any.
        least: float64[F] share of its samples a window needs.
        span: int64[F] ns, 0 where there is no window.
        cycle: the window is the cycle.
        instant: there is no window at all.
    """

    position: I64
    hold: I64
    least_hold: I64
    max_age: I64 | None
    least: F64
    span: I64
    cycle: Mask
    instant: Mask

    @classmethod
    def of(
        cls, specs: Sequence[FeatureSpec], position: I64, tags: Sequence[Tag]
    ) -> Limits:
        """From the specs, the roles they are made from, and the tag of each spec."""
        oldest = [nanoseconds(min(t.max_age, _LONGEST_HOLD)) for t in tags]
        hold = [
            min(nanoseconds(min(spec.hold, _LONGEST_HOLD)), limit)
            for spec, limit in zip(specs, oldest, strict=True)
        ]
        limited = any(isfinite(t.max_age) for t in tags)
        least_hold = np.full(position.max(initial=-1) + 1, np.iinfo(np.int64).max)
        np.minimum.at(least_hold, position, hold)
        return cls(
            position,
            np.array(hold, np.int64),
            least_hold,
            np.array(oldest, np.int64) if limited else None,
            np.array([s.min_completeness for s in specs]) - _CLOSE,
            np.array([nanoseconds(s.window or 0.0) for s in specs], np.int64),
            np.array([s.cycle for s in specs], bool),
            np.array([s.window is None and not s.cycle for s in specs], bool),
        )


class Sheet:
    """Values and blemishes of n rows, ``n x F``.

    Args:
        limits: what the specs demand.
        age: int64[n, roles] ns since each newest value was known to hold.

    Attributes:
        values: float32[n, F], to be filled in.
        stale: bool[n, F] older than its hold; None where nothing is.
        silent: bool[n, F] older than its tag allows; None where no tag has a limit.
        cut_short: bool[n] a window reached further back than the ring.
    """

    def __init__(self, limits: Limits, age: I64) -> None:
        self._limits = limits
        self._shape = (len(age), len(limits.hold))
        self.values: NDArray[np.float32] = np.empty(self._shape, np.float32)
        self.cut_short: Mask = np.zeros(len(age), bool)
        self.stale: Mask | None = None
        self.silent: Mask | None = None
        if np.count_nonzero(age > limits.least_hold):
            self.stale = age[:, limits.position] > limits.hold
            if limits.max_age is not None:
                self.silent = age[:, limits.position] > limits.max_age
        self._share: F64 | None = None
        self._doubted: Mask | None = None
        self._lacking: Mask | None = None

    def doubt(self, feature: slice | I64 | list[int], which: Mask) -> None:
        """Mark features as made from doubtful values."""
        if self._doubted is None:
            self._doubted = np.zeros(self._shape, bool)
        self._doubted[:, feature] |= which

    def lack(self, feature: slice | I64 | list[int], which: Mask) -> None:
        """Mark features as missing."""
        if self._lacking is None:
            self._lacking = np.zeros(self._shape, bool)
        self._lacking[:, feature] |= which

    def shared(self, feature: slice | I64, share: F64) -> None:
        """Note what share of their samples windows had; too little is missing."""
        if not np.count_nonzero(share < 1.0):
            return
        if self._share is None:
            self._share = np.ones(self._shape)
        self._share[:, feature] = share
        self.lack(feature, share < self._limits.least[feature])

    def finished(
        self,
        window: Window,
        asset: I32,
        at: I64,
        start: I64 | None,
        seen: Newest,
        age: I64,
        never: int,
    ) -> FeatureRows:
        """The rows, with a reason for everything that is missing.

        Args:
            window: the rings.
            asset: int32[n].
            at: int64[n].
            start: int64[n] where cycles began, or None.
            seen: the newest values.
            age: int64[n, roles].
            never: the age of a tag that never had a value.
        """
        rows, width = self._shape
        gone: Mask = np.isfinite(self.values)
        np.logical_not(gone, out=gone)
        if self._lacking is not None:
            gone |= self._lacking
        missing: U8 = np.zeros(self._shape, np.uint8)
        valid: Mask = np.ones(rows, bool)
        quality: U8 = np.zeros(rows, np.uint8)
        good = np.full(rows, width, np.int16)
        lacking = np.count_nonzero(gone)
        if lacking:
            missing[gone] = self._reasons(window, at, start, seen)[gone]
            self.values[gone] = np.nan
            valid = np.logical_not(gone.any(axis=1))
            if self._share is None:
                self._share = np.ones(self._shape)
            self._share[gone & self._limits.instant] = 0.0
        if self._doubted is not None or lacking:
            doubted = gone if self._doubted is None else self._doubted & ~gone
            worst = np.where(doubted.any(axis=1), Quality.UNCERTAIN, Quality.GOOD)
            quality = np.where(valid, worst, Quality.BAD).astype(np.uint8)
            good = (width - (gone | doubted).sum(axis=1)).astype(np.int16)
        share = np.ones(rows)
        if self._share is not None:
            share = np.add.reduce(self._share, axis=1) / max(width, 1)
        return FeatureRows(
            asset,
            at,
            self.values,
            valid,
            missing,
            quality,
            share,
            _oldest(age, never, seen),
            good,
            self.cut_short,
        )

    def _reasons(self, window: Window, at: I64, start: I64 | None, seen: Newest) -> U8:
        """Why each feature would be missing: the last that applies is told."""
        limits, rows = self._limits, self._shape[0]
        shape = (rows, len(limits.least_hold))
        column = seen.column.reshape(shape)[:, limits.position]
        began = np.full(rows, NEVER) if start is None else start
        bound = np.where(limits.cycle, began[:, None], at[:, None] - limits.span)
        warming = (window.first[column] > bound) & ~limits.instant
        codes = np.full(self._shape, NoScore.INPUT_MISSING, np.uint8)
        codes[warming | (limits.cycle & (bound == NEVER))] = NoScore.WARMING_UP
        if self.stale is not None:
            codes[self.stale] = NoScore.INPUT_STALE
        codes[seen.bad.reshape(shape)[:, limits.position]] = NoScore.INPUT_BAD
        codes[~seen.exists.reshape(shape)[:, limits.position]] = NoScore.INPUT_MISSING
        codes[np.isinf(self.values)] = NoScore.INPUT_BAD
        return codes


def _oldest(age: I64, never: int, seen: Newest) -> F64:
    """Seconds, the oldest input of each row; NaN where it never had one."""
    if seen.calm:
        seconds: F64 = age.max(axis=1, initial=0) / NANOSECONDS
        return seconds
    oldest = np.where(age == never, -1, age).max(axis=1, initial=-1)
    return np.where(oldest < 0, np.nan, oldest / NANOSECONDS)
