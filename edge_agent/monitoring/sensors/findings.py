"""A look in words: the conditions of tags, the movements of assets."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.conditions import Condition, What
from edge_agent.monitoring.sensors.movements import (
    Move,
    Shift,
    movements,
    together,
)
from edge_agent.monitoring.sensors.sentences import (
    TOO_EARLY,
    Words,
    signs_in_words,
    unit_or_step,
)
from edge_agent.monitoring.sensors.watch import EVERY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.monitoring.sensors.state import Health
    from edge_agent.monitoring.sensors.watch import Seen

_UNEASY = 0.5
_EARLIEST = 30.0
"""S until the level after a jump is known."""
_OFTEN = 8.0
"""Samples of a look by which a tag that has noise shows it."""
_WHOLE = 0.75
"""Share of an asset's tags with one sign that is told of the asset instead."""


class Look(NamedTuple):
    """What was found at one look.

    Attributes:
        conditions: of tags, without a diagnosis.
        moves: of assets.
        together: tags by which all assets have moved as one.
        seen: the same as arrays.
        facts: of the asset type.
    """

    conditions: list[Condition]
    moves: list[Move]
    together: tuple[Shift, ...]
    seen: Seen
    facts: Facts

    @property
    def resting(self) -> frozenset[str]:
        """Assets that stand still or warm up: nothing is said of them."""
        assets = self.facts.kind.assets
        return frozenset(assets[place] for place in np.flatnonzero(self.seen.rests))

    @property
    def uneasy(self) -> frozenset[str]:
        """Assets with a tag whose own sign is half of the way to a condition."""
        odd = self.seen.signs.strongest.reshape(self.facts.shape).max(axis=0)
        assets = self.facts.kind.assets
        return frozenset(assets[place] for place in np.flatnonzero(odd >= _UNEASY))

    def judged(self, asset: str, role: str) -> bool:
        """Whether a condition of this tag could have been seen, for `Episodes`.

        Args:
            asset: id; empty for all.
            role: of the tag; empty for any.
        """
        if asset not in self.facts.assets:
            return True
        place = self.facts.assets[asset]
        if self.seen.rests[place]:
            return False
        down = self.seen.signs.down.reshape(self.facts.shape)[:, place]
        if role not in self.facts.roles:
            return not bool(down.all())
        return not bool(down[self.facts.roles[role]])


def told(seen: Seen, health: Health, facts: Facts) -> Look:
    """Put a look into words.

    Args:
        seen: by `watch.look`.
        health: behind it.
        facts: of the asset type.
    """
    moves = list(movements(seen, facts))
    found: dict[int, Condition] = {}
    # a jump is noisy at first, and another unit is noisy for good
    still = _still(health, facts)
    pending = {_place(facts, m) for m in moves if m.alone and not m.ready}
    for kind, shown in signs_in_words(seen):
        for odd in np.flatnonzero(shown >= 1.0).tolist():
            early = odd in pending and kind in TOO_EARLY
            if odd not in found and not early:
                words = Words(odd, float(shown[odd]), seen, health, facts)
                found[odd] = kind(words)
    for move in moves:
        if move.alone and move.age >= _EARLIEST:
            place = _place(facts, move)
            if still[place]:
                continue
            step = unit_or_step(move, place, seen, health, facts)
            # no process makes a known factor: that need not wait
            unit = step.what is What.SENSOR_UNIT
            by_itself = found.get(place)
            noise = by_itself is not None and by_itself.what is What.SENSOR_NOISE
            if unit or (move.ready and (by_itself is None or noise)):
                found[place] = step
    return Look(_gathered(found, facts), moves, together(seen, facts), seen, facts)


def _still(health: Health, facts: Facts) -> NDArray[np.bool_]:
    """bool[tags] that are set and not measured.

    They come often and have no noise, or, where only changes are sent, next to none
    ever came. A set point, a switch, a counter of parts or a value from the laboratory
    goes from one value to another alone: that is what it is for.
    """
    habits = health.habits
    often = habits.known & (habits.period * _OFTEN <= EVERY)
    plain = often & np.isnan(habits.noise)
    return np.where(facts.held, ~habits.known, plain)


def _place(facts: Facts, move: Move) -> int:
    return facts.roles[move.alone] * facts.shape[1] + facts.assets[move.asset]


def _gathered(found: dict[int, Condition], facts: Facts) -> list[Condition]:
    """Conditions; what next to all tags of an asset have is told once, of the asset."""
    by_asset: dict[tuple[What, str], list[Condition]] = {}
    for condition in found.values():
        by_asset.setdefault((condition.what, condition.asset), []).append(condition)
    whole = max(2, ceil(_WHOLE * int(facts.numeric.sum()) / facts.shape[1]))
    together = {What.SENSOR_STUCK, What.SENSOR_DROPOUT, What.SENSOR_CLOCK}
    kept: list[Condition] = []
    for (what, asset), own in by_asset.items():
        if what in together and len(own) >= whole:
            kept.append(_of_asset(what, asset, own))
        else:
            kept += own
    return kept


def _of_asset(what: What, asset: str, own: list[Condition]) -> Condition:
    strongest = max(own, key=lambda c: c.strength)
    return Condition(
        what,
        strongest.strength,
        f"{len(own)} tags of {asset} at once; {strongest.sentence}",
        "Check the device or controller that these tags come from, and its link.",
        asset,
        evidence={**strongest.evidence, "tags": len(own)},
    )
