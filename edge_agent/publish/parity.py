"""The exported graph against the model it was made from, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.samples import F64
    from edge_agent.scores import Scores


@dataclass(frozen=True, slots=True)
class Parity:
    """How near graph and source are.

    Attributes:
        rows: compared.
        largest: largest difference of any output.
        relative: the same, relative to the source's number (of those that are not
            tiny).
        off: rows that are further off than the tolerance.
        allowed: share of rows that may be.
        labels: rows whose likeliest class is another.
        alarms: rows that are above the threshold for one and not for the other.
        rtol, atol: the tolerance.
    """

    rows: int
    largest: float
    relative: float
    off: int
    allowed: float
    labels: int
    alarms: int
    rtol: float
    atol: float

    @property
    def holds(self) -> bool:
        """Whether the graph may stand for its source."""
        return self.off <= self.allowed * self.rows

    def sentence(self) -> str:
        """For the card, and for whoever must mend it."""
        said = (
            f"On {self.rows} rows the graph differs from its source by at most "
            f"{self.largest:.2g} ({self.relative:.2g} relative); {self.labels} labels "
            f"and {self.alarms} verdicts at the threshold differ."
        )
        if self.off:
            said += (
                f" {self.off} rows are further off than the tolerance (relative "
                f"{self.rtol:g}, absolute {self.atol:.2g})."
            )
        if self.allowed:
            said += (
                f" {self.allowed:.2%} may be: where a step before the trees computes "
                "in float32, a reading within a rounding of a threshold falls to the "
                "other side."
            )
        return said


def compared(
    source: Mapping[str, F64],
    graph: Scores,
    *,
    rtol: float,
    atol: float,
    allowed: float = 0.0,
    threshold: float = np.inf,
) -> Parity:
    """Compare outputs of the same rows.

    Args:
        source: ``score``, and what else the source tells.
        graph: what the gateway's scorer makes of them.
        rtol: allowed relative difference.
        atol: allowed absolute difference, as a share of an output's largest number.
        allowed: share of rows that may be further off.
        threshold: of the alarm, to count verdicts that differ.

    Raises:
        ModelRejected: the graph failed, or gives another shape.
    """
    if graph.error:
        raise ModelRejected(f"the exported graph does not run: {graph.error}")
    rows = len(source["score"])
    off, largest, relative, scale = np.zeros(rows, bool), 0.0, 0.0, 1.0
    for name, expected in source.items():
        found = getattr(graph, name)
        if found is None or found.shape != expected.shape:
            raise ModelRejected(
                f"the exported graph gives {name} of shape "
                f"{None if found is None else list(found.shape)}, its source "
                f"{list(expected.shape)}"
            )
        scale = max(float(np.abs(expected).max(initial=0.0)), 1.0)
        apart = np.abs(found - expected)
        apart = np.where(np.isfinite(apart), apart, np.inf)
        sized = np.abs(expected) > 1e-3 * scale
        shares = apart[sized] / np.abs(expected[sized])
        largest = max(largest, float(apart.max(initial=0.0)))
        relative = max(relative, float(shares.max(initial=0.0)))
        beyond = apart > atol * scale + rtol * np.abs(expected)
        off |= beyond if beyond.ndim == 1 else beyond.any(axis=1)
    return Parity(
        rows=rows,
        largest=largest,
        relative=relative,
        off=int(off.sum()),
        allowed=allowed,
        labels=_other_labels(source.get("probabilities"), graph),
        alarms=int(((source["score"] > threshold) != (graph.score > threshold)).sum()),
        rtol=rtol,
        atol=atol * scale,
    )


def _other_labels(table: F64 | None, graph: Scores) -> int:
    if table is None:
        return 0
    return int((table.argmax(axis=1) != graph.labels()).sum())
