"""Plain stand-ins for what other parts of monitoring say to the diagnosis.

They hold the latest minutes against the hours before; the agent's own drift and
accuracy have better ones. Here they only have to be there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.demo.equipment import ROLES
from edge_agent.monitoring.conditions import Condition, What
from models.pump_hall import PUMP, PUMPS

if TYPE_CHECKING:
    from edge_agent.samples import F64

_SHORT, _LONG = 12, 30
"""Looks: two minutes of scores, five minutes of inputs and labels."""
_SIGMA, _SIGMA_OF_ALL = 6.0, 5.0
_REQUIRED = 0.9


@dataclass(slots=True)
class Latest:
    """A mean of the latest numbers, and how it used to spread."""

    looks: int
    kept: deque[F64] = field(default_factory=deque)
    past: list[F64] = field(default_factory=list)

    def add(self, value: F64, *, learn: bool) -> F64:
        """Deviations of the mean from its past, NaN before there is one."""
        self.kept.append(value)
        if len(self.kept) > self.looks:
            self.kept.popleft()
        mean: F64 = np.mean(self.kept, axis=0)
        if learn:
            if len(self.kept) == self.looks:
                self.past.append(mean)
            return np.full_like(mean, np.nan)
        past = np.array(self.past)
        spread = past.std(axis=0)
        floor = np.median(spread) if spread.shape == (PUMPS,) else 0.0
        deviations: F64 = (mean - past.mean(axis=0)) / np.maximum(spread, floor)
        return deviations


@dataclass(slots=True)
class StandIns:
    """Scores, inputs and labels of the hall, and what is odd about them."""

    score: Latest = field(default_factory=lambda: Latest(_SHORT))
    pooled: Latest = field(default_factory=lambda: Latest(_SHORT))
    inputs: Latest = field(default_factory=lambda: Latest(_LONG))
    right: deque[float] = field(default_factory=deque)

    def look(
        self, score: F64, values: F64, right: float, *, learn: bool = False
    ) -> list[Condition]:
        """What is odd now.

        Args:
            score: float64[pumps].
            values: float64[pumps, features].
            right: share of the look's labels that agree with the model.
            learn: whether this is the past.
        """
        scores = self.score.add(np.log(score), learn=learn)
        pooled = self.pooled.add(np.median(np.log(score), keepdims=True), learn=learn)
        inputs = self.inputs.add(np.median(values, axis=0), learn=learn)
        self.right.append(right)
        if len(self.right) > _LONG:
            self.right.popleft()
        if learn:
            return []
        found = _scores(scores, float(pooled[0]))
        for place in np.flatnonzero(np.abs(inputs[: len(ROLES)]) > _SIGMA_OF_ALL):
            name, off = f"{ROLES[place]}.mean", abs(float(inputs[place]))
            text = f"{name} of all assets has drifted by {off:.0f} deviations."
            found.append(
                Condition(What.INPUT_DRIFT, off / _SIGMA_OF_ALL, text, "", tag=name)
            )
        return found + self._accuracy()

    def _accuracy(self) -> list[Condition]:
        n = len(self.right) * PUMPS
        share = float(np.mean(self.right))
        # the upper end of the interval must miss the requirement, too
        upper = share + 2.6 * np.sqrt(max(share * (1 - share), 1e-4) / n)
        if upper >= _REQUIRED:
            return []
        text = f"Accuracy {share:.2f} is below the required {_REQUIRED}."
        return [Condition(What.ACCURACY, _REQUIRED / share, text, "")]


def _scores(off: F64, pooled: float) -> list[Condition]:
    if abs(pooled) > _SIGMA_OF_ALL:
        text = f"Scores of all assets are off by {abs(pooled):.0f} deviations."
        strength = abs(pooled) / _SIGMA_OF_ALL
        return [Condition(What.SCORE_DRIFT, strength, text, "", tag="score")]
    return [
        Condition(
            What.SCORE_DRIFT,
            float(abs(off[pump])) / _SIGMA,
            f"Score of {PUMP.assets[pump]} is off by {abs(off[pump]):.0f} deviations.",
            "",
            PUMP.assets[pump],
            "score",
        )
        for pump in np.flatnonzero(np.abs(off) > _SIGMA)
    ]
