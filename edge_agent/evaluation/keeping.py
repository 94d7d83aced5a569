"""What an evaluation says, as it is kept for reports. Pure.

`report.bodies` reads it; `monitoring.snapshots` has the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.monitoring import snapshots
from edge_agent.monitoring.snapshots import ACCURACY, ALARMS
from edge_agent.records import SnapshotRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge_agent.evaluation.look import Looked
    from edge_agent.records import PipelineInfo

    Plain = dict[str, Any]


def records(
    look: Looked, info: PipelineInfo, at: int, *, applied: bool = False
) -> Iterator[SnapshotRecord]:
    """Records of a look: one a version, of alarms, and of each grouping's rate.

    Args:
        look: at the pipeline.
        info: of what scores it.
        at: agent time, ns.
        applied: the suggested threshold is taken by itself.
    """
    for entry in look.snapshot["accuracy"]:
        version = str(entry["version"])
        body = {"model": info.model, "version": version, **_accuracy(entry)}
        yield SnapshotRecord(at, ACCURACY, info.pipeline, version, body)
    yield _alarms(look, info, at, applied=applied)
    for one in look.parities.found:
        yield from snapshots.fairness(at, info, one.parity)


def _alarms(
    look: Looked, info: PipelineInfo, at: int, *, applied: bool
) -> SnapshotRecord:
    """With the budget where there is one, else what people said alone."""
    found = look.budget
    if found is not None and found.counted is not None:
        return snapshots.alarms(
            at, info, found.counted, found.suggestion, applied=applied
        )
    said = look.snapshot["alarms"]
    body = {key: said[key] for key in ("confirmed", "rejected", "unanswered")}
    body |= {"model": info.model, "version": info.model_version}
    return SnapshotRecord(at, ALARMS, info.pipeline, info.model_version, body)


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
