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
     fault that leads the explanations (or nothing is
     known of them)
 11  score or accuracy off, and inputs moved; else a     process change; sensor fault
     sensor fault that does not lead
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
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.monitoring.conditions import Cause, Condition, What
from edge_agent.monitoring.evidence import (
    FEW,
    as_one,
    behind,
    led,
    most,
    role_of,
    together,
    told,
    whose,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.monitoring.evidence import Evidence
    from edge_agent.monitoring.sensors.movements import Move

_OWN = frozenset(
    {What.SENSOR_STUCK, What.SENSOR_DROPOUT, What.SENSOR_UNIT, What.SENSOR_CLOCK}
)
"""Signs no process makes."""
_SHARED = frozenset(
    {What.SENSOR_STEP, What.SENSOR_NOISE, What.SENSOR_RANGE, What.SENSOR_SPIKES}
)
"""Signs that a process makes as well."""
SIGNS = _OWN | _SHARED
"""All that is said of a tag by itself."""
_INPUTS = frozenset({What.INPUT_DRIFT, What.UNSEEN_CONTEXT, What.TOO_MUCH_MISSING})
_OUTCOMES = frozenset({What.SCORE_DRIFT, What.ACCURACY, What.FALSE_ALARMS})
_ASK_PROCESS = (
    "Ask what was changed at the machine or its material. If it is to stay, train the "
    "model again on such data."
)
_SEE_MACHINE = "Look at the machine first: several instruments agree."
_RETRAIN = (
    "Keep labels of such rows and train the model again; until then go back to a "
    "version that fits, or judge by limits."
)


def diagnosed(evidence: Evidence) -> list[Condition]:
    """Conditions with their causes, and process changes that only movements show.

    Args:
        evidence: of one look.
    """
    evidence = _awake(evidence)
    several = {m.asset: m for m in evidence.moves if m.ready and not m.alone}
    common = _common(evidence)
    sensors = [_of_sensor(c, several, common, evidence) for c in _of(evidence, SIGNS)]
    changes = [_of_move(move) for move in several.values()]
    faulty = [c for c in sensors if c.cause is Cause.SENSOR]
    inputs = [_of_input(c, faulty, evidence) for c in _of(evidence, _INPUTS)]
    moved = [c for c in (*inputs, *changes, *sensors) if c.cause is Cause.PROCESS]
    outcomes = [
        _of_outcome(c, faulty, moved, evidence) for c in _of(evidence, _OUTCOMES)
    ]
    rest = _of(evidence, frozenset(What) - SIGNS - _INPUTS - _OUTCOMES)
    return [*_without_echoes(sensors, several), *changes, *inputs, *outcomes, *rest]


def _of(evidence: Evidence, kinds: frozenset[What]) -> list[Condition]:
    return [c for c in evidence.conditions if c.what in kinds]


def _awake(evidence: Evidence) -> Evidence:
    resting = evidence.resting
    if not resting:
        return evidence
    kept = [c for c in evidence.conditions if c.what in _OWN or c.asset not in resting]
    moves = [m for m in evidence.moves if m.asset not in resting]
    return replace(evidence, conditions=kept, moves=moves)


def _common(evidence: Evidence) -> set[tuple[What, str]]:
    """What and tag that most assets have at once."""
    counts = Counter((c.what, c.tag) for c in evidence.conditions if c.asset)
    return {key for key, n in counts.items() if most(n, evidence.assets)}


def _of_sensor(
    condition: Condition,
    several: Mapping[str, Move],
    common: set[tuple[What, str]],
    evidence: Evidence,
) -> Condition:
    """Rules 1 to 4."""
    everywhere = (condition.what, condition.tag) in common
    if condition.what in _OWN:
        if not everywhere:
            return replace(condition, cause=Cause.SENSOR)
        why = f"It is so on most of the {evidence.assets} assets at once."
        action = "Check what these tags share: controller, scaling, network, time."
        return told(condition, Cause.SENSOR, why, action)
    if everywhere:
        why = f"It is so on most of the {evidence.assets} assets at once."
        return told(condition, Cause.PROCESS, why, _ASK_PROCESS)
    move = several.get(condition.asset)
    if move is not None:
        return told(condition, Cause.PROCESS, together(move), _SEE_MACHINE)
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
        together(move),
        _SEE_MACHINE,
        move.asset,
        cause=Cause.PROCESS,
        evidence={s.role: s.after for s in move.shifts},
    )


def _of_input(
    condition: Condition, faulty: Sequence[Condition], evidence: Evidence
) -> Condition:
    """Rules 6 to 9."""
    if condition.what is What.UNSEEN_CONTEXT:
        why = "The model has not seen it in training."
        return told(condition, Cause.PROCESS, why, _ASK_PROCESS)
    role = role_of(condition.tag)
    fault = behind(condition.asset, (role,), faulty, evidence)
    if fault is not None:
        return told(condition, Cause.SENSOR, fault.sentence, fault.action)
    if condition.what is What.TOO_MUCH_MISSING:
        action = "Check the transmitter and its link."
        return told(condition, Cause.SENSOR, "Its samples are missing.", action)
    same = [c for c in evidence.conditions if c.what is What.INPUT_DRIFT]
    roles = {role_of(c.tag) for c in same if c.asset == condition.asset}
    if condition.asset and len(roles) == 1:
        why = f"No other tag of {condition.asset} has drifted, nor another asset."
        action = "Compare the transmitter with a second instrument."
        others = {c.asset for c in same if role_of(c.tag) == role}
        if others == {condition.asset}:
            return told(condition, Cause.SENSOR, why, action)
    why = whose(condition, sorted(roles))
    return told(condition, Cause.PROCESS, why, _ASK_PROCESS)


def _of_outcome(
    condition: Condition,
    faulty: Sequence[Condition],
    moved: Sequence[Condition],
    evidence: Evidence,
) -> Condition:
    """Rules 10 to 14."""
    leading = tuple(evidence.leading.get(condition.asset, ()))
    found = (
        behind(condition.asset, leading, faulty, evidence)
        or behind(condition.asset, (), moved, evidence)
        or behind(condition.asset, (), faulty, evidence)
    )
    if found is not None:
        return told(condition, found.cause, found.sentence, found.action)
    same = {c.asset for c in evidence.conditions if c.what is condition.what}
    few = "" not in same and len(same) < min(FEW, evidence.assets)
    if evidence.together and not few:
        return told(condition, Cause.PROCESS, as_one(evidence.together), _ASK_PROCESS)
    pending = evidence.uneasy | {m.asset for m in evidence.moves if not m.ready}
    if condition.asset in pending or most(len(pending), evidence.assets):
        return condition
    if condition.asset and few:
        why = f"The model fits the other assets: {condition.asset} has changed."
        return told(condition, Cause.PROCESS, why + led(leading), _SEE_MACHINE)
    where = condition.asset or "all assets"
    why = f"The tags of {where} are as they always were: the model does not fit them."
    return told(condition, Cause.MODEL, why, _RETRAIN)
