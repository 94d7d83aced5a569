"""Trials: false alarms on healthy days, seconds to find each fault.

Scores and alarms are made by the agent's own scorer and alarm rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.alarms import AlarmStates, Limits, Rows, advance
from edge_agent.demo.equipment import ROLES
from edge_agent.samples import NANOSECONDS
from models.pump_hall import EPOCH, PERIOD, PUMPS, Day, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.demo.hall import Hall
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.samples import F64

ON_DELAY = 3 * NANOSECONDS
_BEGIN = 60.0  # s into a trial
_LENGTH = 180.0  # s


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault on one pump."""

    kind: str
    severity: float
    pump: int
    role: str = "flow"

    @property
    def name(self) -> str:
        """As the report has it."""
        where = f" ({self.role})" if "sensor" in self.kind else ""
        return f"{self.kind}{where} {self.severity:g}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a trial: seconds to the alarm or None, and its top tag."""

    trial: Trial
    seconds: float | None
    row: int = -1


def trials() -> list[Trial]:
    """Every fault on three pumps at full and at half depth, every sensor stuck."""
    process = ("cavitation", "bearing_wear", "blocked_discharge", "impeller_wear")
    return [
        *(Trial(k, s, p) for k in process for s in (1.0, 0.5) for p in (2, 9, 19)),
        *(Trial("stuck_sensor", 1.0, p, r) for r in ROLES for p in (5, 13)),
        *(Trial("drifting_sensor", s, 7, "flow") for s in (1.0, 0.5)),
    ]


def false_alarms(
    found: FeatureRows, score: F64, threshold: float, hours: float
) -> float:
    """Alarms per pump and week on healthy rows."""
    limits = Limits(threshold, on_delay=ON_DELAY)
    states = AlarmStates.fresh(PUMPS)
    judged = Rows(found.asset, found.at, score, found.valid)
    states, _, _ = advance(states, judged, limits)
    return float(states.number.sum()) / (hours * PUMPS) * 168.0


def sustained(found: FeatureRows, score: F64) -> F64:
    """Highest level each pump's score kept for the on-delay, at each row."""
    keep = round(ON_DELAY / NANOSECONDS) + 1
    highest = []
    for pump in range(PUMPS):
        own = score[found.asset == pump]
        windows = np.lib.stride_tricks.sliding_window_view(own, keep)
        highest.append(windows.min(axis=1))
    return np.concatenate(highest)


def run(
    trial: Trial, seed: int, score: Callable[[FeatureRows], F64], threshold: float
) -> tuple[Outcome, FeatureRows]:
    """Inject a fault and wait for the alarm."""

    def meddle(hall: Hall, step: int) -> None:
        if step == round(_BEGIN / PERIOD):
            hall.inject(trial.kind, trial.pump, trial.severity, role=trial.role)

    found = rows(Day(seed, _LENGTH / 3600.0), meddle)
    mine = found.take(np.flatnonzero(found.asset == trial.pump))
    limits = Limits(threshold, on_delay=ON_DELAY)
    judged = Rows(np.zeros(len(mine), np.int32), mine.at, score(mine), mine.valid)
    _, _, changes = advance(AlarmStates.fresh(1), judged, limits)
    began = EPOCH + round(_BEGIN * NANOSECONDS)
    for row in changes.row:
        if mine.at[row] >= began:
            waited = (int(mine.at[row]) - began) / NANOSECONDS
            return Outcome(trial, waited, int(row)), mine
    return Outcome(trial, None), mine


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each fault and depth: found of tried, median and worst seconds."""
    lines = []
    for name in dict.fromkeys(o.trial.name for o in outcomes):
        own = [o for o in outcomes if o.trial.name == name]
        seconds = sorted(o.seconds for o in own if o.seconds is not None)
        text = f"found {len(seconds)} of {len(own)}"
        if seconds:
            text += f", median {np.median(seconds):.0f} s, worst {seconds[-1]:.0f} s"
        lines.append(f"{name:38s} {text}")
    return lines
