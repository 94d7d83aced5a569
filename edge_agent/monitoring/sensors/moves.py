"""How tags move, each beside its own past and beside the other tags of its asset.

A tag's *shift* over a horizon is a fast mean less a slow one. Over each horizon the
shifts of an asset's tags have a covariance, learned over all healthy assets of the
type: it holds how far tags usually move, and which move together. So what an asset
does now has one number, T2 = d' C^-1 d, and a share of it for each tag, namely what
T2 would fall by if that tag were not looked at::

    share of tag i = (C^-1 d)_i^2 / (C^-1)_ii

When T2 is beyond its limit and the rest without one tag is ordinary, then that tag
moved *alone*: the others are as they usually are to each other. Else several moved.

Shifts need no level of their own for each asset, so pumps that differ do not matter,
and a new level is the usual one after a while.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64

    Bools = NDArray[np.bool_]

LAGS = np.array([15.0, 150.0, 1500.0, 15000.0])
"""Time constants of the means, s. A horizon is the time between two of them."""
HORIZONS = len(LAGS) - 1
_LEARNED = np.maximum(2.0 * LAGS[1:], 1800.0)
"""Running it takes to know what moves together, s; twice that, to judge by it."""
_MEMORY = 30 * 3600.0
"""Time constant of what is learned, s."""
_RIDGE = 0.02
_MARGIN = 1.5
"""Over the largest T2 that was usual."""
_FEW = 20.0
"""Independent shifts by which a limit is doubled."""
_ORDINARY = 0.35
"""Of the least limit: T2 without a tag is below it when the others are as usual."""
_TRIFLE = 0.03
"""Of the square of the leader's own move, in usual shifts: beside a reading ten times
as large the others may move a little more than usual."""
_LEAST_SHARE = 30.0
"""5.5 deviations."""
FLEET = 5.0
"""Deviations of the mean shift of all assets that are no chance."""
_CREEP = 0.02
"""How far a larger one that is still usual moves that mark, once it is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Means and what is usual of their differences.

    Attributes:
        means: float64[lags, roles, assets], NaN before the first value.
        looks: float64[roles, assets], values in them.
        covariance: float64[horizons, roles, roles].
        learned: float64[horizons], s of learning.
        peak: float64[horizons, 1 + roles], largest T2 and shares that were usual.
        before: float64[roles, assets], level at the last look that was as usual.
        fleet: float64[horizons, roles], variance of the mean shift of all assets.
    """

    means: F64
    looks: F64
    covariance: F64
    learned: F64
    peak: F64
    before: F64
    fleet: F64

    @staticmethod
    def fresh(roles: int, assets: int) -> Motion:
        """Before any value."""
        return Motion(
            np.full((len(LAGS), roles, assets), np.nan),
            np.zeros((roles, assets)),
            np.zeros((HORIZONS, roles, roles)),
            np.zeros(HORIZONS),
            np.zeros((HORIZONS, 1 + roles)),
            np.full((roles, assets), np.nan),
            np.zeros((HORIZONS, roles)),
        )

    @property
    def known(self) -> Bools:
        """bool[horizons] whether T2 means something."""
        found: Bools = self.learned >= _LEARNED
        return found

    @property
    def judged(self) -> Bools:
        """bool[horizons] whether its limit does, too."""
        found: Bools = self.learned >= 2.0 * _LEARNED
        return found

    def shifts(self) -> F64:
        """float64[horizons, roles, assets], 0 where there is no value."""
        return np.nan_to_num(self.means[:-1] - self.means[1:])

    def forgotten(self, assets: Bools) -> Motion:
        """Where an asset begins anew (it has been at rest), its means do too."""
        if not assets.any():
            return self
        return replace(
            self,
            means=np.where(assets, np.nan, self.means),
            looks=np.where(assets, 0.0, self.looks),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Unusual:
    """T2 of each asset and horizon, and who makes it.

    Attributes:
        shift: float64[horizons, roles, assets].
        usual: float64[horizons, roles], standard deviation of the shifts.
        t2: float64[horizons, assets], 0 where a horizon is not known.
        judged: bool[horizons], whether the limit means something yet.
        limit: float64[horizons, 1 + roles], of T2 and of the shares.
        ordinary: float64[horizons], T2 of tags that are as usual stays below.
        share: float64[horizons, roles, assets], what T2 falls by without the tag.
        wrong: float64[horizons, roles, assets], usual shifts by which the tag would
            have to be wrong for that.
        tied: float64[horizons, roles], 0..1, part of a tag's shifts that the other
            tags tell.
        fleet: float64[horizons, roles], mean shift of all assets, in deviations of it.
    """

    shift: F64
    usual: F64
    t2: F64
    judged: Bools
    limit: F64
    ordinary: F64
    share: F64
    wrong: F64
    tied: F64
    fleet: F64

    @property
    def over(self) -> F64:
        """float64[horizons, assets], T2 or a share over its limit; 0 before one is."""
        most = (self.figures / self.limit[:, :, None]).max(axis=1)
        return np.where(self.judged[:, None], most, 0.0)

    @property
    def figures(self) -> F64:
        """float64[horizons, 1 + roles, assets], what has a limit."""
        return np.concatenate([self.t2[:, None], self.share], axis=1)

    @property
    def leader(self) -> NDArray[np.int64]:
        """int64[horizons, assets], role that has most of T2."""
        found: NDArray[np.int64] = self.share.argmax(axis=1)
        return found

    @property
    def alone(self) -> Bools:
        """bool[horizons, assets], whether the leader moved alone.

        The rest is ordinary without it, and it moved itself by what it would have to
        be wrong by: a tag that stood where others left it is the witness, not the
        culprit.
        """
        lead = self.leader[:, None]
        rest = self.t2 - self.share.max(axis=1)
        own = np.take_along_axis(self.shift / self.usual[:, :, None], lead, 1)[:, 0]
        wrong = np.take_along_axis(self.wrong, lead, 1)[:, 0]
        ordinary = np.maximum(self.ordinary[:, None], _TRIFLE * own**2)
        found: Bools = (rest < ordinary) & (own * np.sign(wrong) > 0.5 * np.abs(wrong))
        return found


def moved(motion: Motion, level: F64, dt: float, rests: Bools) -> Motion:
    """Means behind a look.

    Args:
        motion: before it.
        level: float64[roles, assets] mean since the last look, NaN without a value.
        dt: s since the last look.
        rests: bool[assets] whose means are left alone.
    """
    seen = np.isfinite(level) & ~rests
    looks = motion.looks + seen
    weight = np.maximum(
        1.0 / np.maximum(looks, 1.0), (1.0 - np.exp(-dt / LAGS))[:, None, None]
    )
    step = np.where(seen, weight, 0.0)
    old = np.where(np.isnan(motion.means), level, motion.means)
    return replace(motion, means=old + step * (np.nan_to_num(level) - old), looks=looks)


def unusual(motion: Motion, resolution: F64) -> Unusual:
    """Hold the shifts against what is usual.

    Args:
        motion: behind the look.
        resolution: float64[roles], a shift below it is none.
    """
    shift = motion.shifts()
    floor = np.maximum(resolution, 1e-12) ** 2
    covariance = motion.covariance * (1.0 - _RIDGE)
    place = np.arange(len(resolution))
    variance = motion.covariance[:, place, place] + floor
    covariance[:, place, place] = variance
    # in units of the usual shift: else the inverse of bars and rpm is all rounding
    scale = np.sqrt(variance)
    inverse = np.linalg.inv(covariance / (scale[:, :, None] * scale[:, None, :]))
    unit = shift / scale[:, :, None]
    pull = inverse @ unit
    own = inverse[:, place, place]
    known = motion.known[:, None]
    t2 = np.where(known, (unit * pull).sum(axis=1), 0.0)
    share = np.where(known[:, None], pull**2 / own[:, :, None], 0.0)
    # T2 of a covariance from little has longer tails: learning so long saw so many
    # shifts that have nothing to do with each other
    shifts = shift.shape[2] * motion.learned / (2.0 * LAGS[1:])
    roles = len(resolution)
    least = np.full(1 + roles, _LEAST_SHARE)
    least[0] = roles + 8.0 * np.sqrt(2.0 * roles)
    least = least * (1.0 + _FEW / np.maximum(shifts, 1.0))[:, None]
    limit = np.maximum(_MARGIN * motion.peak, least)
    # assets that move by themselves would give this much; they never give less
    chance = variance / max(shift.shape[2], 1)
    spread = np.sqrt(np.maximum(motion.fleet, chance))
    fleet = np.where(motion.judged[:, None], shift.mean(axis=2) / spread, 0.0)
    return Unusual(
        *(shift, scale, t2, motion.judged, limit, _ORDINARY * least[:, 0], share),
        wrong=pull / own[:, :, None],
        tied=1.0 - 1.0 / own,
        fleet=fleet,
    )


def learned(motion: Motion, seen: Unusual, healthy: Bools, dt: float) -> Motion:
    """Learn from the healthy assets.

    Args:
        motion: behind the look.
        seen: of the look.
        healthy: bool[assets] without a condition and not at rest.
        dt: s since the last look.
    """
    over = seen.over > 1.0
    before = np.where(over.any(axis=0), motion.before, motion.means[1])
    motion = replace(motion, before=before)
    count = int(healthy.sum())
    if not count:
        return motion
    shift = seen.shift[:, :, healthy]
    now = shift @ shift.transpose(0, 2, 1) / count
    rate = np.maximum(dt / (motion.learned + dt), dt / _MEMORY)[:, None]
    apart = np.abs(seen.fleet).max(axis=1, keepdims=True) <= FLEET
    slow = np.where(apart, rate, 0.0)
    return replace(
        motion,
        covariance=motion.covariance + rate[:, None] * (now - motion.covariance),
        fleet=motion.fleet + slow * (shift.mean(axis=2) ** 2 - motion.fleet),
        learned=motion.learned + dt,
        peak=_peak(motion, seen, healthy, dt),
    )


def _peak(motion: Motion, seen: Unusual, healthy: Bools, dt: float) -> F64:
    """Fast up while a horizon is new, then slowly: no fault may raise its own limit."""
    top = seen.figures[:, :, healthy].max(axis=2)
    rate = np.where(motion.judged, _CREEP, 1.0)[:, None]
    up = rate * np.maximum(top - motion.peak, 0.0)
    down = motion.peak * (dt / _MEMORY)
    return np.where(motion.known[:, None], motion.peak + up - down, 0.0)
