"""A hall of centrifugal pumps: physics, instruments and faults, and nothing else.

No clock, no files, no network: `step` moves time, so the same seed gives the same
hall in training, in tests and behind the demo's servers, at any speed.

Each pump runs on a variable-speed drive against its own pipework. Speed follows the
demand for water; flow is where pump curve and system curve meet::

    H = H0 s^2 - k q^2        s = speed / rated speed (affinity laws)
    H = Hs + R v q^2          q = flow / rated flow, v = what the plant's valves do

Everything else follows from these two: shaft power from flow, head and efficiency,
motor current from power, suction pressure from the shared header less its losses,
vibration from speed and from the distance to the best point, bearing temperature from
friction with a long lag. Pumps differ by a few per cent, as pumps of one make do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.demo.equipment import FAULTS, INSTRUMENTS, SENSOR_FAULTS, Fault

if TYPE_CHECKING:
    from edge_agent.samples import F64


_RATED_SPEED = 2930.0  # rpm
_RATED_FLOW = 80.0  # m3/h
_RATED_HEAD = 45.0  # m
_METRE = 0.0980665  # bar in one metre of water
_BEST_EFFICIENCY = 0.74
_AMBIENT = 22.0  # degC
_DAY = 86_400.0
_GROUP = 6  # pumps on one suction header
_THERMAL_LAG = 400.0  # s


@dataclass(slots=True)
class _Walk:
    """Numbers that wander about zero: Ornstein-Uhlenbeck, exact at any step."""

    spread: F64
    lag: float
    value: F64

    def step(self, dt: float, normal: F64) -> F64:
        """Move on by ``dt`` seconds with one normal number each."""
        keep = np.exp(-dt / self.lag)
        self.value = keep * self.value + self.spread * np.sqrt(1 - keep**2) * normal
        return self.value


@dataclass(slots=True)
class _Effects:
    """What all process faults do now, one number a pump."""

    cavitation: F64
    bearing_wear: F64
    impeller_wear: F64
    blocked_discharge: F64


@dataclass(slots=True)
class _Makes:
    """How the pumps differ, one number a pump."""

    shut_off: F64
    steepness: F64
    pipework: F64
    efficiency: F64
    vibration: F64
    friction: F64
    magnetising: F64
    phase: F64
    period: F64
    level: F64


@dataclass(slots=True)
class _Walks:
    demand: _Walk
    valves: _Walk
    header: _Walk
    surface: _Walk
    boiling: _Walk
    room: _Walk = field(repr=False)


class Hall:
    """All pumps of the hall.

    Args:
        seed: the same seed gives the same hall and the same days.
        pumps: how many.
    """

    def __init__(self, seed: int, pumps: int = 24) -> None:
        self.pumps = pumps
        self.time = 0.0
        self._random = np.random.default_rng(seed)
        self._faults: dict[tuple[str, int], Fault] = {}
        self._makes = self._made()
        self._walks = self._begun()
        self._setpoint = np.zeros(pumps)
        self._speed = self._demand(0.0)
        self._temperature = np.full(pumps, np.nan)

    def step(self, dt: float) -> dict[str, F64]:
        """Move on by ``dt`` seconds.

        Returns:
            What the transmitters show, one array of all pumps a role.
        """
        self.time += dt
        for fault in self._faults.values():
            fault.age += dt
        return self._shown(self._process(dt))

    def inject(
        self, kind: str, pump: int, severity: float = 1.0, *, role: str = "flow"
    ) -> None:
        """Begin a fault.

        Args:
            kind: one of `FAULTS`.
            pump: which pump, from 0.
            severity: 1 is plain to see for an expert, 0.3 is hard to.
            role: whose transmitter, for the sensor faults.

        Raises:
            ValueError: no such fault, pump or role.
        """
        if kind not in FAULTS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(FAULTS)}")
        if not 0 <= pump < self.pumps or role not in INSTRUMENTS:
            raise ValueError(f"no pump {pump} with a {role!r}")
        self._faults[kind, pump] = Fault(severity, role=role)

    def clear(self, pump: int, kind: str | None = None) -> None:
        """End one fault of a pump, or all."""
        gone = [k for k in self._faults if k[1] == pump and kind in {None, k[0]}]
        for key in gone:
            del self._faults[key]

    def faults(self) -> list[tuple[str, int]]:
        """Kind and pump of every fault that is on."""
        return sorted(self._faults)

    def _made(self) -> _Makes:
        draw, n = self._random, self.pumps

        def about(value: float, tolerance: float) -> F64:
            return value * (1 + tolerance * np.clip(draw.normal(size=n), -2, 2))

        return _Makes(
            shut_off=about(1.25, 0.01),
            steepness=about(0.25, 0.03),
            pipework=about(0.65, 0.03),
            efficiency=about(_BEST_EFFICIENCY, 0.01),
            vibration=about(1.0, 0.06),
            friction=about(1.0, 0.03),
            magnetising=about(7.0, 0.02),
            phase=draw.uniform(0, 2 * np.pi, n),
            period=draw.uniform(1200, 5400, n),
            level=about(0.86, 0.04),
        )

    def _begun(self) -> _Walks:
        def walk(spread: float, lag: float) -> _Walk:
            start = self._random.normal(size=self.pumps) * spread
            return _Walk(np.full(self.pumps, spread), lag, start)

        return _Walks(
            demand=walk(0.03, 600.0),
            valves=walk(0.06, 300.0),
            header=walk(0.08, 1200.0),
            surface=walk(0.05, 40.0),
            boiling=walk(1.0, 0.8),
            room=walk(1.0, 1800.0),
        )

    def _demand(self, dt: float) -> F64:
        """Speed asked for, as a share of the rated speed."""
        m = self._makes
        swing = 0.06 * np.sin(2 * np.pi * self.time / m.period + m.phase)
        # now and then somebody changes a set-point; the rate is per pump
        moved = self._random.random(self.pumps) < dt / 900.0
        step = self._random.normal(0, 0.04, self.pumps)
        self._setpoint = np.where(moved, np.clip(step, -0.08, 0.08), self._setpoint)
        walk = self._walks.demand.step(dt, self._normal())
        return np.clip(m.level + swing + self._setpoint + walk, 0.66, 1.02)

    def _normal(self) -> F64:
        return self._random.normal(size=self.pumps)

    def _effects(self) -> _Effects:
        def depth(kind: str) -> F64:
            found = np.zeros(self.pumps)
            for (name, pump), fault in self._faults.items():
                if name == kind:
                    found[pump] = fault.depth(kind)
            return found

        return _Effects(
            depth("cavitation"),
            depth("bearing_wear"),
            depth("impeller_wear"),
            depth("blocked_discharge"),
        )

    def _process(self, dt: float) -> dict[str, F64]:
        """The truth in the pipes."""
        m, w, e = self._makes, self._walks, self._effects()
        # the drive ramps: no step reaches the shaft
        self._speed += (self._demand(dt) - self._speed) * (1 - np.exp(-dt / 15.0))
        s = self._speed
        boiling = w.boiling.step(dt, self._normal())
        lost = 0.10 * e.cavitation * (1 + 0.4 * boiling) + 0.12 * e.impeller_wear
        shut_off = m.shut_off * (1 - np.clip(lost, 0, 0.5))
        valves = 1 + w.valves.step(dt, self._normal()) + 1.2 * e.blocked_discharge
        drive = np.maximum(shut_off * s**2 - 0.35, 0.02)
        q = np.sqrt(drive / (m.steepness + m.pipework * np.maximum(valves, 0.4)))
        head = shut_off * s**2 - m.steepness * q**2
        suction = self._suction(dt, q, e)
        flow = _RATED_FLOW * q
        return {
            "suction_pressure": suction,
            "discharge_pressure": suction + _RATED_HEAD * head * _METRE,
            "flow": flow,
            "vibration_rms": self._vibration(dt, s, q, e, boiling),
            "bearing_temperature": self._warmth(dt, s, q, e),
            "motor_current": self._current(s, q, head, e, boiling),
            "speed": _RATED_SPEED * s,
        }

    def _suction(self, dt: float, q: F64, e: _Effects) -> F64:
        own = self._walks.header.step(dt, self._normal())
        groups = np.arange(self.pumps) // _GROUP
        # pumps on one header see the same level: the mean of their walks
        shared = (np.bincount(groups, own) / np.bincount(groups))[groups]
        return 1.9 + 1.6 * shared + 0.3 * own - 0.3 * q**2 - 0.8 * e.cavitation

    def _vibration(self, dt: float, s: F64, q: F64, e: _Effects, boiling: F64) -> F64:
        surface = 1 + self._walks.surface.step(dt, self._normal())
        off_best = (q / np.maximum(s, 0.1) - 0.95) ** 2
        calm = 1.8 * self._makes.vibration * (0.5 + 0.5 * s**2) * (1 + 1.5 * off_best)
        cavitating = e.cavitation * (1.6 + 0.5 * np.abs(boiling))
        worn = e.bearing_wear * (1.9 + 0.25 * boiling)
        return calm * surface + cavitating + worn

    def _warmth(self, dt: float, s: F64, q: F64, e: _Effects) -> F64:
        room = _AMBIENT + 4 * np.sin(2 * np.pi * self.time / _DAY)
        room = room + self._walks.room.step(dt, self._normal())
        friction = self._makes.friction * (22 * s**1.5 + 8 * q * s)
        goal = room + friction + 35.0 * e.bearing_wear
        if np.isnan(self._temperature).any():
            self._temperature = goal
        self._temperature = goal + (self._temperature - goal) * np.exp(
            -dt / _THERMAL_LAG
        )
        return self._temperature

    def _current(self, s: F64, q: F64, head: F64, e: _Effects, boiling: F64) -> F64:
        m = self._makes
        off_best = (q / np.maximum(s, 0.1) - 1.0) ** 2
        efficiency = m.efficiency * (1 - 0.9 * off_best)
        watts = 9810.0 * (_RATED_FLOW / 3600.0) * q * _RATED_HEAD * head / efficiency
        watts = watts * (1 + 0.03 * e.cavitation * boiling + 0.02 * e.bearing_wear)
        # voltage follows speed (constant V/f), so current follows torque
        volts = 400.0 * np.maximum(s, 0.1)
        active = watts / (np.sqrt(3) * volts * 0.92)
        current: F64 = np.sqrt(m.magnetising**2 + active**2)
        return current

    def _shown(self, truth: dict[str, F64]) -> dict[str, F64]:
        """What the transmitters make of the truth."""
        shown: dict[str, F64] = {}
        for role, instrument in INSTRUMENTS.items():
            value = truth[role] + instrument.noise * self._normal()
            value = np.round(value / instrument.resolution) * instrument.resolution
            shown[role] = np.clip(value, instrument.low, instrument.high)
        for (kind, pump), fault in self._faults.items():
            if kind in SENSOR_FAULTS:
                self._falsify(kind, fault, shown[fault.role], pump)
        return shown

    def _falsify(self, kind: str, fault: Fault, shown: F64, pump: int) -> None:
        if kind == "stuck_sensor":
            if fault.frozen is None:
                fault.frozen = float(shown[pump])
            shown[pump] = fault.frozen
            return
        instrument = INSTRUMENTS[fault.role]
        span = instrument.high - instrument.low
        away = 0.1 * span * fault.depth(kind)
        shown[pump] = min(shown[pump] + away, instrument.high)
