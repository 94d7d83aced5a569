"""What is odd about a tag by itself, each by a stated measure of its own past.

Strengths are 1 at the limit and 0 where a sign does not show or cannot be judged:

``stuck``
    The value has stood for longer than 5 times its longest usual hold, and for longer
    than ``hold (15 + ln holds)``, which a value that changes at random reaches once in
    three million holds. Only of tags that change regularly (the standard deviation of
    their holds is at most twice the mean): set points do not.
``dropout``
    Silence of 5 usual periods and 2 longest usual gaps; a fifth of the samples missing
    beyond what is usual, or more than chance makes of an irregular rhythm; BAD or empty
    for 30 s, or in a tenth of the samples beyond what is usual. Silence of a tag that
    reports changes only is none.
``spikes``
    At least 3 in five minutes, and 4 times as many as usual.
``range``
    Half of the samples of late beyond the range, or nine tenths at an end of it, when
    usually next to none is.
``noise``
    The mean bend (change to a sample less the change before, so that no ramp counts)
    over its usual one or under it: by a factor of 2 and 8 times the usual deviation of
    its logarithm. Where it was and is less than two of the smallest steps it cannot be
    told.
``clock``
    Stamps stand still while samples arrive, or the delay from stamp to arrival has
    changed by 1 s and ten times its usual jitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.sensors import rhythm
from edge_agent.monitoring.sensors.sums import NEVER
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.monitoring.sensors.habits import Habits, Lately
    from edge_agent.monitoring.sensors.sums import Trail
    from edge_agent.samples import F64, I64

    Bools = NDArray[np.bool_]

_HELD, _CHANCE, _LEAST_HOLD = 5.0, 15.0, 10.0
_HOLDS, _REGULAR, _REPEATS = 50, 2.0, 10
_PERIODS, _GAPS, _LEAST_SILENCE = 5.0, 2.0, 15.0
_BAD, _BAD_FOR = 0.1, 30.0
_SPIKES, _TIMES = 3.0, 4.0
_BEYOND, _AT_END, _USUALLY = 0.5, 0.9, 0.05
_NOISE, _UNREST, _STEPS = float(np.log(2.0)), 8.0, 2.0
_DELAY, _JITTER, _STOOD = 1.0, 10.0, 0.5
_LINK = 0.8
"""So many of a source's tags are silent: it is the link, not the tags."""
_TAGS_OF_LINK = 3
_VOUCHED = 30.0
"""S that a source's word is good for."""


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """Strength of each sign, float64[tags]; 1 and more shows.

    Attributes:
        stuck, silent, lost, bad, spikes, beyond, ceiling, floor, noise, clock, stood:
            see the module.
        still: float64[tags], s for which the value has stood.
        silence: float64[tags], s since the last sample.
        usual_hold: float64[tags], s it may stand.
        down: bool[tags], not judged, as the link to its source is down.
    """

    stuck: F64
    silent: F64
    lost: F64
    bad: F64
    spikes: F64
    beyond: F64
    ceiling: F64
    floor: F64
    noise: F64
    clock: F64
    stood: F64
    still: F64
    silence: F64
    usual_hold: F64
    down: Bools

    @property
    def strongest(self) -> F64:
        """float64[tags], strength of the strongest sign."""
        named = (
            *(self.stuck, self.silent, self.lost, self.bad, self.spikes, self.beyond),
            *(self.ceiling, self.floor, self.noise, self.clock, self.stood),
        )
        found: F64 = np.max(named, axis=0)
        return found


def signs(
    facts: Facts, trail: Trail, late: Lately, habits: Habits, now: int, alive: I64
) -> Signs:
    """Judge every tag by itself.

    Args:
        facts: of the asset type.
        trail: newest samples.
        late: how tags are.
        habits: how they usually are.
        now: agent time, ns.
        alive: int64[sources] agent time when each was last seen alive.
    """
    known = habits.known & facts.numeric
    vouched = np.minimum(alive, now)[facts.source]
    seen = np.where(facts.held, np.maximum(vouched, trail.received), trail.received)
    still = _seconds(seen, trail.changed)
    silence = _seconds(now, trail.received)
    usual_hold = _usual_hold(habits)
    regular = habits.holds >= _HOLDS
    regular &= habits.hold_squared <= (1 + _REGULAR**2) * habits.hold**2
    regular &= facts.held | (trail.repeats >= _REPEATS)
    patience = np.maximum(_PERIODS * habits.period, _GAPS * habits.gap)
    silent = silence / np.maximum(patience, _LEAST_SILENCE)
    silent = np.where(facts.held | ~known, 0.0, silent)
    bad_for = _seconds(now, trail.bad) / _BAD_FOR
    down = _down(facts, silent >= 1, bad_for > 0, vouched, now)
    quiet = known & ~down
    rare, low = habits.beyond < _USUALLY, np.isfinite(facts.least)
    away = np.abs(late.noise - habits.noise)
    limit = np.maximum(_NOISE, _UNREST * np.sqrt(habits.unrest))
    delay = np.abs(late.delay - habits.delay)

    def shown(strength: F64, where: Bools = quiet) -> F64:
        # fmax takes the number where the other is none
        return np.where(where & quiet, np.fmax(strength, 0.0), 0.0)

    return Signs(
        stuck=shown(still / usual_hold, regular & (silent < 1)),
        silent=shown(silent),
        lost=shown(
            (late.lost - np.maximum(habits.lost, 0.0)) / rhythm.limit(habits),
            ~facts.held,
        ),
        bad=shown(np.maximum(bad_for, (late.bad - habits.bad) / _BAD)),
        spikes=shown(late.spikes / np.maximum(_SPIKES, _TIMES * habits.spikes)),
        beyond=shown(late.beyond / _BEYOND, rare),
        ceiling=shown(late.ceiling / _AT_END, habits.ceiling < _USUALLY),
        floor=shown(late.floor / _AT_END, low & (habits.floor < _USUALLY)),
        noise=shown(away / limit, _fine(late, habits)),
        clock=shown(delay / np.maximum(_DELAY, _JITTER * habits.jitter)),
        stood=shown((late.stood - habits.stood) / _STOOD),
        still=still,
        silence=silence,
        usual_hold=usual_hold,
        down=down,
    )


def _fine(late: Lately, habits: Habits) -> Bools:
    """bool[tags] whether noise is larger than the steps in which the value comes.

    Else it is the distance to the next step that is told: a calm temperature in tenths
    flickers for minutes and then stands for hours.
    """
    larger = np.exp(np.fmax(late.noise, habits.noise))
    found: Bools = larger >= _STEPS * habits.smallest
    return found


def _usual_hold(habits: Habits) -> F64:
    by_chance = habits.hold * (_CHANCE + np.log1p(habits.holds))
    return np.maximum(np.maximum(_HELD * habits.held, by_chance), _LEAST_HOLD)


def _seconds(until: I64 | int, since: I64) -> F64:
    """Time passed, 0 where there is no beginning."""
    passed = np.where(since == NEVER, 0, until - np.maximum(since, 0))
    seconds: F64 = np.maximum(passed, 0) / NANOSECONDS
    return seconds


def _down(facts: Facts, silent: Bools, bad: Bools, vouched: I64, now: int) -> Bools:
    """Tags whose source is not vouched for, or of which next to all are gone."""
    numeric, source = facts.numeric, facts.source.astype(np.int64)
    unvouched = facts.held & (now - vouched > _VOUCHED * NANOSECONDS)
    gone = np.bincount(source, (silent | bad) & numeric)
    all_ = np.bincount(source, numeric)
    link = (gone >= _LINK * all_) & (all_ >= _TAGS_OF_LINK)
    found: Bools = unvouched | link[source]
    return found
