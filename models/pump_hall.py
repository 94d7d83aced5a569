"""Days of the simulated hall as the gateway would record them.

Samples reach the agent with the jitter of a PLC's cycle and the delay of a publishing
interval; rows are made from them by the gateway's own feature code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.demo.equipment import INSTRUMENTS, ROLES
from edge_agent.demo.hall import Hall
from edge_agent.features.feature_rows import FeatureRows, joined
from edge_agent.features.offline import TriggerSpec, offline_rows
from edge_agent.features.spec import FeatureSpec
from edge_agent.samples import NANOSECONDS, AssetType, SampleBatch, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUMPS = 24
PERIOD = 0.5  # s between two samples of a tag
WINDOW = 10.0  # s
HOLD = 10.0  # s
MIN_COMPLETENESS = 0.7
EPOCH = 1_767_225_600 * NANOSECONDS  # 2026-01-01, so that stamps look like stamps
_CHUNK = 7200  # steps worked on at once: one hour

PUMP = AssetType(
    "pump",
    tuple(f"P-{101 + i}" for i in range(PUMPS)),
    tuple(Tag(role, i.unit, i.low, i.high) for role, i in INSTRUMENTS.items()),
    0,
)
# OPC UA reports changes only; vibration comes over MQTT, every value
BY_EXCEPTION = np.array([role != "vibration_rms" for role in ROLES])
SPECS = tuple(
    FeatureSpec(
        name=f"{role}.{aggregate}",
        tag=role,
        aggregate=aggregate,
        window=WINDOW,
        hold=HOLD,
        rate=1 / PERIOD,
        min_completeness=MIN_COMPLETENESS,
    )
    for aggregate in ("mean", "std")
    for role in ROLES
)


@dataclass(frozen=True, slots=True)
class Day:
    """A stretch of one hall.

    Attributes:
        seed: which hall; another seed has other pumps.
        hours: how long.
        hour: time of day it begins at.
    """

    seed: int
    hours: float
    hour: float = 0.0


def rows(day: Day, meddle: Callable[[Hall, int], None] | None = None) -> FeatureRows:
    """Feature rows of a day, one a pump and second, without the warm-up.

    Args:
        day: which.
        meddle: called before each step with the hall and the step's number, to
            inject faults.
    """
    parts = []
    for batch in _recording(day, meddle):
        found = offline_rows(PUMP, SPECS, TriggerSpec(every=1.0), batch, BY_EXCEPTION)
        parts.append(found.take(np.flatnonzero(found.valid)))
    return joined(parts)


def _recording(
    day: Day, meddle: Callable[[Hall, int], None] | None
) -> Iterator[SampleBatch]:
    hall = Hall(day.seed, PUMPS)
    hall.time = day.hour * 3600.0
    jitter = np.random.default_rng(day.seed + 1_000_000)
    steps = round(day.hours * 3600 / PERIOD)
    for first in range(0, steps, _CHUNK):
        count = min(_CHUNK, steps - first)
        values = np.empty((count, len(ROLES), PUMPS))
        for step in range(count):
            if meddle is not None:
                meddle(hall, first + step)
            shown = hall.step(PERIOD)
            values[step] = [shown[role] for role in ROLES]
        yield _samples(values, first, jitter)


def _samples(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    first: int,
    jitter: np.random.Generator,
) -> SampleBatch:
    count, tags = len(values), PUMP.size
    seconds = (first + np.arange(count)) * PERIOD + jitter.uniform(0, 0.04, count)
    time = EPOCH + np.round(seconds * NANOSECONDS).astype(np.int64)
    received = time + round(0.05 * NANOSECONDS)
    return SampleBatch(
        np.tile(np.arange(tags, dtype=np.int32), count),
        np.repeat(time, tags),
        values.reshape(-1),
        np.zeros(count * tags, np.uint8),
        np.repeat(received, tags),
    )
