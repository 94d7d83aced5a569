"""Predictions with the label that came for them, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64

    Bools = NDArray[np.bool_]
    I8 = NDArray[np.int8]

UNKNOWN = -1
"""In columns of codes: there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """n predictions whose label is known.

    Attributes:
        score: float64[n], what the model said; the number itself where it predicts one.
        alarm: bool[n], what was judged then, with the threshold of then.
        threshold: float64[n], that threshold.
        bad: int8[n] 1 where the label says an alarm was, or would have been, right, 0
            where not, `UNKNOWN` for a label that is a number.
        value: float64[n], the label as a number, else NaN.
        probability: float64[n], the model's chance of bad, else NaN.
        predicted, found: int32[n] class of the model and of the label, `UNKNOWN` for a
            model without classes.
        asset, version, context: int32[n] codes.
        groups: int32[n, groups] codes, one column for each field that makes groups.
        at: int64[n] agent time of the prediction, ns.
        delay: float64[n] seconds until its label came.
        hours: float64[n] asset-hours a row stands for; 0 where time does not matter.
        label: int64[n], rows of one label (a stretch of time) have the same number:
            they are one piece of evidence. `UNKNOWN` for a row with a label of its own.
        stretch: int64[n], as ``label``, for rows with labels of their own that follow
            each other too fast to be independent; see `in_stretches`.
        episode: int64[n], rows of one alarm have the same number; `UNKNOWN` for none.
    """

    score: F64
    alarm: Bools
    threshold: F64
    bad: I8
    value: F64
    probability: F64
    predicted: I32
    found: I32
    asset: I32
    version: I32
    context: I32
    groups: I32
    at: I64
    delay: F64
    hours: F64
    label: I64
    stretch: I64
    episode: I64

    @staticmethod
    def of(
        score: F64,
        alarm: NDArray[Any],
        bad: NDArray[Any],
        **columns: NDArray[Any],
    ) -> Joined:
        """From the columns there are; the others say that nothing is known.

        Raises:
            ValueError: a column is not as long as the others.
            TypeError: a column that is not known.
        """
        n = len(score)
        known = {
            "score": np.asarray(score, np.float64),
            "alarm": np.asarray(alarm, bool),
            "bad": np.asarray(bad, np.int8),
        }
        for name, (kind, empty) in _OTHERS.items():
            given = columns.pop(name, None)
            known[name] = (
                np.full(n, empty, kind) if given is None else given.astype(kind)
            )
        groups = columns.pop("groups", np.zeros((n, 0), np.int32))
        if columns:
            raise TypeError(f"no such column: {', '.join(columns)}")
        found = Joined(**known, groups=groups.astype(np.int32))
        for name in _NAMES:
            if len(getattr(found, name)) != n:
                raise ValueError(f"{name} is not as long as score")
        return found

    def __len__(self) -> int:
        """Count rows."""
        return len(self.score)

    def take(self, which: NDArray[Any]) -> Joined:
        """Some rows, by position or by a mask."""
        return Joined(**{name: getattr(self, name)[which] for name in _NAMES})

    def since(self, at: int) -> Joined:
        """Predictions not older than an agent time in ns: the rolling window."""
        return self.take(self.at >= at)

    def in_stretches(self, seconds: float) -> Joined:
        """Rows of an asset within so long count as one piece of evidence.

        For rows by time, not for parts: the error of a minute ago says what the error
        of now will be. Take a shift or a day.
        """
        length = max(int(seconds * NANOSECONDS), 1)
        number = self.at // length
        number -= number.min() if len(number) else 0
        assets = int(self.asset.max()) + 1 if len(number) else 1
        return replace(self, stretch=number * assets + self.asset)

    @property
    def piece(self) -> I64:
        """int64[n], rows with the same number depend on each other."""
        return np.where(self.stretch == UNKNOWN, self.label, self.stretch)

    @property
    def right(self) -> Bools:
        """bool[n], the class is the label's; without classes, the verdict is."""
        verdict: Bools = self.alarm == (self.bad == 1)
        classed = (self.predicted != UNKNOWN) & (self.found != UNKNOWN)
        if not classed.any():
            return verdict
        return np.where(classed, self.predicted == self.found, verdict)


_OTHERS: dict[str, tuple[type[np.generic], float]] = {
    "threshold": (np.float64, np.nan),
    "value": (np.float64, np.nan),
    "probability": (np.float64, np.nan),
    "predicted": (np.int32, UNKNOWN),
    "found": (np.int32, UNKNOWN),
    "asset": (np.int32, 0),
    "version": (np.int32, 0),
    "context": (np.int32, 0),
    "at": (np.int64, 0),
    "delay": (np.float64, np.nan),
    "hours": (np.float64, 0.0),
    "label": (np.int64, UNKNOWN),
    "stretch": (np.int64, UNKNOWN),
    "episode": (np.int64, UNKNOWN),
}
_NAMES = tuple(field.name for field in fields(Joined))
