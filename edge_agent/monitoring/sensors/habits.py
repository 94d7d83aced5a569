"""What is usual for each tag by itself, and how it has been lately."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.sensors import rhythm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.sensors.sums import Sums
    from edge_agent.samples import F64

    Bools = NDArray[np.bool_]

_MEMORY = 8 * 3600.0
"""Time constant of habits, s."""
_HOLDS = 2000.0
"""Ended holds that are remembered."""
_SHORT = 60.0
"""Time constant of shares, s."""
_LONG = 300.0
"""Time constant of the count of spikes, s."""
_SAMPLES = 100.0
"""Samples that the noise of late is made of."""
_SPIKE, _STEPS = 4.6, 5.0
"""A spike is larger than so many mean bends, and than so many smallest steps."""
_ENOUGH = 4
"""Samples of one look that its noise is told from."""
_FINDING = 15
"""Looks until the noise is found."""
LOOKS, SAMPLES = 30, 60
"""Looks with samples, and samples, before a tag is judged."""


@dataclass(frozen=True, slots=True, eq=False)
class Lately:
    """float64[tags] each, over about the last minute.

    Attributes:
        bad, lost, floor, ceiling, beyond, stood: shares of its samples; lost are those
            that should have come by its own rhythm.
        spikes: how many, over about five minutes.
        noise: logarithm of the mean bend (see `Sums.travel`); NaN before any.
        now: the same since the last look alone; NaN where there were too few.
        delay: s from stamp to arrival; NaN before any.
    """

    bad: F64
    lost: F64
    floor: F64
    ceiling: F64
    beyond: F64
    stood: F64
    spikes: F64
    noise: F64
    now: F64
    delay: F64

    @staticmethod
    def fresh(tags: int) -> Lately:
        """Before any sample."""
        none = np.full(tags, np.nan)
        zero = np.zeros(tags)
        shares = (zero, zero, zero, zero, zero, zero)
        return Lately(*shares, spikes=zero, noise=none, now=none, delay=none)


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What was learned while a tag was healthy, float64[tags] each; seconds.

    Attributes:
        looks: with samples, so far.
        samples: so far.
        period: mean time between arrivals.
        gap: longest that was usual.
        noise: mean of `Lately.noise`.
        unrest: its variance.
        resolution: smallest change there was.
        holds: values that ended, at most as many as are remembered.
        hold, hold_squared: mean time a value stands, and mean of its square.
        held: longest that was usual.
        bad, lost, floor, ceiling, beyond, stood: usual shares.
        spikes: usual count.
        delay, jitter: usual delay, and mean distance from it.
    """

    looks: F64
    samples: F64
    period: F64
    gap: F64
    noise: F64
    unrest: F64
    resolution: F64
    holds: F64
    hold: F64
    hold_squared: F64
    held: F64
    bad: F64
    lost: F64
    floor: F64
    ceiling: F64
    beyond: F64
    stood: F64
    spikes: F64
    delay: F64
    jitter: F64

    @staticmethod
    def fresh(tags: int) -> Habits:
        """Nothing learned yet."""
        odd = {"noise": np.nan, "delay": np.nan, "resolution": np.inf}
        return Habits(
            **{f.name: np.full(tags, odd.get(f.name, 0.0)) for f in fields(Habits)}
        )

    @property
    def known(self) -> Bools:
        """bool[tags] whether enough was learned to judge by."""
        found: Bools = (self.looks >= LOOKS) & (self.samples >= SAMPLES)
        return found

    @property
    def smallest(self) -> F64:
        """float64[tags] smallest step seen, 0 where the value never changed."""
        return np.where(np.isfinite(self.resolution), self.resolution, 0.0)


def spike(habits: Habits, late: Lately) -> F64:
    """float64[tags] a change smaller than this is no spike; inf before known.

    4.6 mean bends, usual or of late, are 9 standard deviations of white noise.
    """
    noise = np.nan_to_num(np.fmax(habits.noise, late.noise), nan=np.inf)
    limit = np.maximum(_SPIKE * np.exp(noise), _STEPS * habits.smallest)
    return np.where(habits.known, limit, np.inf)


def lately(before: Lately, sums: Sums, habits: Habits, dt: float) -> Lately:
    """How tags are behind a look.

    Args:
        before: behind the one before.
        sums: since then.
        habits: for the rhythm.
        dt: s since then.
    """
    count, all_ = np.maximum(sums.count, 1.0), sums.count + sums.bad
    keep, some = np.exp(-dt / _SHORT), sums.count > 0
    lost = rhythm.lost(before, sums, habits, dt)
    # shares of arrivals: a tag that is silent has none, whatever it showed last
    fresh = {
        name: np.where(some, getattr(sums, name) / count, getattr(before, name))
        for name in ("floor", "ceiling", "beyond", "stood")
    }
    fresh["bad"] = np.where(all_ > 0, sums.bad / np.maximum(all_, 1.0), before.bad)
    shares = {
        name: value + keep * (getattr(before, name) - value)
        for name, value in fresh.items()
    }
    now = _noise(sums)
    weight = 1.0 - np.exp(-sums.count / _SAMPLES)
    return Lately(
        **shares,
        lost=lost,
        spikes=before.spikes * np.exp(-dt / _LONG) + sums.spikes,
        # means, and only then their logarithm: that of few samples strays far down
        noise=_logarithm(_towards(np.exp(before.noise), np.exp(now), weight)),
        now=now,
        delay=_towards(before.delay, np.where(some, sums.delay, np.nan), 1.0 - keep),
    )


def _noise(sums: Sums) -> F64:
    """Log of the mean bend, without twice the largest: a step or a spike is no noise.

    A step bends twice by its size, a spike once by twice its size and twice by half of
    that; the sum less twice the largest is free of either. A value that never changed
    has no noise to tell of; that it stands is another matter.
    """
    left = sums.count - 2.0
    enough = (left >= _ENOUGH) & (sums.changes > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # rounded sums may leave a trifle below zero
        mean = np.maximum(sums.travel - 2.0 * sums.bend, 0.0) / left
        return np.where(enough & (mean > 0), np.log(mean), np.nan)


def _logarithm(mean: F64) -> F64:
    found: F64 = np.log(mean)
    return found


def _towards(old: F64, new: F64, weight: F64 | float) -> F64:
    """A mean that starts with its first number and passes over missing ones."""
    step = new - old
    step *= weight
    after: F64 = old + step
    # NaN where either was: then the other stands, which is the rare case
    gone = np.isnan(after)
    if gone.any():
        after = np.where(gone, np.where(np.isnan(old), new, old), after)
    return after


def learned(
    habits: Habits,
    sums: Sums,
    late: Lately,
    healthy: Bools,
    steady: Bools,
    dt: float,
) -> Habits:
    """Habits behind a look.

    Args:
        habits: before it.
        sums: since the look before.
        late: behind it.
        healthy: bool[tags] to learn from.
        steady: bool[tags] whose noise may be learned from: one that grows must not
            take its limit along.
        dt: s since the look before.
    """
    seen = healthy & (sums.count > 0)
    looks = habits.looks + seen
    rate = np.maximum(1.0 / np.maximum(looks, 1.0), dt / _MEMORY)
    rate = np.where(seen, rate, 0.0)
    fade = np.where(seen, np.exp(-dt / _MEMORY), 1.0)
    found = {
        name: _towards(getattr(habits, name), getattr(late, name), rate)
        for name in ("bad", "lost", "floor", "ceiling", "beyond", "stood", "spikes")
    }
    deviation = np.abs(late.delay - habits.delay)
    found["delay"] = _towards(habits.delay, late.delay, rate)
    found["jitter"] = _towards(habits.jitter, deviation, rate)
    return replace(
        habits,
        looks=looks,
        samples=habits.samples + np.where(seen, sums.count, 0.0),
        period=_period(habits, sums, seen, dt),
        gap=np.where(seen, np.maximum(habits.gap * fade, sums.gap), habits.gap),
        resolution=np.where(
            seen, np.minimum(habits.resolution, sums.step), habits.resolution
        ),
        **_unrest(habits, late, rate, looks, steady),
        **_holds(habits, sums, seen, fade),
        **found,
    )


def _period(habits: Habits, sums: Sums, seen: Bools, dt: float) -> F64:
    """Mean time between arrivals, by the time that passed in them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        own = sums.waited / sums.count
    passed = habits.period * habits.samples
    share = np.maximum(sums.waited / np.maximum(passed + sums.waited, dt), dt / _MEMORY)
    usable = seen & (sums.waited > 0)
    return _towards(habits.period, np.where(usable, own, np.nan), share)


def _unrest(
    habits: Habits, late: Lately, rate: F64, looks: F64, steady: Bools
) -> dict[str, F64]:
    usable = np.where((rate > 0) & steady, late.noise, np.nan)
    # the first are no deviations: late noise and usual noise are only being found
    since = looks - _FINDING
    away = np.where(since > 0, (usable - habits.noise) ** 2, np.nan)
    rate = np.where(rate > 0, np.maximum(rate, 1.0 / np.maximum(since, 1.0)), 0.0)
    return {
        "noise": _towards(habits.noise, usable, rate),
        "unrest": _towards(habits.unrest, away, rate),
    }


def _holds(habits: Habits, sums: Sums, seen: Bools, fade: F64) -> dict[str, F64]:
    ended = np.where(seen, sums.changes, 0.0)
    holds = np.minimum(habits.holds + ended, _HOLDS)
    share = np.where(ended > 0, np.minimum(ended / np.maximum(holds, 1.0), 1.0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(ended > 0, sums.hold / ended, np.nan)
        square = np.where(ended > 0, sums.hold_squared / ended, np.nan)
    return {
        "holds": holds,
        "hold": _towards(habits.hold, mean, share),
        "hold_squared": _towards(habits.hold_squared, square, share),
        "held": np.where(seen, np.maximum(habits.held * fade, sums.held), habits.held),
    }
