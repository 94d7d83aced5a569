"""What is measured, as a table over measures and codes.

Where a measure is not defined, as nothing was bad or nothing alarmed, it is NaN with
the reason, never 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from math import isnan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.samples import F64


class Measure(StrEnum):
    """By the passport's names."""

    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    SPECIFICITY = "specificity"
    ACCURACY = "accuracy"
    FALSE_ALARMS = "false_alarms_per_week"
    MAE = "mae"
    RMSE = "rmse"
    CALIBRATION = "calibration_error"


class Basis(IntEnum):
    """Where a number comes from."""

    UNDEFINED = 0
    """There is none."""
    COUNTED = 1
    """From labels, as they came."""
    WEIGHTED = 2
    """From labels that came selectively, weighted for it."""
    REFUSED = 3
    """Labels came so selectively that it cannot be told."""
    ESTIMATED = 4
    """Without labels."""


MEASURES = tuple(Measure)
PLACE = {measure: place for place, measure in enumerate(MEASURES)}
LOWER_IS_BETTER = frozenset(
    {Measure.FALSE_ALARMS, Measure.MAE, Measure.RMSE, Measure.CALIBRATION}
)
WORDS = {
    Measure.F1: "F1",
    Measure.FALSE_ALARMS: "false alarms an asset and week",
    Measure.MAE: "mean absolute error",
    Measure.RMSE: "root mean square error",
    Measure.CALIBRATION: "calibration error",
}
"""As a technician reads them; the others read as they are called."""
UNDEFINED = {
    Measure.PRECISION: "no labelled row had an alarm",
    Measure.RECALL: "no label was bad",
    Measure.F1: "no label was bad and no labelled row had an alarm",
    Measure.SPECIFICITY: "no label was good",
    Measure.ACCURACY: "there is no label",
    Measure.FALSE_ALARMS: "no time was observed",
    Measure.MAE: "no label is a number",
    Measure.RMSE: "no label is a number",
    Measure.CALIBRATION: "no labelled row has a probability",
}
REFUSED = "too few rows without an alarm have a label"


class Figure(NamedTuple):
    """One measure of one code."""

    measure: Measure
    value: float
    low: float
    high: float
    rows: float
    evidence: float
    basis: Basis

    @property
    def reason(self) -> str:
        """Why there is no value; empty where there is one."""
        if not isnan(self.value):
            return ""
        return REFUSED if self.basis is Basis.REFUSED else UNDEFINED[self.measure]

    def sentence(self) -> str:
        """The value with its interval, or why there is none."""
        name = WORDS.get(self.measure, self.measure.value)
        if isnan(self.value):
            return f"{name} cannot be told: {self.reason}"
        how = {Basis.WEIGHTED: ", weighted", Basis.ESTIMATED: ", estimated"}
        said = f"{name} {self.value:.3g}{how.get(self.basis, '')}"
        if isnan(self.low):
            return said
        return f"{said} (95 %: {self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """All measures of k codes, in the order of `MEASURES`.

    Attributes:
        value, low, high: float64[measures, k], with the ends of the interval; NaN where
            not defined. The calibration error has no interval.
        rows: float64[measures, k], rows (alarms, for false alarms) it rests on.
        evidence: float64[measures, k], how many of them count as independent.
        basis: uint8[measures, k], `Basis`.
    """

    value: F64
    low: F64
    high: F64
    rows: F64
    evidence: F64
    basis: NDArray[np.uint8]

    def of(self, measure: Measure | str, code: int = 0) -> Figure:
        """One of them.

        Raises:
            ValueError: there is no such measure.
        """
        at = PLACE[Measure(measure)], code
        columns = (self.value, self.low, self.high, self.rows, self.evidence)
        value, low, high, rows, sure = (float(column[at]) for column in columns)
        basis = Basis(int(self.basis[at]))
        return Figure(Measure(measure), value, low, high, rows, sure, basis)

    @staticmethod
    def none(codes: int) -> Measures:
        """With nothing known."""
        shape = (len(MEASURES), codes)
        value, low, high = (np.full(shape, np.nan) for _ in range(3))
        basis = np.zeros(shape, np.uint8)
        return Measures(value, low, high, np.zeros(shape), np.zeros(shape), basis)

    def put(self, measure: Measure, **columns: NDArray[Any]) -> None:
        """Fill one in, while it is being made."""
        for name, column in columns.items():
            getattr(self, name)[PLACE[measure]] = column
