"""The demo's hall with the sensor faults it lacks, standstill, and shifts of it all.

The hall itself is untouched: what its transmitters show is falsified afterwards, so
that its random numbers stay those of the golden demo.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.demo.equipment import INSTRUMENTS, ROLES
from edge_agent.demo.hall import Hall
from edge_agent.monitoring.sensors import Facts
from edge_agent.samples import NANOSECONDS, Quality, SampleBatch, TagTable
from models.pump_hall import BY_EXCEPTION, EPOCH, PERIOD, PUMP, PUMPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.samples import F64

STEPS = 20
"""Of one look: ten seconds."""
TABLE = TagTable(
    (PUMP,),
    ("plc", "broker"),
    np.repeat(np.where(BY_EXCEPTION, 0, 1).astype(np.int16), PUMPS),
)
FACTS = Facts.of(PUMP, TABLE, np.array([True, False]))
_NOISE = np.array([INSTRUMENTS[role].noise for role in ROLES])
SPAN = {role: i.high - i.low for role, i in INSTRUMENTS.items()}


@dataclass(slots=True)
class Shown:
    """What the transmitters show over one look, to be falsified.

    Attributes:
        value: float64[steps, roles, pumps].
        quality: uint8[steps, roles, pumps].
        lost: bool[steps, roles, pumps], samples that never come.
        late: int64[steps, roles, pumps], ns that stamps lie behind.
        age: float64[steps], s since the fault began.
        random: of the faults.
    """

    value: F64
    quality: NDArray[np.uint8]
    lost: NDArray[np.bool_]
    late: NDArray[np.int64]
    age: F64
    random: np.random.Generator


Falsify = "Callable[[Shown], None]"


@dataclass(slots=True)
class IllHall:
    """A hall with its agent-side stream of samples.

    Attributes:
        hall: the demo's.
        steps: so far.
        faults: what falsifies the transmitters now, in order.
        broken: ns, the moment the faults began.
    """

    hall: Hall
    random: np.random.Generator
    steps: int = 0
    faults: list[Callable[[Shown], None]] = field(default_factory=list)
    began: int = 0
    last: F64 = field(default_factory=lambda: np.full(PUMP.size, np.nan))

    @staticmethod
    def of(seed: int) -> IllHall:
        """A healthy one."""
        return IllHall(Hall(seed, PUMPS), np.random.default_rng(seed + 1_000_000))

    def begin(self, *faults: Callable[[Shown], None]) -> None:
        """Let faults of transmitters begin now."""
        self.faults = list(faults)
        self.began = self.steps

    @property
    def now(self) -> int:
        """Agent time."""
        return EPOCH + round(self.steps * PERIOD * NANOSECONDS)

    def look(self) -> tuple[SampleBatch, F64]:
        """Ten seconds of samples, and the values behind them [steps, roles, pumps]."""
        shape = (STEPS, len(ROLES), PUMPS)
        value = np.empty(shape)
        for step in range(STEPS):
            shown = self.hall.step(PERIOD)
            value[step] = [shown[role] for role in ROLES]
        ages = PERIOD * (self.steps - self.began + np.arange(STEPS, dtype=np.float64))
        shown_ = Shown(
            value,
            np.zeros(shape, np.uint8),
            np.zeros(shape, bool),
            np.zeros(shape, np.int64),
            ages,
            self.random,
        )
        for falsify in self.faults:
            falsify(shown_)
        return self._sent(shown_), shown_.value

    def _sent(self, shown: Shown) -> SampleBatch:
        seconds = (self.steps + np.arange(STEPS)) * PERIOD
        seconds = seconds + self.random.uniform(0, 0.04, STEPS)
        self.steps += STEPS
        time = EPOCH + np.round(seconds * NANOSECONDS).astype(np.int64)
        flat = shown.value.reshape(STEPS, -1)
        bad = shown.quality.reshape(STEPS, -1) >= Quality.BAD
        seen = np.where(bad, np.inf, flat)
        changed = seen != np.vstack([self.last, seen[:-1]])
        self.last = seen[-1]
        keep = (changed | ~FACTS.held) & ~shown.lost.reshape(STEPS, -1)
        step, tag = np.nonzero(keep)
        late = shown.late.reshape(STEPS, -1)[step, tag]
        return SampleBatch(
            tag.astype(np.int32),
            time[step] - late,
            np.where(bad, np.nan, flat)[step, tag],
            shown.quality.reshape(STEPS, -1)[step, tag],
            time[step] + NANOSECONDS // 20,
        )


def _place(role: str, pump: int) -> tuple[slice, int, int]:
    return slice(None), ROLES.index(role), pump


def _rounded(role: str, value: F64) -> F64:
    step = INSTRUMENTS[role].resolution
    rounded: F64 = np.round(value / step) * step
    return rounded


def stuck(role: str, pump: int) -> Callable[[Shown], None]:
    """The transmitter freezes at its last reading."""
    kept: list[float] = []

    def falsify(shown: Shown) -> None:
        at = _place(role, pump)
        kept.append(float(shown.value[at][0]))
        shown.value[at] = kept[0]

    return falsify


def silent(role: str, pump: int) -> Callable[[Shown], None]:
    """No more samples: nothing over MQTT, quality BAD over OPC UA."""

    def falsify(shown: Shown) -> None:
        at = _place(role, pump)
        if BY_EXCEPTION[ROLES.index(role)]:
            shown.quality[at] = Quality.BAD
        else:
            shown.lost[at] = True

    return falsify


def gappy(role: str, pump: int, share: float) -> Callable[[Shown], None]:
    """A share of the samples is lost, or BAD over OPC UA."""

    def falsify(shown: Shown) -> None:
        at = _place(role, pump)
        gone = shown.random.random(STEPS) < share
        if BY_EXCEPTION[ROLES.index(role)]:
            shown.quality[at] = np.where(gone, Quality.BAD, shown.quality[at])
        else:
            shown.lost[at] |= gone

    return falsify


def spiky(role: str, pump: int, size: float, every: float) -> Callable[[Shown], None]:
    """Readings jump away for one sample: by a share of the span, each so many s."""

    def falsify(shown: Shown) -> None:
        at, span = _place(role, pump), SPAN[role]
        hit = shown.random.random(STEPS) < PERIOD / every
        away = size * span * shown.random.choice([-1.0, 1.0], STEPS)
        shown.value[at] += _rounded(role, np.where(hit, away, 0.0))

    return falsify


def stepped(role: str, pump: int, size: float, over: float) -> Callable[[Shown], None]:
    """The reading moves by a share of the span within so many s, and stays there."""

    def falsify(shown: Shown) -> None:
        at, span = _place(role, pump), SPAN[role]
        depth = np.clip(shown.age / over, 0, 1) if over else 1.0
        shown.value[at] = _rounded(role, shown.value[at] + size * span * depth)

    return falsify


def ended(role: str, pump: int, *, high: bool) -> Callable[[Shown], None]:
    """Short circuit or broken wire: the reading is at an end of its range."""

    def falsify(shown: Shown) -> None:
        instrument = INSTRUMENTS[role]
        shown.value[_place(role, pump)] = instrument.high if high else instrument.low

    return falsify


def beyond(role: str, pump: int, share: float) -> Callable[[Shown], None]:
    """The reading is above its range by a share of the span, with its noise."""

    def falsify(shown: Shown) -> None:
        at, i = _place(role, pump), INSTRUMENTS[role]
        noise = shown.random.normal(0, i.noise, STEPS)
        shown.value[at] = _rounded(role, i.high + share * SPAN[role] + noise)

    return falsify


def rescaled(
    role: str, pump: int, times: float, plus: float = 0.0
) -> Callable[[Shown], None]:
    """Somebody changed the unit."""

    def falsify(shown: Shown) -> None:
        at = _place(role, pump)
        shown.value[at] = times * shown.value[at] + plus

    return falsify


def noisy(role: str, pump: int, times: float) -> Callable[[Shown], None]:
    """The noise grows."""

    def falsify(shown: Shown) -> None:
        at, i = _place(role, pump), INSTRUMENTS[role]
        more = i.noise * np.sqrt(times**2 - 1) * shown.random.normal(size=STEPS)
        shown.value[at] = _rounded(role, shown.value[at] + more)

    return falsify


def damped(role: str, pump: int, seconds: float) -> Callable[[Shown], None]:
    """Somebody turned the damping up."""
    kept: list[float] = []

    def falsify(shown: Shown) -> None:
        at = _place(role, pump)
        own = shown.value[at].copy()
        value = kept[-1] if kept else float(own[0])
        for step in range(STEPS):
            value += (own[step] - value) * (1 - np.exp(-PERIOD / seconds))
            own[step] = value
        kept.append(value)
        shown.value[at] = _rounded(role, own)

    return falsify


def frozen_clock(pump: int, roles: tuple[str, ...] = ROLES) -> Callable[[Shown], None]:
    """The stamps of some tags stand still."""

    def falsify(shown: Shown) -> None:
        for role in roles:
            late = np.round(shown.age * NANOSECONDS).astype(np.int64)
            shown.late[_place(role, pump)] = late + NANOSECONDS

    return falsify


def skewed_clock(pump: int, off: float, rate: float) -> Callable[[Shown], None]:
    """The device's clock is off by s, and by ``rate`` s more a second."""

    def falsify(shown: Shown) -> None:
        late = np.round((off + rate * shown.age) * NANOSECONDS).astype(np.int64)
        for role in ROLES:
            shown.late[_place(role, pump)] = late

    return falsify


def standing(pump: int, since: float, until: float) -> Callable[[Shown], None]:
    """The pump is stopped and started again, with ramps of half a minute."""

    def falsify(shown: Shown) -> None:
        down = np.clip((shown.age - since) / 30, 0, 1)
        up = np.clip((shown.age - until) / 30, 0, 1)
        turn = 1 - down + up
        v = shown.value
        suction = v[:, ROLES.index("suction_pressure"), pump]
        noise = shown.random.normal(size=(STEPS, len(ROLES))) * _NOISE
        for role in ("flow", "speed", "motor_current", "vibration_rms"):
            at = _place(role, pump)
            i = ROLES.index(role)
            still = np.maximum(noise[:, i], 0.0)
            v[at] = _rounded(role, np.where(turn < 1, turn * v[at] + still, v[at]))
        at = _place("discharge_pressure", pump)
        v[at] = _rounded("discharge_pressure", suction + turn**2 * (v[at] - suction))
        at = _place("bearing_temperature", pump)
        cool = 18 * (1 - np.exp(-np.maximum(shown.age - since, 0) / 400))
        warm = 18 * (1 - np.exp(-np.maximum(shown.age - until, 0) / 400))
        v[at] = _rounded("bearing_temperature", v[at] - cool + warm)

    return falsify


def heavier(density: float, over: float) -> Callable[[Shown], None]:
    """Another fluid in the whole hall: pressures and power grow with its density."""

    def falsify(shown: Shown) -> None:
        v, row = shown.value, {role: i for i, role in enumerate(ROLES)}
        more = 1 + (density - 1) * np.clip(shown.age / over, 0, 1)[:, None]
        suction = v[:, row["suction_pressure"]]
        discharge = v[:, row["discharge_pressure"]]
        v[:, row["discharge_pressure"]] = suction + more * (discharge - suction)
        current = v[:, row["motor_current"]]
        active = np.sqrt(np.maximum(current**2 - 49.0, 0.0))
        v[:, row["motor_current"]] = np.sqrt(49.0 + (more * active) ** 2)

    return falsify


def warmer(degrees: float, over: float) -> Callable[[Shown], None]:
    """The hall warms up, and with it all bearings."""

    def falsify(shown: Shown) -> None:
        more = degrees * (1 - np.exp(-shown.age / over))[:, None]
        shown.value[:, ROLES.index("bearing_temperature")] += more

    return falsify
