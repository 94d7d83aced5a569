"""What stands in the pump hall: its instruments, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Instrument:
    """How one role is measured.

    Attributes:
        unit: engineering unit.
        low, high: what the transmitter can show.
        noise: standard deviation of one reading.
        resolution: smallest step of a reading.
    """

    unit: str
    low: float
    high: float
    noise: float
    resolution: float


INSTRUMENTS: Mapping[str, Instrument] = {
    "suction_pressure": Instrument("bar", 0.0, 6.0, 0.012, 0.001),
    "discharge_pressure": Instrument("bar", 0.0, 16.0, 0.03, 0.002),
    "flow": Instrument("m3/h", 0.0, 150.0, 0.5, 0.02),
    "vibration_rms": Instrument("mm/s", 0.0, 25.0, 0.06, 0.002),
    "bearing_temperature": Instrument("degC", 0.0, 150.0, 0.06, 0.01),
    "motor_current": Instrument("A", 0.0, 60.0, 0.12, 0.01),
    "speed": Instrument("rpm", 0.0, 3600.0, 1.5, 0.1),
}
ROLES: tuple[str, ...] = tuple(INSTRUMENTS)

FAULTS: Mapping[str, str] = {
    "cavitation": "suction strainer clogs: the water boils at the impeller's eye",
    "bearing_wear": "a race spalls: vibration grows, then the bearing warms",
    "impeller_wear": "the impeller loses head: less flow for the same speed",
    "blocked_discharge": "a valve sticks half closed: less flow, more pressure",
    "stuck_sensor": "one transmitter freezes at its last reading",
    "drifting_sensor": "one transmitter walks away from the truth",
}
SENSOR_FAULTS = frozenset({"stuck_sensor", "drifting_sensor"})

# faults of weeks are played in seconds: what is shown is the end of the story
_ONSET: Mapping[str, float] = {
    "cavitation": 4.0,
    "bearing_wear": 12.0,
    "impeller_wear": 20.0,
    "blocked_discharge": 10.0,
    "stuck_sensor": 0.0,
    "drifting_sensor": 60.0,
}


@dataclass(slots=True)
class Fault:
    """One fault of one pump: how grave, since when, and on which transmitter."""

    severity: float
    age: float = 0.0
    role: str = "flow"
    frozen: float | None = None

    def depth(self, kind: str) -> float:
        """How far the fault has come, 0 to its severity."""
        onset = _ONSET[kind]
        return self.severity * (1.0 - np.exp(-self.age / onset) if onset else 1.0)
