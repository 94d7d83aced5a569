"""What a diagnosis is made from, and how its evidence is said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_agent.monitoring.sensors.words import lasting, shown, spoken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.monitoring.conditions import Cause, Condition
    from edge_agent.monitoring.sensors.movements import Move, Shift

_MOST = 0.5
FEW = 3
"""Fewer assets than that are not `most`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known at one look, of one asset type and one pipeline on it.

    Attributes:
        conditions: of sensors, drift, context, score and accuracy; without a cause.
            ``tag`` is a role, or a feature ``ROLE.AGGREGATE``.
        moves: of the assets.
        leading: asset -> roles that lead its latest explanations, most first.
        assets: how many there are.
        resting: those that stand still or warm up.
        together: tags by which all assets have moved as one.
        uneasy: assets with a tag that may soon have a condition.
    """

    conditions: Sequence[Condition]
    moves: Sequence[Move] = ()
    leading: Mapping[str, Sequence[str]] = field(default_factory=dict)
    assets: int = 1
    resting: frozenset[str] = frozenset()
    together: Sequence[Shift] = ()
    uneasy: frozenset[str] = frozenset()


def role_of(tag: str) -> str:
    """Role of a feature or a tag."""
    return tag.partition(".")[0]


def most(count: int, assets: int) -> bool:
    """Whether so many of the assets are most of them."""
    return count >= FEW and count >= _MOST * assets


def behind(
    asset: str,
    roles: Sequence[str],
    found: Sequence[Condition],
    evidence: Evidence,
) -> Condition | None:
    """The strongest condition that may be behind one of this asset and these roles."""
    fits = [c for c in found if not roles or not c.tag or role_of(c.tag) in roles]
    if asset:
        fits = [c for c in fits if c.asset in {"", asset}]
    else:
        whole = {c.asset for c in fits if c.asset}
        if not most(len(whole), evidence.assets) and evidence.assets >= FEW:
            fits = [c for c in fits if not c.asset]
    return max(fits, key=lambda c: c.strength, default=None)


def together(move: Move) -> str:
    """That several tags of an asset have moved."""
    named = ", ".join(
        f"{spoken(s.role)} from {s.before:.4g} to {shown(s.after, s.unit)}"
        for s in move.shifts
    )
    return (
        f"Several tags of {move.asset} have moved together within {lasting(move.age)} "
        f"({named}); no single transmitter explains it."
    )


def as_one(shifts: Sequence[Shift]) -> str:
    """That all assets have moved as one."""
    named = ", ".join(
        f"{spoken(s.role)} from {s.before:.4g} to {shown(s.after, s.unit)}"
        for s in shifts
    )
    return f"All assets have moved as one (on average {named})."


def whose(condition: Condition, roles: Sequence[str]) -> str:
    """Which tags drift with this condition's."""
    named = ", ".join(map(spoken, roles))
    where = condition.asset or "all assets"
    if len(roles) > 1:
        return f"Tags of {where} drift together: {named}."
    return f"It drifts on {where} at once, and no transmitter shows a fault."


def led(leading: Sequence[str]) -> str:
    """Which tag leads the explanations."""
    return f" Most of it is {spoken(leading[0])}." if leading else ""


def told(condition: Condition, cause: Cause, why: str, action: str) -> Condition:
    """A condition with its cause, and why it is that."""
    first = condition.sentence
    first = first if first.endswith((".", "!", "?")) else f"{first}."
    text = f"{first} {why}" if condition.sentence != why else why
    return replace(condition, cause=cause, sentence=text, action=action)
