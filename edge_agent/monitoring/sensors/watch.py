"""Health of all tags of an asset type: samples in, one look every ten seconds out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.sensors import habits as usual
from edge_agent.monitoring.sensors import moves
from edge_agent.monitoring.sensors.counting import summed
from edge_agent.monitoring.sensors.signs import Signs, signs
from edge_agent.monitoring.sensors.sums import NEVER, Sums
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.monitoring.sensors.habits import Habits
    from edge_agent.monitoring.sensors.moves import Motion, Unusual
    from edge_agent.monitoring.sensors.state import Health, Stir
    from edge_agent.samples import F64, I64, SampleBatch

    Bools = NDArray[np.bool_]

EVERY = 10.0
"""Seconds between two looks that the limits are made for."""
_SETTLE = 600.0
"""Seconds after a standstill in which an asset is not judged: it warms up."""
_STEADY = 0.25
"""Of the sign of noise: below it noise is learned from."""
_STANDS, _OFTEN = 2, 0.5
"""So many tags at the low end of their range, and the asset stands still; those that
are there in half of their samples say nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One look, as arrays.

    Attributes:
        at: agent time, ns.
        signs: of each tag by itself.
        unusual: of the tags of an asset beside each other.
        level: float64[roles, assets], mean since the last look, NaN without a value.
        before: float64[roles, assets], level when all was as usual.
        rests: bool[assets], not judged: stands still, or has until lately.
        known: bool[tags], judged by itself at all.
        stir: of the assets that move unusually.
        motion: of all.
    """

    at: int
    signs: Signs
    unusual: Unusual
    level: F64
    before: F64
    rests: Bools
    known: Bools
    stir: Stir
    motion: Motion


def take(health: Health, facts: Facts, batch: SampleBatch) -> Health:
    """Count a batch in.

    A call copies its columns, so that a hundred small batches cost more than a large
    one: gather what comes until the next look, or a second of it.

    Args:
        health: before it.
        facts: of the asset type; other samples are passed over.
        batch: settled samples in order of arrival.
    """
    spike = usual.spike(health.habits, health.late)
    sums, trail = summed(health.sums, health.trail, facts, batch, spike)
    return replace(health, sums=sums, trail=trail)


def look(
    health: Health,
    facts: Facts,
    now: int,
    alive: I64,
    running: Bools | None = None,
) -> tuple[Health, Seen]:
    """Judge all tags and learn from the healthy ones.

    Args:
        health: with all samples until now.
        facts: of the asset type.
        now: agent time, ns.
        alive: int64[sources] agent time at which each was last seen alive.
        running: bool[assets], whether the operator's state tags say that it runs; an
            asset is taken to stand still besides when two of its tags are at the low
            end of their range where they usually are not.
    """
    dt = EVERY if health.at == NEVER else (now - health.at) / NANOSECONDS
    dt = float(np.clip(dt, 0.1, 60.0))
    late = usual.lately(health.late, health.sums, health.habits, dt)
    own = signs(facts, health.trail, late, health.habits, now, alive)
    rested = _rested(health, facts, now, running)
    rests = (rested != NEVER) & (now - rested < _SETTLE * NANOSECONDS)
    level = _level(health, facts, own.down)
    motion = moves.moved(health.motion, level, dt, rests)
    motion = motion.forgotten(rested == now)
    unusual = moves.unusual(motion, _resolution(health.habits, facts))
    stir = health.stir.looked(unusual, rests, now)
    before, known = health.motion.before, health.habits.known
    seen = Seen(now, own, unusual, level, before, rests, known, stir, motion)
    after = replace(health, at=now, late=late, rested=rested, stir=stir)
    after = _learned(after, seen, dt)
    motion = _taught(motion, seen, after.open.reshape(facts.shape), dt)
    return replace(after, motion=motion, sums=Sums.fresh(facts.kind.size)), seen


def _learned(health: Health, seen: Seen, dt: float) -> Health:
    """Habits of the tags that show no sign, and which do."""
    roles = len(seen.level)
    odd = seen.signs.strongest >= 1.0
    over = np.tile((seen.unusual.over > 1.0).any(axis=0) | seen.rests, roles)
    # a tag that has just come back is not healthy yet: its gap was none of its habits
    healthy = ~(odd | health.open | seen.signs.down | over)
    habits = usual.learned(
        *(health.habits, health.sums, health.late),
        healthy=healthy,
        steady=seen.signs.noise < _STEADY,
        dt=dt,
    )
    return replace(health, habits=habits, open=odd | seen.signs.down)


def _taught(motion: Motion, seen: Seen, odd: Bools, dt: float) -> Motion:
    whole = np.isfinite(seen.level).sum(axis=0) > 1
    over = (seen.unusual.over > 1.0).any(axis=0)
    healthy = whole & ~(odd.any(axis=0) | over | seen.rests)
    return moves.learned(motion, seen.unusual, healthy, dt)


def _rested(health: Health, facts: Facts, now: int, running: Bools | None) -> I64:
    sums, shape = health.sums, facts.shape
    low = (sums.count > 0) & (sums.floor >= _OFTEN * sums.count)
    # a value that stands at the low end is there still
    low |= (sums.count == 0) & (health.trail.value <= facts.floor)
    low &= facts.numeric & (health.habits.floor < _OFTEN)
    stands = low.reshape(shape).sum(axis=0) >= _STANDS
    if running is not None:
        stands |= ~running
    return np.where(stands, now, health.rested)


def _level(health: Health, facts: Facts, down: Bools) -> F64:
    """Mean of the samples; of a tag that reports changes only, its value."""
    sums = health.sums
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums.total / sums.count
    stands = facts.held & (sums.count == 0)
    mean = np.where(stands, health.trail.value, mean)
    gone = down | (health.trail.bad != NEVER) | ~facts.numeric
    return np.where(gone, np.nan, mean).reshape(facts.shape)


def _resolution(habits: Habits, facts: Facts) -> F64:
    """float64[roles] the coarsest of the assets', at least a trifle of the noise."""
    step = habits.smallest.reshape(facts.shape)
    noise = np.exp(np.nan_to_num(habits.noise, nan=-np.inf)).reshape(facts.shape)
    return np.maximum(np.median(step, axis=1), 0.1 * np.median(noise, axis=1))
