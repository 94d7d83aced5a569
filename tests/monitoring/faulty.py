"""Rows in which one transmitter is wrong, beside the same rows as they should be."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.demo.equipment import INSTRUMENTS, ROLES
from edge_agent.demo.hall import Hall
from edge_agent.features.offline import TriggerSpec, offline_rows
from edge_agent.samples import NANOSECONDS, SampleBatch
from models.pump_hall import BY_EXCEPTION, EPOCH, PERIOD, PUMP, PUMPS, SPECS
from tests.end_to_end.figures import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.samples import F64

    F32 = NDArray[np.float32]

TURBINE = SHARED / "data" / "gas_turbine"
BEGIN, LENGTH = 60.0, 180.0
"""Seconds into a trial at which the fault begins, and at which the trial ends."""
RAMP = 60.0
STRENGTHS: dict[str, tuple[float, ...]] = {
    "offset": (0.04, 0.08, 0.16, 0.3),
    "scale": (0.06, 0.12, 0.25, 0.5),
    "stuck": (1.0,),
    "drift": (0.04, 0.08, 0.16, 0.3),
}
"""Shares of the instrument's range; of the reading for scale."""
COLUMNS = ("AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP")
EMISSION = "NOX"
DEVIATIONS = (2.0, 4.0, 8.0)
"""Offsets and drifts of the turbine's tags, in standard deviations of training."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One fault of one transmitter.

    Attributes:
        tag: position of the tag that is wrong.
        kind: of the fault.
        strength: of it.
        seconds: float64[n] of each row since the fault began.
        values: float32[n, features] as the agent sees them.
        healthy: float32[n, features] the same with a transmitter that works.
    """

    tag: int
    kind: str
    strength: float
    seconds: F64
    values: F32
    healthy: F32


def faults() -> list[tuple[int, str, float]]:
    """Every tag of a pump, every kind, every strength."""
    return [
        (tag, kind, strength)
        for tag in range(len(ROLES))
        for kind, strengths in STRENGTHS.items()
        for strength in strengths
    ]


def pump_trials(
    chosen: Sequence[tuple[int, str, float]], seed: int = 500
) -> Iterator[Trial]:
    """Three minutes of a pump for each fault, `PUMPS` of them in one hall.

    Args:
        chosen: the faults.
        seed: of the first hall; the next ones follow.
    """
    signs = np.random.default_rng(seed)
    for number, first in enumerate(range(0, len(chosen), PUMPS)):
        mine = chosen[first : first + PUMPS]
        shown, wrong = _tables(mine, seed + number, signs)
        made, meant = (_rows(table, seed + number) for table in (wrong, shown))
        for pump, (tag, kind, strength) in enumerate(mine):
            own = np.flatnonzero(made.asset == pump)
            seconds = (made.at[own] - EPOCH) / NANOSECONDS - BEGIN
            values, healthy = made.values[own], meant.values[own]
            yield Trial(tag, kind, strength, seconds, values, healthy)


def pump_samples(chosen: Sequence[tuple[int, str, float]], seed: int) -> SampleBatch:
    """The samples of one hall in which each fault has a pump."""
    _, wrong = _tables(chosen, seed, np.random.default_rng(seed))
    return _samples(wrong, seed)


def turbine_rows() -> tuple[F32, F32]:
    """Process tags and the emission of 2011 and 2012, shuffled."""
    tables = []
    for year in (2011, 2012):
        with (TURBINE / f"gt_{year}.csv").open() as file:
            found = list(csv.DictReader(file))
        tables += [[float(row[c]) for c in (*COLUMNS, EMISSION)] for row in found]
    table = np.random.default_rng(0).permutation(np.array(tables, np.float32))
    return np.ascontiguousarray(table[:, :-1]), table[:, -1]


def turbine_trials(calm: F32, std: F64, *, each: int = 40) -> Iterator[Trial]:
    """Single rows of the turbine with one tag wrong.

    Args:
        calm: float32[n, tags], rows that no model has learned from.
        std: float64[tags] in training.
        each: rows of each fault.
    """
    random = np.random.default_rng(1)
    kinds = [
        *(("offset", s) for s in DEVIATIONS),
        *(("scale", s) for s in (0.05, 0.1, 0.3)),
        ("stuck", 1.0),
        *(("drift", s) for s in DEVIATIONS),
    ]
    for tag in range(len(COLUMNS)):
        for kind, strength in kinds:
            healthy = calm[random.integers(0, len(calm), each)]
            values = healthy.copy()
            sign = random.choice([-1.0, 1.0], each)
            moved = {
                "offset": values[:, tag] + sign * strength * std[tag],
                "scale": values[:, tag] * (1 + sign * strength),
                "stuck": calm[random.integers(0, len(calm), each), tag],
                "drift": values[:, tag]
                + sign * strength * std[tag] * random.random(each),
            }
            values[:, tag] = moved[kind]
            for row in range(each):
                one = slice(row, row + 1)
                zero = np.zeros(1)
                yield Trial(tag, kind, strength, zero, values[one], healthy[one])


def _tables(
    chosen: Sequence[tuple[int, str, float]], seed: int, signs: np.random.Generator
) -> tuple[F64, F64]:
    """float64[steps, roles, pumps] as it should be, and as it is shown."""
    shown = _shown(seed)
    wrong = shown.copy()
    for pump, fault in enumerate(chosen):
        sign = float(signs.choice([-1, 1]))
        column = wrong[:, fault[0], pump]
        wrong[:, fault[0], pump] = _falsified(column, fault, sign)
    return shown, wrong


def _shown(seed: int) -> F64:
    """float64[steps, roles, pumps] what healthy transmitters show."""
    hall = Hall(seed, PUMPS)
    hall.time = 9 * 3600.0
    steps = round(LENGTH / PERIOD)
    shown = np.empty((steps, len(ROLES), PUMPS))
    for step in range(steps):
        now = hall.step(PERIOD)
        shown[step] = [now[role] for role in ROLES]
    return shown


def _falsified(column: F64, fault: tuple[int, str, float], sign: float) -> F64:
    tag, kind, strength = fault
    instrument = INSTRUMENTS[ROLES[tag]]
    away = sign * strength * (instrument.high - instrument.low)
    begin, wrong = round(BEGIN / PERIOD), column.copy()
    if kind == "offset":
        wrong[begin:] += away
    elif kind == "scale":
        wrong[begin:] *= 1 + sign * strength
    elif kind == "stuck":
        wrong[begin:] = wrong[begin]
    else:
        age = np.arange(len(column) - begin) * PERIOD
        wrong[begin:] += away * np.minimum(age / RAMP, 1.0)
    return np.clip(wrong, instrument.low, instrument.high)


def _samples(values: F64, seed: int) -> SampleBatch:
    """A table of readings as samples, every tag at every step."""
    count = len(values)
    jitter = np.random.default_rng(seed).uniform(0, 0.04, count)
    seconds = np.arange(count) * PERIOD + jitter
    stamps = EPOCH + np.round(seconds * NANOSECONDS).astype(np.int64)
    time = np.repeat(stamps, PUMP.size)
    tags = np.tile(np.arange(PUMP.size, dtype=np.int32), count)
    good = np.zeros(len(time), np.uint8)
    return SampleBatch(tags, time, values.reshape(-1), good, time + 50_000_000)


def _rows(values: F64, seed: int) -> FeatureRows:
    """Rows of a table of readings, one a pump and second, by the gateway's code."""
    batch, when = _samples(values, seed), TriggerSpec(every=1.0)
    found = offline_rows(PUMP, SPECS, when, batch, BY_EXCEPTION)
    return found.take(np.flatnonzero(found.valid))
