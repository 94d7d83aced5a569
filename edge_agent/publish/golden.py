"""Golden rows: few, telling, and none of them a row of the plant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.golden import GoldenRows
from edge_agent.errors import ModelRejected
from edge_agent.publish.converted import told_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_agent.publish.converted import Converted
    from edge_agent.publish.description import Description
    from edge_agent.publish.rows import Rows
    from edge_agent.samples import F64
    from edge_agent.scores import Scores
    from edge_agent.scoring import OnnxScorer

    F32 = NDArray[np.float32]

_CALM = 16
_ODD = 32
_LEAST = 4


def golden_rows(values: F32, score: F64) -> F32:
    """Averages of rows that scored alike, and an average row with one feature moved.

    Args:
        values: float32[n, features], training rows without missing numbers.
        score: float64[n] of them.
    """
    order = np.argsort(score, kind="stable")
    blocks = np.array_split(order, min(_CALM, len(order)))
    calm = np.array([values[block].mean(axis=0, dtype=np.float64) for block in blocks])
    middle = np.median(values.astype(np.float64), axis=0)
    low, high = values.min(axis=0), values.max(axis=0)
    chosen = np.linspace(0, values.shape[1] - 1, min(_ODD, values.shape[1])).astype(int)
    odd = np.repeat(middle[None], len(chosen), axis=0)
    for row, feature in enumerate(chosen):
        end = high if row % 2 else low
        # twice as far as training went, so that it is no row that was ever seen
        odd[row, feature] += 2.0 * (float(end[feature]) - middle[feature])
    return np.ascontiguousarray(np.concatenate([calm, odd]), np.float32)


def golden_of(
    converted: Converted,
    scorer: OnnxScorer,
    training: Rows,
    learned: Scores,
    told: Description,
) -> tuple[GoldenRows, float]:
    """Golden rows, and the absolute tolerance they need."""
    inputs = golden_rows(training.values[training.whole], learned.score)
    given = scorer.score(inputs)
    names = [
        name
        for name in ("score", "contributions", "probabilities")
        if getattr(given, name) is not None
    ]
    found = {name: np.asarray(getattr(given, name), np.float64) for name in names}
    if converted.truth is None:
        return GoldenRows(inputs, found), _tolerance(found, found)
    truth = told_by(converted.truth, inputs)
    same = np.ones(len(inputs), bool)
    for name, expected in truth.items():
        scale = max(float(np.abs(expected).max()), 1.0)
        near = np.isclose(found[name], expected, rtol=told.rtol, atol=told.atol * scale)
        same &= near.reshape(len(inputs), -1).all(axis=1)
    # a row that falls to another leaf in float32 proves nothing about a gateway
    if same.sum() < min(_LEAST, len(inputs)):
        raise ModelRejected("hardly a golden row gives what the source gives")
    kept = {name: values[same] for name, values in truth.items()}
    mine = {name: found[name][same] for name in truth}
    return GoldenRows(inputs[same], kept), _tolerance(kept, mine)


def _tolerance(source: Mapping[str, F64], graph: Mapping[str, F64]) -> float:
    """Ten times what was seen here, for a gateway's other arithmetic."""
    seen = max(float(np.abs(source[n] - graph[n]).max(initial=0.0)) for n in source)
    return float(f"{min(max(10.0 * seen, 1e-6), 0.01):.1g}")
