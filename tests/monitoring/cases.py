"""Labelled cases over the demo's hall: what happens, and which diagnosis is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.demo.equipment import ROLES
from edge_agent.monitoring.conditions import Cause
from models.pump_hall import PUMPS
from tests.monitoring import ill_hall as ill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.monitoring.ill_hall import IllHall

TUNED, HELD_OUT = (11, 12, 13, 14), (21, 22, 23, 24)
"""Seeds of the halls that limits were chosen on, and of those they were not."""
HEALTHY = Cause.NONE
PRESSURES = ("suction_pressure", "discharge_pressure")


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        kind: what happens.
        truth: the right diagnosis.
        strength: as the kind means it.
        seed: of the hall.
        pump: whose, or -1 for all.
        role: whose transmitter.
        looks: how long, ten seconds each.
    """

    kind: str
    truth: Cause
    strength: float
    seed: int
    pump: int
    role: str = "flow"
    looks: int = 60

    def begin(self, hall: IllHall) -> None:
        """Let it happen."""
        _KINDS[self.kind].begin(self, hall)

    def __str__(self) -> str:
        where = f" {self.role}" if self.truth is Cause.SENSOR else ""
        return f"{self.kind} {self.strength:g}{where} pump {self.pump}@{self.seed}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of case.

    Attributes:
        truth: the right diagnosis.
        strengths: to choose from.
        begin: lets it happen.
        roles: whose transmitters; empty where it concerns none.
        whole: whether it happens to the whole hall.
        looks: how long.
        weight: how many for one of the others.
    """

    truth: Cause
    strengths: tuple[float, ...]
    begin: Callable[[Case, IllHall], None]
    roles: tuple[str, ...] = ()
    whole: bool = False
    looks: int = 60
    weight: int = 1


def generated(cases: int, seeds: tuple[int, ...]) -> list[Case]:
    """So many cases, kinds in turn, the rest drawn; the same for the same seeds."""
    draw = np.random.default_rng(seeds[0])
    turns = [name for name, kind in _KINDS.items() for _ in range(kind.weight)]
    found = []
    for number in range(cases):
        name = turns[number % len(turns)]
        kind = _KINDS[name]
        found.append(
            Case(
                name,
                kind.truth,
                float(draw.choice(kind.strengths)),
                seeds[number % len(seeds)],
                -1 if kind.whole else int(draw.integers(PUMPS)),
                str(draw.choice(kind.roles or ("flow",))),
                kind.looks,
            )
        )
    return found


def _nothing(case: Case, hall: IllHall) -> None:
    """Nothing happens."""


def _shows(
    make: Callable[[Case], Callable[[ill.Shown], None]],
) -> Callable[[Case, IllHall], None]:
    return lambda case, hall: hall.begin(make(case))


def _injected(kind: str) -> Callable[[Case, IllHall], None]:
    def begin(case: Case, hall: IllHall) -> None:
        hall.hall.inject(kind, case.pump, case.strength, role=case.role)

    return begin


def _set_point(case: Case, hall: IllHall) -> None:
    """Somebody sets another speed, as far as people here do."""
    hall.hall._setpoint[case.pump] += case.strength


def _demand(case: Case, hall: IllHall) -> None:
    """The works need less water: every pump runs slower."""
    hall.hall._makes.level = hall.hall._makes.level * (1 + case.strength)


def _rescaled(case: Case) -> Callable[[ill.Shown], None]:
    if case.role == "bearing_temperature":
        times, plus = {10: (1.8, 32.0), 100: (1.0, 273.15)}.get(
            round(case.strength), (1 / 1.8, -32 / 1.8)
        )
        return ill.rescaled(case.role, case.pump, times, plus)
    if case.role in PRESSURES:
        times = {10: 14.5038, 100: 100.0}.get(round(case.strength), 0.1)
        return ill.rescaled(case.role, case.pump, times)
    return ill.rescaled(case.role, case.pump, case.strength)


def _beyond(case: Case) -> Callable[[ill.Shown], None]:
    if case.strength < 0:
        return ill.ended(case.role, case.pump, high=case.strength > -1)
    return ill.beyond(case.role, case.pump, case.strength)


_S, _P, _M = Cause.SENSOR, Cause.PROCESS, Cause.MODEL
_KINDS: dict[str, Kind] = {
    "healthy": Kind(HEALTHY, (0.0,), _nothing, weight=5),
    "set point": Kind(HEALTHY, (-0.08, -0.05, 0.05, 0.08), _set_point, weight=3),
    "stop and start": Kind(
        HEALTHY,
        (240.0, 600.0),
        _shows(lambda c: ill.standing(c.pump, 60.0, 60.0 + c.strength)),
        looks=170,
        weight=2,
    ),
    "idle": Kind(
        HEALTHY, (0.0,), _shows(lambda c: ill.standing(c.pump, 60.0, 1e9)), weight=2
    ),
    "stuck": Kind(_S, (1.0,), _shows(lambda c: ill.stuck(c.role, c.pump)), ROLES),
    "silent": Kind(_S, (1.0,), _shows(lambda c: ill.silent(c.role, c.pump)), ROLES),
    "gappy": Kind(
        _S, (0.3, 0.6), _shows(lambda c: ill.gappy(c.role, c.pump, c.strength)), ROLES
    ),
    "spiky": Kind(
        _S,
        (0.05, 0.1, 0.3),
        _shows(lambda c: ill.spiky(c.role, c.pump, c.strength, 30.0)),
        ROLES,
    ),
    "out of range": Kind(_S, (-2.0, -1.0, -0.5, 0.01, 0.1), _shows(_beyond), ROLES),
    "step": Kind(
        _S,
        (-0.1, -0.05, 0.05, 0.1, 0.2),
        _shows(lambda c: ill.stepped(c.role, c.pump, c.strength, 0.0)),
        ROLES,
        weight=2,
    ),
    "slow step": Kind(
        _S,
        (-0.1, 0.1, 0.2),
        _shows(lambda c: ill.stepped(c.role, c.pump, c.strength, 240.0)),
        ROLES,
    ),
    "drifting_sensor": Kind(_S, (0.5, 1.0), _injected("drifting_sensor"), ROLES),
    "unit": Kind(_S, (0.1, 10.0, 100.0), _shows(_rescaled), ROLES, weight=2),
    "noisy": Kind(
        _S,
        (3.0, 5.0, 10.0),
        _shows(lambda c: ill.noisy(c.role, c.pump, c.strength)),
        ROLES,
    ),
    "damped": Kind(
        _S,
        (5.0, 20.0),
        _shows(lambda c: ill.damped(c.role, c.pump, c.strength)),
        ("suction_pressure", "discharge_pressure", "flow", "motor_current"),
    ),
    "clock frozen": Kind(_S, (1.0,), _shows(lambda c: ill.frozen_clock(c.pump))),
    "clock skewed": Kind(
        _S, (1.5, 3.0), _shows(lambda c: ill.skewed_clock(c.pump, c.strength, 0.01))
    ),
    "cavitation": Kind(_P, (0.3, 0.5, 1.0), _injected("cavitation"), weight=2),
    "bearing_wear": Kind(_P, (0.3, 0.5, 1.0), _injected("bearing_wear"), weight=2),
    "impeller_wear": Kind(_P, (0.7, 1.0, 1.5), _injected("impeller_wear"), weight=1),
    "blocked_discharge": Kind(
        _P, (0.3, 0.5, 1.0), _injected("blocked_discharge"), weight=2
    ),
    "demand": Kind(_P, (-0.12, -0.08, 0.08), _demand, whole=True),
    "fluid": Kind(
        _P,
        (0.9, 1.1, 1.2),
        _shows(lambda c: ill.heavier(c.strength, 120.0)),
        whole=True,
    ),
    "season": Kind(
        _P,
        (-8.0, 8.0, 12.0),
        _shows(lambda c: ill.warmer(c.strength, 200.0)),
        whole=True,
    ),
    "other model": Kind(_M, (0.5, 1.0, 2.0), _nothing, whole=True, weight=2),
    "labels": Kind(_M, (0.7, 0.8), _nothing, whole=True, weight=2),
    "falling score": Kind(_M, (0.3, 0.5), _nothing, whole=True),
}
