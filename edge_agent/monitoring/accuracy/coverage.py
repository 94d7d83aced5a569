"""Which predictions got a label, how late, and what can be told of labels that came so.

Where people look only at what alarmed, labels are selective. Precision does not mind;
recall and specificity do (verification bias): of what was missed nobody knows. Where
one kind of row, with or without an alarm, is labelled more than `UNEVEN` times as often
as the other:

- with fewer than `FEW` pieces of evidence without an alarm, what needs them is refused;
- else shares are weighted by how many rows there were of each kind (Begg and Greenes
  1983), which is right if those labelled were picked at random; mean errors, which
  cannot be, are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.counting import Part
from edge_agent.monitoring.accuracy.intervals import CONFIDENCE
from edge_agent.monitoring.accuracy.measures import PLACE, Basis, Measure
from edge_agent.monitoring.accuracy.measuring import measured, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.monitoring.accuracy.counting import Sums
    from edge_agent.monitoring.accuracy.joined import Joined
    from edge_agent.monitoring.accuracy.measures import Measures
    from edge_agent.samples import F64, I32, I64

FEW = 30.0
UNEVEN = 2.0
DRAWS = 2000
_SEED = 20_240_229
ACTION = "Have some parts or hours without an alarm inspected too, picked at random."
NEED_CALM = (
    *(Measure.RECALL, Measure.F1, Measure.SPECIFICITY, Measure.ACCURACY),
    *(Measure.MAE, Measure.RMSE, Measure.CALIBRATION),
)
"""Measures that rows without an alarm belong to."""
_WEIGHTED = NEED_CALM[:4]
_DAY, _HOUR, _MINUTE = 86_400.0, 3_600.0, 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Of k codes.

    Attributes:
        made: int64[k, 2] predictions old enough for a label: without and with an alarm.
        labelled: float64[k, 2], those that have one.
        delay, late: float64[k] seconds until a label came: median, 95 of 100; NaN
            without any.
    """

    made: I64
    labelled: F64
    delay: F64
    late: F64

    @property
    def shares(self) -> F64:
        """float64[k, 2] labelled, without and with an alarm; NaN of none."""
        some = np.where(self.made > 0, self.made, np.nan)
        found: F64 = np.minimum(self.labelled / some, 1.0)
        return found

    @property
    def share(self) -> F64:
        """float64[k] labelled of all."""
        made = self.made.sum(axis=1)
        whole = np.where(made > 0, made, np.nan)
        found: F64 = np.minimum(self.labelled.sum(axis=1) / whole, 1.0)
        return found

    def sentence(self, code: int = 0) -> str:
        """How many have a label, and how late it came."""
        calm, alarms = (_share(*pair) for pair in self._pairs(code))
        said = f"Labels came for {alarms} alarms and {calm} rows without one"
        if np.isnan(self.delay[code]):
            return f"{said}."
        late = f"95 of 100 within {_time(self.late[code])}"
        return f"{said}, half of them within {_time(self.delay[code])}, {late}."

    def _pairs(self, code: int) -> list[tuple[float, float]]:
        return list(zip(self.labelled[code], self.made[code], strict=True))


def covered(
    rows: Joined, code: I32, sums: Sums, made: I64, *, numbers: bool = False
) -> Coverage:
    """Labels that came, against predictions made.

    Args:
        rows: labelled ones.
        code: int32[n] of each.
        sums: of these rows.
        made: int64[k, 2] predictions that a label could have come for by now: without
            and with an alarm. Leave out the newest, those younger than ``late``.
        numbers: labels are numbers, and not good or bad.
    """
    alarms = sums.part(Part.TP) + sums.part(Part.FP)
    calm = sums.part(Part.FN) + sums.part(Part.TN)
    if numbers:
        known = code >= 0
        place = code[known] * 2 + rows.alarm[known]
        counts = np.bincount(place, minlength=2 * len(sums)).reshape(-1, 2)
        calm, alarms = counts[:, 0].astype(float), counts[:, 1].astype(float)
    delay, late = _delays(rows, code, len(sums))
    return Coverage(made, np.stack([calm, alarms], axis=1), delay, late)


def corrected(
    sums: Sums, coverage: Coverage, confidence: float = CONFIDENCE
) -> Measures:
    """All measures by code, weighted or refused where labels came selectively."""
    found = measured(sums, confidence)
    few, uneven = _selective(sums, coverage)
    if not (few | uneven).any():
        return found
    weighted = _weighted(sums, coverage, confidence)
    unknown = np.full(len(sums), np.nan)
    for measure in NEED_CALM:
        changed = few if measure is Measure.CALIBRATION else few | uneven
        ends = weighted.get(measure, (unknown, unknown, unknown))
        for name, column in zip(("value", "low", "high"), ends, strict=True):
            there = getattr(found, name)[PLACE[measure]]
            given = np.where(few, np.nan, column)
            found.put(measure, **{name: np.where(changed, given, there)})
        lacking = np.isnan(found.value[PLACE[measure]])
        refused = few if measure in weighted else changed
        basis = np.where(lacking, Basis.UNDEFINED, Basis.WEIGHTED)
        basis = np.where(refused, Basis.REFUSED, basis)
        before = found.basis[PLACE[measure]]
        found.put(measure, basis=np.where(changed, basis, before))
    return found


def _selective(
    sums: Sums, coverage: Coverage
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Codes of which hardly a calm row is labelled, and those labelled unevenly."""
    _, calm = share(sums, (Part.FN,), (Part.FN, Part.TN))
    numbers = sums.part(Part.NUMBERS)
    calm = np.where(numbers > 0, coverage.labelled[:, 0], calm)
    shares = coverage.shares
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = shares[:, 1] / shares[:, 0]
    uneven = (ratio > UNEVEN) | (ratio < 1 / UNEVEN)
    few = (coverage.made[:, 0] > 0) & (calm < FEW) & (ratio > UNEVEN)
    few |= (coverage.made[:, 0] > 0) & (coverage.labelled[:, 0] == 0)
    return few, uneven & ~few


def _weighted(
    sums: Sums, coverage: Coverage, confidence: float
) -> dict[Measure, tuple[F64, F64, F64]]:
    """Value and ends: shares of each kind of row, put together as there were of them.

    The ends are those of draws from what is known of both shares (Jeffreys) and of how
    many rows there are of each kind.
    """
    right, alarms = share(sums, (Part.TP,), (Part.TP, Part.FP))
    missed, calm = share(sums, (Part.FN,), (Part.FN, Part.TN))
    values = _put_together(right, missed, coverage.made.astype(np.float64))
    random = np.random.default_rng(_SEED)
    size = (DRAWS, len(sums))
    shares = [
        random.beta(np.nan_to_num(p) * n + 0.5, np.nan_to_num(1 - p) * n + 0.5, size)
        for p, n in ((right, alarms), (missed, calm))
    ]
    # how many rows alarmed is chance, too: as much as their labels are independent
    whole = np.maximum(coverage.labelled, 1.0)
    sure = np.maximum(coverage.made * np.stack([calm, alarms], axis=1) / whole, 0.5)
    made = coverage.made * random.gamma(sure, 1.0 / sure, (DRAWS, *sure.shape))
    drawn = _put_together(shares[0], shares[1], made)
    tail = (1 - confidence) / 2
    found = {}
    for measure in _WEIGHTED:
        low, high = np.quantile(drawn[measure], (tail, 1 - tail), axis=0)
        value = values[measure]
        nothing = np.where(np.isnan(value), np.nan, 0.0)
        found[measure] = (value, low + nothing, high + nothing)
    hits = sums.part(Part.TP) + sums.part(Part.TN)
    if (sums.part(Part.RIGHT) != hits).any():
        # a class can be wrong where the verdict is right: kinds of rows do not tell
        del found[Measure.ACCURACY]
    return found


def _put_together(right: F64, missed: F64, made: F64) -> dict[Measure, F64]:
    """From the share of alarms that are right, and of calm rows that are bad."""
    calm, alarms = made[..., 0], made[..., 1]
    hit, false = alarms * right, alarms * (1 - right)
    lost, kept = calm * missed, calm * (1 - missed)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            Measure.RECALL: hit / (hit + lost),
            Measure.F1: 2 * hit / (2 * hit + false + lost),
            Measure.SPECIFICITY: kept / (kept + false),
            Measure.ACCURACY: (hit + kept) / (hit + kept + false + lost),
        }


def _delays(rows: Joined, code: I32, codes: int) -> tuple[F64, F64]:
    """float64[codes] median and 95 of 100, in seconds."""
    found = np.full((2, codes), np.nan)
    known = np.isfinite(rows.delay) & (code >= 0)
    delay, code = rows.delay[known], code[known]
    order = code.astype(np.uint16).argsort(kind="stable")
    ends = np.cumsum(np.bincount(code, minlength=codes))[:-1]
    for place, own in enumerate(np.split(delay[order], ends)):
        if len(own):
            found[:, place] = np.quantile(own, (0.5, 0.95))
    return found[0], found[1]


def _share(part: float, whole: float) -> str:
    if not whole:
        return "none of 0"
    share = min(part / whole, 1.0)
    digits = 0 if share in {0.0, 1.0} or share >= 0.1 else 2  # noqa: PLR2004
    return f"{100 * share:.{digits}f} % of {int(whole):,}"


def _time(seconds: float) -> str:
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
