"""What a model says of rows: scores, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.records import NoScore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64, U8

    F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """Verdicts on n rows.

    Attributes:
        score: float64[n]; NaN where there is none.
        no_score: uint8[n], `NoScore`: why there is none.
        contributions: float32[n, features], each feature's part of the score, zero
            where unknown; None when the model does not tell.
        probabilities: float64[n, classes], NaN where unknown; None for a model without
            classes.
        classes: their names.
        error: what the runtime said when the call failed, else empty.
    """

    score: F64
    no_score: U8
    contributions: F32 | None = None
    probabilities: F64 | None = None
    classes: tuple[str, ...] = ()
    error: str = ""

    def labels(self) -> I32:
        """int32[n] position of the likeliest class, -1 for none."""
        table = self.probabilities
        if table is None:
            return np.full(len(self.score), -1, np.int32)
        known = np.isfinite(table.sum(axis=1))
        best = np.argmax(np.where(known[:, None], table, 0.0), axis=1)
        return np.where(known, best, -1).astype(np.int32)

    def named(self, rows: I64) -> tuple[str, ...]:
        """The likeliest class of some rows, empty where there is no score."""
        if not self.classes:
            return ()
        label = np.where(self.no_score == NoScore.NONE, self.labels(), -1)[rows]
        return tuple(self.classes[i] if i >= 0 else "" for i in label.tolist())


class NoModel:
    """Stands in for a model that is missing: every row has no score, and says why."""

    def score(self, values: F32) -> Scores:
        """No score for any row."""
        rows = len(values)
        why = np.full(rows, NoScore.MODEL_MISSING, np.uint8)
        return Scores(np.full(rows, np.nan), why)
