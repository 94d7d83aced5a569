"""How right each version is, and whether its promise is kept. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.monitoring.accuracy.counting import Part, Sums, summed
from edge_agent.monitoring.accuracy.coverage import Coverage, corrected, covered
from edge_agent.monitoring.accuracy.measures import (
    LOWER_IS_BETTER,
    MEASURES,
    Basis,
    Measure,
    Measures,
)
from edge_agent.monitoring.accuracy.measuring import measured
from edge_agent.monitoring.accuracy.requirement import Held, Standing, held
from edge_agent.monitoring.sensors.words import lasting

if TYPE_CHECKING:
    from edge_agent.evaluation.active import Active
    from edge_agent.evaluation.rows import Converted
    from edge_agent.monitoring.accuracy.measures import Figure
    from edge_agent.monitoring.accuracy.requirement import Requirement
    from edge_agent.samples import I64

#: Versions, days and contexts that are shown.
VERSIONS, DAYS, CONTEXTS = 10, 30, 50
_DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Told:
    """Of k codes: versions, or contexts.

    Attributes:
        sums: of their labelled rows.
        coverage: which rows have a label.
        measures: corrected for it.
        labels: int64[k]; one for many rows counts once.
    """

    sums: Sums
    coverage: Coverage
    measures: Measures
    labels: I64


def by_version(found: Converted, active: Active) -> Told:
    """Sums and measures of each version."""
    made = found.made.sum(axis=1)
    return _told(found, active, found.rows.version, made)


def by_context(found: Converted, active: Active) -> Told:
    """Of the version that scores, by context."""
    code = np.where(found.rows.version == found.active, found.rows.context, -1)
    return _told(found, active, code.astype(np.int32), found.made[found.active, :-1])


def _told(found: Converted, active: Active, code: Any, made: I64) -> Told:  # noqa: ANN401
    codes, wanted = len(made), active.requirement
    hours = made.sum(axis=1) * found.hours
    sums = summed(found.rows, code, codes, hours)
    numbers = wanted is not None and wanted.metric == "mae"
    coverage = covered(found.rows, code, sums, made, numbers=numbers)
    return Told(sums, coverage, corrected(sums, coverage), sums.labels)


def holds(found: Converted, told: Told, active: Active) -> Held | None:
    """The version that scores against its passport; None for no promise or no rows."""
    if active.requirement is None or found.active < 0:
        return None
    labels = int(told.labels[found.active])
    return held(active.requirement, told.measures, labels, found.active)


def still_breached(found: Converted, active: Active, since: int) -> Held | None:
    """The same by predictions made after an agent time in ns alone."""
    if active.requirement is None or found.active < 0:
        return None
    newer = replace(found, rows=found.rows.since(since + 1))
    return holds(newer, by_version(newer, active), active)


def entries(
    pipeline: str, found: Converted, told: Told, active: Active, verdict: Held | None
) -> list[dict[str, Any]]:
    """A document of each version that has labels: the one that scores comes first."""
    order = [c for c in range(len(found.versions)) if told.sums.labels[c]]
    order = sorted(order[-VERSIONS:], key=lambda c: c != found.active)
    return [
        _entry(pipeline, found, told, code, active, verdict)
        if code == found.active
        else _entry(pipeline, found, told, code, None, None)
        for code in order
    ]


def _entry(
    pipeline: str,
    found: Converted,
    told: Told,
    code: int,
    active: Active | None,
    verdict: Held | None,
) -> dict[str, Any]:
    version, digest = found.versions[code]
    promise = active.requirement if active is not None else None
    parts = (Part.TP, Part.FP, Part.FN, Part.TN)
    cells = [int(told.sums.total[code, part]) for part in parts]
    shown = Measure(promise.metric) if promise else Measure.ACCURACY
    return {
        "pipeline": pipeline,
        "version": version,
        "digest": digest,
        "scores": active is not None,
        "requirement": required(promise),
        "state": str(verdict.standing) if verdict else "no requirement",
        "sentence": verdict.sentence if verdict else "",
        "labels": int(told.labels[code]),
        "coverage": _number(float(told.coverage.share[code])),
        "delay": delay(told.coverage, code),
        "measures": figures(told.measures, code),
        "confusion": cells if sum(cells) else None,
        "days": _days(found, code, shown),
        "days_of": shown.value,
        "level": promise.level if promise else None,
    }


def required(promise: Requirement | None) -> str:
    """A requirement as it is said."""
    if promise is None:
        return ""
    lower = Measure(promise.metric) in LOWER_IS_BETTER
    bound = "at most" if lower else "at least"
    return f"{promise.metric} {bound} {promise.level:g} on {promise.min_labels} labels"


def delay(coverage: Coverage, code: int) -> str:
    """How late labels came."""
    if np.isnan(coverage.delay[code]):
        return ""
    half, most = (lasting(float(x[code])) for x in (coverage.delay, coverage.late))
    return f"half within {half}, 95 of 100 within {most}"


def figures(measures: Measures, code: int) -> list[dict[str, Any]]:
    """The measures of a code that are told, or that cannot be for a reason."""
    found = (measures.of(measure, code) for measure in MEASURES)
    return [plain(one) for one in found if one.basis is not Basis.UNDEFINED]


def plain(figure: Figure) -> dict[str, Any]:
    """One measure in plain values."""
    note = "weighted by what has a label" if figure.basis is Basis.WEIGHTED else ""
    return {
        "name": figure.measure.value,
        "value": _number(figure.value),
        "low": _number(figure.low),
        "high": _number(figure.high),
        "count": round(figure.rows),
        "estimated": figure.basis is Basis.ESTIMATED,
        "note": note or figure.reason,
    }


def contexts(found: Converted, told: Told) -> list[dict[str, Any]]:
    """The version that scores, by context."""
    places = np.flatnonzero(told.sums.labels)[:CONTEXTS]
    return [
        {
            "context": found.contexts[place],
            "labels": int(told.labels[place]),
            "measures": figures(told.measures, place),
        }
        for place in places.tolist()
    ]


def _days(found: Converted, code: int, shown: Measure) -> list[dict[str, Any]]:
    """One measure day by day, by labels as they came."""
    rows = found.rows.take(found.rows.version == code)
    if not len(rows):
        return []
    days, place = np.unique(rows.at // _DAY, return_inverse=True)
    sums = summed(rows, place.astype(np.int32), len(days))
    measures = measured(sums)
    return [
        {
            "day": _date(int(days[k])),
            **{n: v for n, v in plain(measures.of(shown, k)).items() if n in _DAY_KEYS},
        }
        for k in range(max(len(days) - DAYS, 0), len(days))
    ]


_DAY_KEYS = ("value", "low", "high", "count")


def _date(day: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def settled(verdict: Held | None) -> bool:
    """The promise is surely kept again: what is merely within chance ends nothing."""
    return verdict is not None and verdict.standing is Standing.MET
