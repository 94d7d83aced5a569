"""A spot-welding cell as its controller would show it: currents, voltages, forces.

Two guns weld one spot every four seconds. During the weld's second, current, voltage
and electrode force are sampled every 50 ms; then the part's id comes. Sheets of two
programs need other currents. Most spots are good; some are cold (too little heat) or
expelled (metal sprays out: the force drops, the voltage collapses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import NANOSECONDS, AssetType, SampleBatch, Tag

if TYPE_CHECKING:
    from edge_agent.samples import F64

GUNS = ("GUN-1", "GUN-2")
ROLES = ("current", "voltage", "force")
KIND = AssetType(
    "weld_gun",
    GUNS,
    (
        Tag("current", "kA", 0.0, 25.0),
        Tag("voltage", "V", 0.0, 5.0),
        Tag("force", "kN", 0.0, 10.0),
        Tag("part", text=True),
        Tag("program", text=True),
    ),
    0,
)
PROGRAMS = ("thin", "thick")
GOOD, COLD, EXPELLED = "good", "cold", "expelled"
_EPOCH = 1_767_225_600 * NANOSECONDS  # 2026-01-01
_EVERY = 4 * NANOSECONDS
_SAMPLE = NANOSECONDS // 20
_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Shift:
    """Some hours of the cell.

    Attributes:
        recording: samples in order of arrival.
        labels: what the ultrasonic test says of each part, by its id.
    """

    recording: SampleBatch
    labels: dict[str, str]


def shift(number: int, hours: float) -> Shift:
    """One shift; the same number gives the same spots."""
    random = np.random.default_rng(number)
    spots = int(hours * 3600 * NANOSECONDS / _EVERY)
    columns: list[tuple[int, int, float]] = []
    texts: list[str] = list(PROGRAMS)
    labels: dict[str, str] = {}
    for spot in range(spots):
        for gun, name in enumerate(GUNS):
            begin = _EPOCH + number * 86_400 * NANOSECONDS + spot * _EVERY
            program = spot // 100 % 2
            label = str(random.choice([GOOD, COLD, EXPELLED], p=[0.9, 0.06, 0.04]))
            part = f"{name}-{number}-{spot}"
            labels[part] = label
            if spot % 100 == 0:
                columns.append((begin - 1, KIND.index(4, gun), float(program)))
            columns += _weld(random, gun, begin, program, label)
            end = begin + _SAMPLES * _SAMPLE
            columns.append((end, KIND.index(3, gun), float(len(texts))))
            texts.append(part)
    columns.sort(key=lambda sample: sample[0])
    time, tag, value = zip(*columns, strict=True)
    return Shift(SampleBatch.of(tag, time, value, texts=texts), labels)


def _weld(
    random: np.random.Generator, gun: int, begin: int, program: int, label: str
) -> list[tuple[int, int, float]]:
    """Samples of one weld."""
    curves = _curves(random, program, label)
    return [
        (begin + i * _SAMPLE, KIND.index(role, gun), round(float(curve[i]), 3))
        for role, curve in enumerate(curves)
        for i in range(_SAMPLES)
    ]


def _curves(
    random: np.random.Generator, program: int, label: str
) -> tuple[F64, F64, F64]:
    """Current, voltage and force of one weld."""
    warm = 1 - np.exp(-np.arange(_SAMPLES) / 2.0)
    strength = (9.0, 12.0)[program] * random.normal(1.0, 0.02)
    resistance = random.normal(0.13, 0.004) * (1 - 0.25 * np.linspace(0, 1, _SAMPLES))
    pressed = np.full(_SAMPLES, (2.8, 3.6)[program] * random.normal(1.0, 0.02))
    if label == COLD:
        strength *= random.normal(0.90, 0.03)
        resistance = resistance * random.normal(1.06, 0.02)
    if label == EXPELLED:
        at = int(random.integers(6, 15))
        resistance[at:] *= random.normal(0.80, 0.05)
        pressed[at : at + 3] *= random.normal(0.82, 0.05)
    current = strength * warm + random.normal(0, 0.08, _SAMPLES)
    voltage = current * resistance + random.normal(0, 0.01, _SAMPLES)
    force = pressed + random.normal(0, 0.03, _SAMPLES)
    return np.maximum(current, 0), np.maximum(voltage, 0), force
