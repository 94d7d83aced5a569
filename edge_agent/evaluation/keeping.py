"""What an evaluation says, as it is kept for reports. Pure.

`report.bodies` reads it; `monitoring.snapshots` names the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.monitoring.snapshots import ACCURACY, ALARMS, FAIRNESS
from edge_agent.records import SnapshotRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge_agent.pipeline import Pipeline

    Plain = dict[str, Any]


def records(
    snapshot: Mapping[str, Any], made: Pipeline, at: int, *, applied: bool = False
) -> Iterator[SnapshotRecord]:
    """Records of a snapshot: one a version, of alarms, and of each grouping's rate.

    Args:
        snapshot: `look.Looked.snapshot`.
        made: what scores the pipeline.
        at: agent time, ns.
        applied: the suggested threshold is taken by itself.
    """
    info = made.info
    for entry in snapshot["accuracy"]:
        version = str(entry["version"])
        body = {"model": info.model, "version": version, **_accuracy(entry)}
        yield SnapshotRecord(at, ACCURACY, info.pipeline, version, body)
    whose = {"model": info.model, "version": info.model_version}
    alarms = {**whose, **_alarms(snapshot["alarms"], applied=applied)}
    yield SnapshotRecord(at, ALARMS, info.pipeline, info.model_version, alarms)
    for entry in snapshot["fairness"]:
        subject = f"{entry['by']}: {entry['rate']}" if entry["rate"] else entry["by"]
        body = {**whose, **_fairness(entry)}
        yield SnapshotRecord(at, FAIRNESS, info.pipeline, subject, body)


def _accuracy(entry: Mapping[str, Any]) -> Plain:
    kept = ("requirement", "level", "state", "sentence", "labels", "coverage", "delay")
    found = {key: entry[key] for key in kept}
    # what was counted comes last: no estimate stands in its place
    told = sorted(entry["measures"], key=_is_counted)
    return {
        **found,
        "metric": entry["days_of"],
        "measures": {one["name"]: _figure(one) for one in told},
        "confusion": entry["confusion"],
    }


def _is_counted(one: Mapping[str, Any]) -> bool:
    return one["value"] is not None and not one["estimated"]


def _figure(one: Mapping[str, Any]) -> Plain:
    basis = "counted" if one["value"] is not None else "undefined"
    found = {key: one[key] for key in ("value", "low", "high", "count", "note")}
    return {**found, "basis": "estimated" if one["estimated"] else basis}


def _alarms(entry: Mapping[str, Any], *, applied: bool) -> Plain:
    kept = ("confirmed", "rejected", "unanswered", "per_week", "suggestion")
    found = {key: entry[key] for key in kept}
    budget, week = entry["allowed"], entry["per_week"]
    return {
        **found,
        "asset_weeks": entry["asset_weeks"] or 0.0,
        "budget": budget,
        "over": budget is not None and week is not None and week > budget,
        "threshold": entry["threshold"],
        "suggested": entry["suggested"],
        "applied": applied,
    }


def _fairness(entry: Mapping[str, Any]) -> Plain:
    groups = [
        {"value": one["rate"], **{k: one[k] for k in ("name", "count", "low", "high")}}
        for one in entry["groups"]
    ]
    refused = entry["finding"] if not entry["groups"] else ""
    return {
        "by": entry["by"],
        "rate": entry["rate"],
        "groups": groups,
        "finding": "" if refused else entry["finding"],
        "refused": refused,
    }
