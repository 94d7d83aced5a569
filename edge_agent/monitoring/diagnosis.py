"""Sensor fault, process change or model drift: which, and how one can tell.

Rules, tried in this order on each condition:

===  ==================================================  =========================
 no  seen                                                told
===  ==================================================  =========================
 1   a tag is stuck, silent, bad, in another unit or     sensor fault
     on a wrong clock
 2   the same step, noise, spikes or end of range on     process change: that many
     most assets at once                                 transmitters do not fail
                                                         together
 3   a step, noise, spikes or end of range, and          process change
     several tags of the asset moved
 4   a step, noise, spikes or end of range of one tag,   sensor fault
     the others to each other as always
 5   several tags of an asset moved, no one of them      process change (a condition
     explains the others                                 of its own)
 6   a context that no training has seen                 process change
 7   input drift of a tag that has a sensor fault        sensor fault
 8   input drift of one tag of one asset, alone          sensor fault
 9   any other input drift                               process change
 10  score or accuracy off, and a tag has a sensor       sensor fault
     fault that leads the explanations, or leads none
 11  score or accuracy off, and inputs moved             process change
 12  score or accuracy of one asset off, while the       process change: one model
     same model fits most others                         serves them all
 13  score or accuracy off, and something has begun      nothing yet
     to move that cannot be told yet
 14  score or accuracy off, and nothing moved            model drift
===  ==================================================  =========================

Of an asset that stands still or warms up nothing is said but rule 1.

Conditions of all assets (``asset`` empty) meet those of any asset only where most
assets have them: one sick pump of many does not explain the scores of all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_agent.monitoring.conditions import Cause, Condition, What
from edge_agent.monitoring.sensors.words import lasting, shown, spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.monitoring.sensors.movements import Move

_OWN = frozenset(
    {
        What.SENSOR_STUCK,
        What.SENSOR_DROPOUT,
        What.SENSOR_UNIT,
        What.SENSOR_CLOCK,
    }
)
"""Signs no process makes."""
_SHARED = frozenset(
    {What.SENSOR_STEP, What.SENSOR_NOISE, What.SENSOR_RANGE, What.SENSOR_SPIKES}
)
"""Signs that a process makes as well."""
_OUTCOMES = frozenset({What.SCORE_DRIFT, What.ACCURACY, What.FALSE_ALARMS})
_MOST = 0.5
_FEW = 3
"""Fewer assets than that are not `most`."""

_ASK_PROCESS = (
    "Ask what was changed at the machine or its material. If it is to stay, train the "
    "model again on such data."
)
_SEE_MACHINE = "Look at the machine first: several instruments agree."
_RETRAIN = (
    "Keep labels of such rows and train the model again; until then go back to a "
    "version that fits, or judge by limits."
)


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
    """

    conditions: Sequence[Condition]
    moves: Sequence[Move] = ()
    leading: Mapping[str, Sequence[str]] = field(default_factory=dict)
    assets: int = 1
    resting: frozenset[str] = frozenset()


def diagnosed(evidence: Evidence) -> list[Condition]:
    """Conditions with their causes, and process changes that only movements show.

    Args:
        evidence: of one look.
    """
    evidence = _awake(evidence)
    several = {m.asset: m for m in evidence.moves if m.ready and not m.alone}
    common = _common(evidence)
    sensors = [
        _of_sensor(c, several, common, evidence.assets)
        for c in evidence.conditions
        if c.what in _OWN | _SHARED
    ]
    changes = [_of_move(move) for move in several.values()]
    faulty = [c for c in sensors if c.cause is Cause.SENSOR]
    inputs = [
        _of_input(c, faulty, evidence)
        for c in evidence.conditions
        if c.what in {What.INPUT_DRIFT, What.UNSEEN_CONTEXT, What.TOO_MUCH_MISSING}
    ]
    moved = [c for c in (*inputs, *changes, *sensors) if c.cause is Cause.PROCESS]
    outcomes = [
        _of_outcome(c, faulty, moved, evidence)
        for c in evidence.conditions
        if c.what in _OUTCOMES
    ]
    known = _OWN | _SHARED | _OUTCOMES
    known |= {What.INPUT_DRIFT, What.UNSEEN_CONTEXT, What.TOO_MUCH_MISSING}
    rest = [c for c in evidence.conditions if c.what not in known]
    return [*_without_echoes(sensors, several), *changes, *inputs, *outcomes, *rest]


def _awake(evidence: Evidence) -> Evidence:
    resting = evidence.resting
    if not resting:
        return evidence
    kept = [c for c in evidence.conditions if c.what in _OWN or c.asset not in resting]
    moves = [m for m in evidence.moves if m.asset not in resting]
    return replace(evidence, conditions=kept, moves=moves)


def role_of(tag: str) -> str:
    """Role of a feature or a tag."""
    return tag.partition(".")[0]


def _most(count: int, assets: int) -> bool:
    return count >= _FEW and count >= _MOST * assets


def _common(evidence: Evidence) -> set[tuple[What, str]]:
    """What and tag that most assets have at once."""
    counts = Counter((c.what, c.tag) for c in evidence.conditions if c.asset)
    return {key for key, n in counts.items() if _most(n, evidence.assets)}


def _of_sensor(
    condition: Condition,
    several: Mapping[str, Move],
    common: set[tuple[What, str]],
    assets: int,
) -> Condition:
    """Rules 1 to 4."""
    everywhere = (condition.what, condition.tag) in common
    if condition.what in _OWN:
        if not everywhere:
            return replace(condition, cause=Cause.SENSOR)
        why = f"It is so on most of the {assets} assets at once."
        action = "Check what these tags share: controller, scaling, network, time."
        return _told(condition, Cause.SENSOR, why, action)
    if everywhere:
        why = f"It is so on most of the {assets} assets at once."
        return _told(condition, Cause.PROCESS, why, _ASK_PROCESS)
    move = several.get(condition.asset)
    if move is not None:
        return _told(condition, Cause.PROCESS, _together(move), _SEE_MACHINE)
    return replace(condition, cause=Cause.SENSOR)


def _without_echoes(
    sensors: Iterable[Condition], several: Mapping[str, Move]
) -> list[Condition]:
    """A movement of several tags is told once, not again for each of its tags."""
    return [
        c
        for c in sensors
        if not (c.cause is Cause.PROCESS and c.asset in several and c.what in _SHARED)
    ]


def _of_move(move: Move) -> Condition:
    """Rule 5."""
    return Condition(
        What.INPUT_DRIFT,
        max(move.strength, 1.0),
        _together(move),
        _SEE_MACHINE,
        move.asset,
        cause=Cause.PROCESS,
        evidence={s.role: s.after for s in move.shifts},
    )


def _together(move: Move) -> str:
    named = ", ".join(
        f"{spoken(s.role)} from {s.before:.4g} to {shown(s.after, s.unit)}"
        for s in move.shifts
    )
    return (
        f"Several tags of {move.asset} have moved together within {lasting(move.age)} "
        f"({named}); no single transmitter explains it."
    )


def _of_input(
    condition: Condition, faulty: Sequence[Condition], evidence: Evidence
) -> Condition:
    """Rules 6 to 9."""
    if condition.what is What.UNSEEN_CONTEXT:
        why = "The model has not seen it in training."
        return _told(condition, Cause.PROCESS, why, _ASK_PROCESS)
    role = role_of(condition.tag)
    fault = _match(condition.asset, (role,), faulty, evidence)
    if fault is not None:
        return _told(condition, Cause.SENSOR, fault.sentence, fault.action)
    if condition.what is What.TOO_MUCH_MISSING:
        action = "Check the transmitter and its link."
        return _told(condition, Cause.SENSOR, "Its samples are missing.", action)
    same = [c for c in evidence.conditions if c.what is What.INPUT_DRIFT]
    roles = {role_of(c.tag) for c in same if c.asset == condition.asset}
    if condition.asset and len(roles) == 1:
        why = f"No other tag of {condition.asset} has drifted, nor another asset."
        action = "Compare the transmitter with a second instrument."
        others = {c.asset for c in same if role_of(c.tag) == role}
        if others == {condition.asset}:
            return _told(condition, Cause.SENSOR, why, action)
    why = _whose(condition, sorted(roles))
    return _told(condition, Cause.PROCESS, why, _ASK_PROCESS)


def _whose(condition: Condition, roles: Sequence[str]) -> str:
    named = ", ".join(map(spoken, roles))
    where = condition.asset or "all assets"
    if len(roles) > 1:
        return f"Tags of {where} drift together: {named}."
    return f"It drifts on {where} at once, and no transmitter shows a fault."


def _of_outcome(
    condition: Condition,
    faulty: Sequence[Condition],
    moved: Sequence[Condition],
    evidence: Evidence,
) -> Condition:
    """Rules 10 to 14."""
    leading = tuple(evidence.leading.get(condition.asset, ()))
    fault = _match(condition.asset, leading, faulty, evidence)
    if fault is None:
        fault = _match(condition.asset, (), faulty, evidence)
    if fault is not None:
        return _told(condition, Cause.SENSOR, fault.sentence, fault.action)
    change = _match(condition.asset, (), moved, evidence)
    if change is not None:
        return _told(condition, Cause.PROCESS, change.sentence, change.action)
    pending = {m.asset for m in evidence.moves if not m.ready}
    if condition.asset in pending or _most(len(pending), evidence.assets):
        return condition
    same = {c.asset for c in evidence.conditions if c.what is condition.what}
    few = "" not in same and len(same) < min(_FEW, evidence.assets)
    if condition.asset and few:
        why = f"The model fits the other assets: {condition.asset} has changed."
        return _told(condition, Cause.PROCESS, why + _led(leading), _SEE_MACHINE)
    where = condition.asset or "all assets"
    why = f"The tags of {where} are as they always were: the model does not fit them."
    return _told(condition, Cause.MODEL, why, _RETRAIN)


def _led(leading: Sequence[str]) -> str:
    return f" Most of it is {spoken(leading[0])}." if leading else ""


def _match(
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
        if not _most(len(whole), evidence.assets) and evidence.assets >= _FEW:
            fits = [c for c in fits if not c.asset]
    return max(fits, key=lambda c: c.strength, default=None)


def _told(condition: Condition, cause: Cause, why: str, action: str) -> Condition:
    text = f"{condition.sentence} {why}" if condition.sentence != why else why
    return replace(condition, cause=cause, sentence=text, action=action)
