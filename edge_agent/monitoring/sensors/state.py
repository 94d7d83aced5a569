"""What the watch keeps between two looks, and over a restart."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.monitoring.sensors.habits import Habits, Lately
from edge_agent.monitoring.sensors.moves import FLEET, LAGS, Motion
from edge_agent.monitoring.sensors.sums import NEVER, Sums, Trail
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.monitoring.sensors.moves import Unusual
    from edge_agent.samples import F64, I64

    Bools = NDArray[np.bool_]
    Index = NDArray[np.int64]

_OVER = 60.0
"""Seconds as usual until an unusual movement is over."""
_BY_ASSET = frozenset({"means", "looks", "before"})
"""Columns of `Motion` whose last axis is the assets."""


@dataclass(frozen=True, slots=True, eq=False)
class Stir:
    """Since when an asset moves unusually, and whether several tags do.

    Attributes:
        since: int64[assets] agent time, `NEVER` while all is as usual.
        last: int64[assets] agent time of the last look that was not.
        alone, several: float64[assets] looks since then at which one tag moved alone,
            and at which several did.
        common: int64[roles] agent time of the last look at which all assets moved as
            one in this role, or `NEVER`.
    """

    since: I64
    last: I64
    alone: F64
    several: F64
    common: I64

    @staticmethod
    def fresh(roles: int, assets: int) -> Stir:
        """All as usual."""
        never = np.full(assets, NEVER, np.int64)
        common = np.full(roles, NEVER, np.int64)
        return Stir(never, never, np.zeros(assets), np.zeros(assets), common)

    def looked(self, unusual: Unusual, rests: Bools, now: int) -> Stir:
        """Behind a look."""
        over = (unusual.over > 1.0) & ~rests
        some = over.any(axis=0)
        several = (over & ~unusual.alone).any(axis=0)
        quiet = now - np.maximum(self.last, 0) > _OVER * NANOSECONDS
        ended = rests | (~some & quiet)
        since = np.where(some & (self.since == NEVER), now, self.since)
        return Stir(
            np.where(ended, NEVER, since),
            np.where(some, now, self.last),
            np.where(ended, 0.0, self.alone + (some & ~several)),
            np.where(ended, 0.0, self.several + several),
            np.where((np.abs(unusual.fleet) > FLEET).any(axis=0), now, self.common),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """State of the watch; replaced, never changed.

    Attributes:
        at: agent time of the last look, ns; `NEVER` before the first.
        trail: newest samples.
        sums: of the samples since the last look.
        late: how each tag is.
        habits: how it usually is.
        motion: of tags beside each other.
        rested: int64[assets] agent time an asset last stood still, or `NEVER`.
        open: bool[tags] which showed a sign at the last look.
        stir: of the assets that move unusually.
    """

    at: int
    trail: Trail
    sums: Sums
    late: Lately
    habits: Habits
    motion: Motion
    rested: I64
    open: Bools
    stir: Stir

    @staticmethod
    def fresh(facts: Facts) -> Health:
        """Before any sample."""
        size, (roles, assets) = facts.kind.size, facts.shape
        return Health(
            NEVER,
            Trail.fresh(size),
            Sums.fresh(size),
            Lately.fresh(size),
            Habits.fresh(size),
            Motion.fresh(roles, assets),
            np.full(assets, NEVER, np.int64),
            np.zeros(size, bool),
            Stir.fresh(roles, assets),
        )


def saved(health: Health) -> dict[str, NDArray[Any]]:
    """What must survive a restart: arrays by name."""
    found: dict[str, NDArray[Any]] = {
        f"habits.{f.name}": getattr(health.habits, f.name) for f in fields(Habits)
    }
    found |= {
        f"motion.{f.name}": getattr(health.motion, f.name) for f in fields(Motion)
    }
    found["at"] = np.array([health.at], np.int64)
    return found


def restored(
    facts: Facts,
    arrays: Mapping[str, NDArray[Any]],
    then: tuple[Sequence[str], Sequence[str]],
    now: int,
) -> Health:
    """Go on from what `saved` gave; tags that are new begin anew.

    Samples begin anew, too: what was missed while the agent was away is no gap. Means
    that reach back less far than it was away are dropped. How tags move together is
    kept only while the roles are the same.

    Args:
        facts: now.
        arrays: what was saved.
        then: roles and assets when it was saved, as `Facts.roles` and `Facts.assets`.
        now: agent time, ns.

    Raises:
        ValueError: the arrays do not fit ``then``.
        KeyError: one is missing.
    """
    fresh = Health.fresh(facts)
    roles, to_role = _pairs(facts.roles, then[0])
    assets, to_asset = _pairs(facts.assets, then[1])
    shape, own = (len(then[0]), len(then[1])), facts.shape
    habits = {}
    for f in fields(Habits):
        column = getattr(fresh.habits, f.name).reshape(own).copy()
        old = _shaped(arrays[f"habits.{f.name}"], (shape[0] * shape[1],), f.name)
        column[np.ix_(to_role, to_asset)] = old.reshape(shape)[np.ix_(roles, assets)]
        habits[f.name] = column.reshape(-1)
    # as usual until shown otherwise: the first few samples alone are too few to tell
    late = replace(fresh.late, noise=habits["noise"].copy())
    health = replace(fresh, habits=Habits(**habits), late=late)
    if list(then[0]) != list(facts.roles):
        return health
    motion = _motion(Motion.fresh(*shape), fresh.motion, arrays, assets, to_asset)
    away = (now - int(arrays["at"][0])) / NANOSECONDS
    motion.means[(away > LAGS) | (away < 0)] = np.nan
    return replace(health, motion=motion)


def _motion(
    old: Motion,
    fresh: Motion,
    arrays: Mapping[str, NDArray[Any]],
    assets: Index,
    to_asset: Index,
) -> Motion:
    columns = {}
    for f in fields(Motion):
        wanted = getattr(old, f.name)
        given = _shaped(arrays[f"motion.{f.name}"], wanted.shape, f.name)
        if f.name in _BY_ASSET:
            column = getattr(fresh, f.name).copy()
            column[..., to_asset] = given[..., assets]
            given = column
        columns[f.name] = given
    return Motion(**columns)


def _pairs(now: Mapping[str, int], then: Sequence[str]) -> tuple[Index, Index]:
    """Positions of the names that are in both: then, and now."""
    both = [(i, now[name]) for i, name in enumerate(then) if name in now]
    old, new = np.array(both, np.int64).reshape(-1, 2).T
    return old, new


def _shaped(array: NDArray[Any], shape: tuple[int, ...], name: str) -> F64:
    if array.shape != shape or array.dtype != np.float64:
        raise ValueError(
            f"a checkpoint of sensors has {name} of {array.dtype}{list(array.shape)}"
        )
    return array
