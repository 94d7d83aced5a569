"""How far a stretch of live rows lies from the reference, and whether that counts.

Two measures decide. *W1*, the area between the cumulative shares in standard deviations
of the reference, is how far readings lie from where they lay, on average. *D*, the
largest difference of the cumulative shares (Kolmogorov-Smirnov), is how many readings
lie elsewhere. A column has drifted when one of them

- is worth telling at all (`Floors`), whatever the number of rows, and
- is larger than healthy data makes it by itself, so often as the budget allows.

The second comes from the number of independent rows (`independence`) and from the
budget: false findings a month. Of the corrections for many columns it is Bonferroni's
that answers to a budget: it bounds the *number* of false findings however the columns
depend on each other. Holm's would bound the chance of one or more of them,
Benjamini-Hochberg's their share among all findings: neither is what was promised.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.drift.independence import chance, limits, unknown, worth
from edge_agent.monitoring.statistics import binned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.drift.independence import Worth
    from edge_agent.monitoring.drift.yardstick import Profile
    from edge_agent.monitoring.tallies import Tallies
    from edge_agent.samples import F64, I64

    Bools = NDArray[np.bool_]

MONTH = 30.0 * 86_400.0
"""Seconds."""
LOOKS = 2.6
"""Findings in a window's length for a chance of 1 to be beyond the limit at one look:
simulated for 24 looks a window and three in a row to be told, 2.65 at most."""
_FULL = 0.7
"""Findings in a window's length are never more than this, whatever the limit."""
_LEAST_ROWS = 30
_MOST = 1_000.0


class Unjudged(IntEnum):
    """Why a column could not be judged."""

    NONE = 0
    NO_ROWS = 1
    """Fewer numbers than thirty."""
    NO_REFERENCE = 2
    """The reference has none of this column."""
    TOO_FEW = 3
    """So few independent rows that not even a complete move would stand out."""
    NO_PROFILE = 4
    """The reference has no profile of this context."""


@dataclass(frozen=True, slots=True)
class Floors:
    """What is not worth telling, however sure it is.

    Attributes:
        area: of W1, standard deviations of the reference.
        largest: of D, 0 to 1.
        unknown: both are multiplied by it where the bundle has no calibration.
        missing: of rows without a number, 0 to 1, above the reference's share.
        unseen: of rows in a context that the reference does not have, 0 to 1.
    """

    area: float = 0.25
    largest: float = 0.15
    unknown: float = 2.0
    missing: float = 0.1
    unseen: float = 0.05


FLOORS = Floors()


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the live rows of a look were made in.

    Attributes:
        seconds: of running.
        assets: how many made the rows; fewer than all where some made most.
        pieces: blocks of it.
    """

    seconds: float
    assets: float = 1.0
    pieces: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One context's columns, held against the reference.

    Attributes:
        psi, js, ks: float64[columns], see `statistics.binned`; ks is D.
        w1: float64[columns], in standard deviations of the reference.
        n_eff: float64[columns], independent rows of both sides together.
        p: float64[columns], of D, for a healthy column at one look.
        area_limit, largest_limit: float64[columns], of w1 and D; never below the floor.
        strength: float64[columns], of the measure that is further beyond its limit.
        judged: bool[columns], false where a drift could have been overlooked.
        reason: uint8[columns] `Unjudged`.
        missing: float64[columns], share of rows without a number.
    """

    psi: F64
    js: F64
    ks: F64
    w1: F64
    n_eff: F64
    p: F64
    area_limit: F64
    largest_limit: F64
    strength: F64
    judged: Bools
    reason: NDArray[np.uint8]
    missing: F64

    @property
    def drifted(self) -> Bools:
        """bool[columns], beyond a limit."""
        return self.strength >= 1.0


def alpha_of(findings: float, columns: int, nominal: float) -> float:
    """Chance that a healthy column is beyond its limit at one look, from a budget.

    Args:
        findings: false ones a month that may come from all these columns together.
        columns: that are looked at, of all contexts.
        nominal: seconds of a window.

    Returns:
        1 for windows so long that not even a finding in every one of them, of every
        column, would use up the budget.
    """
    each = findings * nominal / MONTH / max(columns, 1)
    return 1.0 if each >= _FULL else min(each / LOOKS, 0.5)


def looked(
    profile: Profile,
    live: Tallies,
    stretch: Stretch,
    alpha: float,
    floors: Floors = FLOORS,
) -> Look:
    """Hold a stretch of live rows against the reference.

    Args:
        profile: of its context.
        live: its rows.
        stretch: what it was made in.
        alpha: from `alpha_of`.
        floors: what is worth telling.
    """
    then = profile.tallies
    psi, js, largest, area = _distances(profile, live)
    found = _worth(profile, live, stretch)
    beyond, apart = limits(alpha, found)
    error = 1.0 / np.sqrt(found.rows)
    scarce = 1.0 if profile.wander is not None else floors.unknown
    largest_limit = np.maximum(floors.largest * scarce, beyond * error / 2.0)
    area_limit = np.maximum(floors.area * scarce, apart * error * profile.unit)
    strength = np.maximum(area / area_limit, largest / largest_limit)
    reason = _reasons(live.n, then.n, largest_limit)
    empty = (reason == Unjudged.NO_ROWS) | (reason == Unjudged.NO_REFERENCE)
    strength = np.where(empty, 0.0, np.minimum(np.nan_to_num(strength), _MOST))
    return Look(
        *(psi, js, largest, area, found.rows),
        chance(2.0 * np.nan_to_num(largest) / error, found.freedom),
        *(area_limit, largest_limit, strength),
        (reason == Unjudged.NONE) | (strength >= 1.0),
        reason,
        live.missing / np.maximum(live.n + live.missing, 1),
    )


def _worth(profile: Profile, live: Tallies, stretch: Stretch) -> Worth:
    told = profile.tallies.n
    if profile.wander is None:
        return unknown(stretch.pieces, live.n, told)
    return worth(profile.wander, stretch.seconds, stretch.assets, live.n, told)


def _distances(profile: Profile, live: Tallies) -> tuple[F64, F64, F64, F64]:
    then = profile.tallies
    lowest, highest = profile.ends
    low = np.maximum(np.minimum(then.low, live.low), lowest)
    high = np.minimum(np.maximum(then.high, live.high), highest)
    area = binned.wasserstein(profile.grid.edges, then.counts, live.counts, low, high)
    return (
        binned.psi(then.counts, live.counts),
        binned.jensen_shannon(then.counts, live.counts),
        binned.ks(then.counts, live.counts),
        area / profile.scale,
    )


def _reasons(n: I64, told: I64, largest_limit: F64) -> NDArray[np.uint8]:
    reason = np.where(largest_limit >= 1.0, Unjudged.TOO_FEW, Unjudged.NONE)
    reason = np.where(n < _LEAST_ROWS, Unjudged.NO_ROWS, reason)
    return np.where(told < 1, Unjudged.NO_REFERENCE, reason).astype(np.uint8)
