"""How right a model is, without labels: from its own, true chances. Always an estimate.

Confidence-based performance estimation, as NannyML's CBPE: a row with an alarm and a
chance of bad p is p of a true alarm and 1 - p of a false one; a row without is p of a
missed and 1 - p of a calm one. Sums of these are the confusion matrix to expect, and
the measures follow from it.

It sees what inputs do to the chances, and nothing else: if what the chances mean has
changed, the estimate does not know. `unusable` says when it may not be told.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.intervals import CONFIDENCE
from edge_agent.monitoring.accuracy.measures import Basis, Measure, Measures
from edge_agent.monitoring.accuracy.tails import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_agent.monitoring.accuracy.calibrating import Calibrator
    from edge_agent.monitoring.accuracy.joined import Bools
    from edge_agent.samples import F64, I32

#: Calibration error beyond what chance gives that an estimate stands.
TOLERATED = 0.05
FEW = 100
"""Rows below which nothing is estimated."""


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Sums over rows without labels, by k codes: without and with an alarm.

    Attributes:
        rows: float64[k, 2].
        bad: float64[k, 2], sum of the chances p.
        spread: float64[k, 2], sum of p (1 - p).
        right: float64[k, 2], mean and spread of rows whose class is right, summed.
    """

    rows: F64
    bad: F64
    spread: F64
    right: F64

    @staticmethod
    def none(codes: int) -> Expected:
        """Of no rows."""
        return Expected(*(np.zeros((codes, 2)) for _ in range(4)))

    def plus(self, other: Expected) -> Expected:
        """Both together."""
        return Expected(*(getattr(self, n) + getattr(other, n) for n in _NAMES))

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """For a checkpoint."""
        return {name: getattr(self, name) for name in _NAMES}

    @staticmethod
    def restored(arrays: Mapping[str, NDArray[np.generic]], codes: int) -> Expected:
        """From a checkpoint.

        Raises:
            ValueError: the arrays are not those of so many codes.
            KeyError: one is missing.
        """
        given = [np.asarray(arrays[name], np.float64) for name in _NAMES]
        if any(array.shape != (codes, 2) for array in given):
            raise ValueError(f"expected sums are not those of {codes} codes")
        return Expected(*given)


_NAMES = tuple(field.name for field in fields(Expected))


def expected(
    chance: F64, alarm: Bools, code: I32, codes: int, right: F64 | None = None
) -> Expected:
    """Sum rows of a turn.

    Args:
        chance: float64[n] true chance of bad, from a `Calibrator`; NaN is not counted.
        alarm: bool[n].
        code: int32[n] below ``codes``; -1 is not counted.
        codes: how many there are.
        right: float64[n] true chance that the likeliest class is right, for a model of
            several classes; default: that the verdict is.
    """
    known = np.isfinite(chance) & (code >= 0)
    if not known.all():
        chance, alarm, code = chance[known], alarm[known], code[known]
        right = None if right is None else right[known]
    if right is None:
        right = np.where(alarm, chance, 1 - chance)
    place, many = code * np.int64(2) + alarm, 2 * codes
    columns = [
        np.bincount(place, w, many) for w in (None, chance, chance * (1 - chance))
    ]
    rows, bad, spread = (column.reshape(codes, 2).astype(float) for column in columns)
    both = [np.bincount(code, w, codes) for w in (right, right * (1 - right))]
    return Expected(rows, bad, spread, np.stack(both, axis=1))


def estimated(
    sums: Expected, confidence: float = CONFIDENCE, alike: float = 1.0
) -> Measures:
    """Precision, recall, F1, specificity and accuracy to expect, marked as estimates.

    The interval is that of chance in what the labels would be, given true chances; it
    knows nothing of an error in the chances themselves.

    Args:
        sums: from `expected`.
        confidence: of the intervals.
        alike: rows in a row that would get the same label; 1 for parts.
    """
    found = Measures.none(len(sums.rows))
    z = normal_quantile((1 + confidence) / 2) * np.sqrt(alike)
    calm, alarms = sums.rows.T
    missed, hit = sums.bad.T
    kept, false = calm - missed, alarms - hit
    spread_calm, spread_alarm = sums.spread.T
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = 2 * hit + false + missed
        of = {
            Measure.PRECISION: (hit / alarms, spread_alarm / alarms**2),
            Measure.RECALL: _part(hit, missed, spread_alarm, spread_calm),
            Measure.SPECIFICITY: _part(kept, false, spread_calm, spread_alarm),
            Measure.F1: (
                2 * hit / whole,
                (
                    (2 * (alarms + missed)) ** 2 * spread_alarm
                    + (2 * hit) ** 2 * spread_calm
                )
                / whole**4,
            ),
            Measure.ACCURACY: (
                sums.right[:, 0] / (calm + alarms),
                sums.right[:, 1] / (calm + alarms) ** 2,
            ),
        }
    enough = calm + alarms >= FEW
    for measure, (value, variance) in of.items():
        value = np.where(enough, value, np.nan)  # noqa: PLW2901
        away = z * np.sqrt(np.maximum(variance, 0.0))
        low, high = np.clip(value - away, 0.0, 1.0), np.clip(value + away, 0.0, 1.0)
        basis = np.where(np.isnan(value), Basis.UNDEFINED, Basis.ESTIMATED)
        rows = {"rows": calm + alarms, "evidence": (calm + alarms) / alike}
        found.put(measure, value=value, low=low, high=high, basis=basis, **rows)
    return found


def unusable(calibrator: Calibrator, *, drifted: bool = False) -> str:
    """Why an estimate may not be told; empty where it may.

    Args:
        calibrator: of the model's chances.
        drifted: whether a finding of drift, in inputs or scores, is open.
    """
    if not calibrator.labels:
        return (
            "no estimate: the model's chances were never held against labels; "
            "publish it with labelled rows, or wait for labels"
        )
    if calibrator.error > TOLERATED + calibrator.noise:
        return (
            f"no estimate: the model's chances are off by {calibrator.error:.2g} on "
            f"average, {TOLERATED:g} is allowed; it has to be calibrated"
        )
    if drifted:
        return (
            "no estimate: the data has drifted from what the model's chances were held "
            "against; only labels can tell now"
        )
    return ""


def _part(part: F64, rest: F64, spread: F64, other: F64) -> tuple[F64, F64]:
    """``part / (part + rest)`` and its variance, of two sums that do not depend."""
    whole = part + rest
    return part / whole, (rest**2 * spread + part**2 * other) / whole**4
