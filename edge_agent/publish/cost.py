"""What a model costs a gateway, measured where it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.clock import Clock
    from edge_agent.scoring import OnnxScorer

MANY = 1024
_RUNS = 15


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one graph.

    Attributes:
        size: bytes of the ONNX file.
        single: microseconds of a run with one row.
        many: microseconds a row in a run of `MANY`.
    """

    size: int
    single: float
    many: float

    def sentence(self) -> str:
        """For the card."""
        return (
            f"{self.size / 1000:.0f} kB; here one row takes {self.single:.0f} us, "
            f"a row among {MANY} {self.many:.2g} us, on one thread."
        )


@dataclass(frozen=True, slots=True)
class Gain:
    """A compiled graph beside the one the usual converter writes, in one run.

    Attributes:
        plain, compiled: what they cost.
        apart: largest difference of their scores.
    """

    plain: Cost
    compiled: Cost
    apart: float

    def sentence(self) -> str:
        """For the card."""
        single = self.plain.single / self.compiled.single
        many = self.plain.many / self.compiled.many
        return (
            f"The usual conversion takes {self.plain.single:.0f} us for one row and "
            f"{self.plain.many:.2g} us a row among {MANY}; the compiled graph is "
            f"{single:.0f} and {many:.1f} times as fast, its scores differ by at most "
            f"{self.apart:.1g}."
        )


def measured(
    size: int, scorer: OnnxScorer, rows: NDArray[np.float32], clock: Clock
) -> Cost:
    """Median time of some runs, as the gateway makes them.

    Args:
        size: bytes of the ONNX file.
        scorer: of the graph.
        rows: float32[n, features]; repeated to `MANY`.
        clock: to time with.
    """
    whole = np.resize(rows, (MANY, rows.shape[1]))
    return Cost(
        size=size,
        single=_median(scorer, whole[:1], clock),
        many=_median(scorer, whole, clock) / MANY,
    )


def _median(scorer: OnnxScorer, rows: NDArray[np.float32], clock: Clock) -> float:
    scorer.score(rows)
    times = []
    for _ in range(_RUNS):
        begun = clock.now()
        scorer.score(rows)
        times.append(clock.now() - begun)
    return float(np.median(times)) / 1000.0
