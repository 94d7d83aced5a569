"""How things stand, as the snapshots that a model report is made of. Pure.

The keys of a body are read by `report.bodies`; a number that is not known is None.

====================  ================  ===============================================
name                  subject           body
====================  ================  ===============================================
``accuracy``          model version     `accuracy`
``alarms``            model version     `alarms`: what people said of them
``fairness``          ``by: rate``      `fairness`: one a rate and grouping
``event``             name and moment   `event`: what happened to the models
====================  ================  ===============================================

The newest of a day, name and subject is kept (`store.snapshots`); an event's moment
makes its subject unique, so that each is kept.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.counting import Part
from edge_agent.monitoring.accuracy.measures import LOWER_IS_BETTER, MEASURES
from edge_agent.records import EventRecord, SnapshotRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from edge_agent.monitoring.accuracy.counting import Sums
    from edge_agent.monitoring.accuracy.coverage import Coverage
    from edge_agent.monitoring.accuracy.measures import Figure, Measures
    from edge_agent.monitoring.accuracy.requirement import Held, Requirement
    from edge_agent.monitoring.alarm_budget import FalseAlarms
    from edge_agent.monitoring.contrast import Table
    from edge_agent.monitoring.fairness import Parity
    from edge_agent.monitoring.suggestion import Suggestion
    from edge_agent.records import LossRecord, PipelineInfo

ACCURACY, ALARMS, FAIRNESS, EVENT = "accuracy", "alarms", "fairness", "event"
_NAMED = 20  # groups without a figure


def accuracy(
    at: int,
    info: PipelineInfo,
    held: Held | None,
    measures: Measures,
    coverage: Coverage | None = None,
    sums: Sums | None = None,
    code: int = 0,
) -> SnapshotRecord:
    """What late labels, or without any an estimate, say of a version.

    Args:
        at: agent time, ns.
        info: of the pipeline, with the version that is meant.
        held: the passport's requirement against the measures; None without one.
        measures: from `coverage.corrected`, or from `estimate`.
        coverage: of labels; None for an estimate.
        sums: of the labelled rows; None for an estimate.
        code: of the version in all of these.
    """
    labels = held.labels if held is not None else 0
    if sums is not None and held is None:
        labels = int(sums.labels[code])
    body = {
        **_whose(info),
        "requirement": _required(held.requirement) if held else "",
        "metric": held.requirement.metric if held else "",
        "level": held.requirement.level if held else None,
        "state": held.standing.value if held else "nothing required",
        "sentence": held.sentence if held else "",
        "labels": labels,
        "coverage": _number(coverage.share[code]) if coverage else None,
        "delay": coverage.sentence(code) if coverage else "",
        "measures": {name.value: _figure(measures.of(name, code)) for name in MEASURES},
        "confusion": _confusion(sums, code) if sums is not None else None,
    }
    return SnapshotRecord(at, ACCURACY, info.pipeline, info.model_version, body)


def alarms(
    at: int,
    info: PipelineInfo,
    found: FalseAlarms,
    suggestion: Suggestion | None = None,
    *,
    applied: bool = False,
) -> SnapshotRecord:
    """What people said of alarms.

    Args:
        at: agent time, ns.
        info: of the pipeline.
        found: what was counted.
        suggestion: the threshold that would hold the budget.
        applied: it is moved there by itself.
    """
    body = {
        **_whose(info),
        "confirmed": found.confirmed,
        "rejected": found.rejected,
        "unanswered": found.unanswered,
        "asset_weeks": found.weeks,
        "budget": found.budget,
        "per_week": _number(found.likely),
        "low": _number(found.low),
        "high": _number(found.high),
        "over": found.over,
        "sentence": found.sentence(info.assets),
        "suggestion": suggestion.sentence if suggestion else "",
        "threshold": suggestion.now if suggestion else None,
        "suggested": suggestion.threshold if suggestion else None,
        "applied": applied,
    }
    return SnapshotRecord(at, ALARMS, info.pipeline, info.model_version, body)


def fairness(
    at: int, info: PipelineInfo, parity: Parity, context: str = ""
) -> list[SnapshotRecord]:
    """The groups of one field, a snapshot a rate.

    Args:
        at: agent time, ns.
        info: of the pipeline.
        parity: its groups compared.
        context: of the rows; empty for all.
    """
    found = parity.condition(context)
    told = str(found.evidence["rate"]) if found else ""
    same = {**_whose(info), "by": parity.by, "context": context}
    rest = {"refused": parity.refused, "rate": "", "groups": [], "finding": ""}
    bodies: list[dict[str, Any]] = [
        {
            **same,
            **rest,
            "rate": rate.value,
            "groups": _groups(table),
            "pooled": _some(table.pooled),
            "untold": _some(table.untold),
            "finding": found.sentence if found and told == rate.value else "",
        }
        for rate, table in parity.tables.items()
    ]
    if parity.refused:
        bodies = [same | rest]
    where = f" in {context}" if context else ""
    return [
        SnapshotRecord(
            at, FAIRNESS, info.pipeline, f"{parity.by}: {body['rate']}{where}", body
        )
        for body in bodies
    ]


def event(
    record: EventRecord | LossRecord, pipelines: Iterable[str] = ()
) -> SnapshotRecord:
    """What happened, to be kept beyond its delivery.

    Args:
        record: as it is sent.
        pipelines: names; the record's subject may be one of them.
    """
    if isinstance(record, EventRecord):
        what, said = record.name, record.message
    else:
        what = f"{record.what} lost"
        count = record.count or "an unknown number of"
        said = f"{count} {record.what}: {record.cause}"
    owner = record.subject if record.subject in set(pipelines) else ""
    body = {"what": what, "subject": record.subject, "message": said}
    return SnapshotRecord(record.at, EVENT, owner, f"{what} {record.at}", body)


def _whose(info: PipelineInfo) -> dict[str, Any]:
    return {"model": info.model, "version": info.model_version}


def _required(one: Requirement) -> str:
    lower = one.metric in {measure.value for measure in LOWER_IS_BETTER}
    bound = "at most" if lower else "at least"
    return f"{one.metric} {bound} {one.level:g} on {one.min_labels} labels"


def _figure(one: Figure) -> dict[str, Any]:
    return {
        "value": _number(one.value),
        "low": _number(one.low),
        "high": _number(one.high),
        "count": round(one.rows) if isfinite(one.rows) else 0,
        "basis": one.basis.name.lower(),
        "note": one.reason,
    }


def _confusion(sums: Sums, code: int) -> list[int] | None:
    parts = (Part.TP, Part.FP, Part.FN, Part.TN)
    found = [round(float(sums.part(part)[code])) for part in parts]
    return found if any(found) else None


def _groups(table: Table) -> list[dict[str, Any]]:
    columns = (table.value, table.low, table.high, table.rest, table.p)
    keys = ("value", "low", "high", "rest", "p")
    differs = np.asarray(table.differs, bool)
    return [
        {
            "name": name,
            "count": round(float(table.size[place])),
            **{k: _number(c[place]) for k, c in zip(keys, columns, strict=True)},
            "differs": bool(differs[place]),
        }
        for place, name in enumerate(table.names)
    ]


def _some(names: Sequence[str]) -> dict[str, Any]:
    return {"count": len(names), "names": list(names[:_NAMED])}


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None
