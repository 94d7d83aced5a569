"""Samples that should have come, by a tag's own rhythm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.monitoring.sensors.habits import Habits, Lately
    from edge_agent.monitoring.sensors.sums import Sums
    from edge_agent.samples import F64

_SHORT = 60.0
"""S over which missing samples are counted at least."""
_RHYTHM, _PAUSE = 30.0, 5.0
"""Periods over which missing samples are counted, and of a pause that counts."""
_LOST, _SURE, _IRREGULAR = 0.2, 5.0, 4.0


def _memory(period: F64) -> F64:
    """float64[tags] s over which missing samples are counted."""
    return np.maximum(_SHORT, _RHYTHM * period)


def lost(before: Lately, sums: Sums, habits: Habits, dt: float) -> F64:
    """Share of missing samples, counted when one comes: a slow tag has none meanwhile.

    Of a long pause only so much counts as silence takes to be told: a link that was
    down is no habit of its tags to lose samples.

    Args:
        before: behind the look before.
        sums: since then.
        habits: for the rhythm.
        dt: s since then.
    """
    period = habits.period
    some = habits.known & (sums.waited > 0) & (period > 0)
    most = np.maximum(dt, _PAUSE * period)
    passed = np.minimum(sums.waited, dt + _PAUSE * period)
    came = np.minimum((sums.count + sums.bad) * period, passed + most)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 - came / passed
        weight = 1.0 - np.exp(-passed / _memory(period))
    return np.where(some, before.lost + weight * (share - before.lost), before.lost)


def limit(habits: Habits) -> F64:
    """float64[tags] share of missing samples that counts.

    More for a tag that comes when it likes: what it misses by chance varies.
    """
    memory = _memory(habits.period)
    chance = _SURE * np.sqrt(habits.period / memory / 2.0)
    irregular = habits.gap > _IRREGULAR * habits.period
    return np.where(irregular, np.maximum(_LOST, chance), _LOST)
