"""What happens to the plant, and when: the demo's script.

Pure. With a length, three faults, a broker that is gone and a PLC that restarts, at
fixed parts of it; without, faults on random pumps for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Below it a fault has no time to be found between warm-up and the end.
SHORTEST = 60.0
PLC_DOWN = 5.0
BROKER_DOWN = 20.0


class Act(Enum):
    """What is done."""

    FAULT = auto()
    REPAIR = auto()
    CUT_BROKER = auto()
    RESTART_PLC = auto()


@dataclass(frozen=True, slots=True)
class Cue:
    """One act.

    Attributes:
        at: seconds from the beginning.
        act: what is done.
        pump: from 0, of faults and repairs.
        kind: as in `equipment.FAULTS`.
        role: whose transmitter, of sensor faults.
        lasts: seconds a link is away.
    """

    at: float
    act: Act
    pump: int = -1
    kind: str = ""
    role: str = ""
    lasts: float = 0.0


def timed(seconds: float, pumps: int, seed: int) -> list[Cue]:
    """Everything once, early enough to be found and to recover.

    Windows of ten seconds must fill before the first fault; alarms need up to 18 s;
    a link may stay away for its outage and as long again, for its back-off.
    """
    first, second, third = map(int, _random(seed).choice(pumps, 3, replace=False))
    part = seconds / SHORTEST
    down = min(BROKER_DOWN, seconds / 6)
    return [
        Cue(9 * part, Act.FAULT, first, "cavitation"),
        Cue(10 * part, Act.FAULT, second, "bearing_wear"),
        Cue(12 * part, Act.FAULT, third, "stuck_sensor", "flow"),
        Cue(18 * part, Act.CUT_BROKER, lasts=down),
        Cue(32 * part, Act.RESTART_PLC, lasts=PLC_DOWN),
    ]


def endless(pumps: int, seed: int) -> Iterator[Cue]:
    """A fault every 40 s, two minutes each; now and then a link goes."""
    random = _random(seed)
    faults = (
        ("cavitation", ""),
        ("bearing_wear", ""),
        ("stuck_sensor", "flow"),
        ("blocked_discharge", ""),
        ("stuck_sensor", "vibration_rms"),
    )
    resting: list[int] = []
    broken: list[Cue] = []
    at, number = 12.0, 0
    while True:
        kind, role = faults[number % len(faults)]
        # a pump rests for a while: its alarms would not tell which fault they mean
        pump = int(random.choice([p for p in range(pumps) if p not in resting]))
        resting = [*resting, pump][-pumps // 2 :]
        cue = Cue(at, Act.FAULT, pump, kind, role)
        broken.append(cue)
        yield cue
        if number % 4 == 1:
            yield Cue(at + 12, Act.CUT_BROKER, lasts=BROKER_DOWN)
        if number % 4 == 3:  # noqa: PLR2004
            yield Cue(at + 32, Act.RESTART_PLC, lasts=PLC_DOWN)
        if len(broken) > 3:  # noqa: PLR2004
            old = broken.pop(0)
            yield Cue(at + 36, Act.REPAIR, old.pump, old.kind)
        at, number = at + 40.0, number + 1


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
