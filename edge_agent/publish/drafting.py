"""The passport's text from what was told, stated and measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.bundle import graph
from edge_agent.errors import ModelRejected
from edge_agent.explain import LEVELS
from edge_agent.publish.description import feature_words, seconds

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from edge_agent.bundle.reference import ReferenceFile
    from edge_agent.publish.asking import Statement
    from edge_agent.publish.converted import Converted
    from edge_agent.publish.description import Description
    from edge_agent.publish.false_alarms import Counted
    from edge_agent.publish.measures import Reached
    from edge_agent.publish.rows import Rows

_SAID = (
    "intended_use",
    "limits",
    "owner",
    "contact",
    "approver",
    "review_date",
    "expires",
    "release",
    "runtime",
    "licence",
    "oversight",
)
_OF_TRAINING = ("script", "data", "seed", "run", "commit")


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was measured of a model.

    Attributes:
        thresholds: ``value`` and ``severity``, ascending.
        counted: false alarms on rows kept aside; None where they were not.
        note: how they were counted.
        reached: measures on labelled rows; None without labels.
        atol: absolute tolerance of the golden rows.
        by_context: false alarms of contexts with a threshold of their own.
    """

    thresholds: tuple[dict[str, Any], ...]
    counted: Counted | None = None
    note: str = ""
    reached: Reached | None = None
    atol: float = 1e-6
    by_context: Mapping[str, Counted] = field(default_factory=dict)


def passport_text(
    description: Description,
    statement: Statement,
    converted: Converted,
    rows: Rows,
    reference: ReferenceFile,
    found: Findings,
) -> dict[str, Any]:
    """passport.yaml as plain values, without hashes and trained ranges.

    Raises:
        ModelRejected: the time of the training data is not known.
    """
    said = statement.model_dump(mode="json", exclude_none=True)
    text: dict[str, Any] = {
        "passport": 1,
        "name": description.name,
        "version": description.version,
        "kind": description.kind,
        "asset_type": description.asset_type,
        "title": description.title,
        "tags": _tags(description, reference),
        "features": feature_words(description.features),
        "model": _model(converted),
        "thresholds": [dict(one) for one in found.thresholds],
        "golden": {"file": "golden.json", "rtol": 1e-4, "atol": found.atol},
        "reference": "reference.json",
        **{key: said[key] for key in _SAID if key in said},
        "training": {
            **{key: said[key] for key in _OF_TRAINING if key in said},
            **_period(statement, rows),
            "rows": int(rows.whole.sum()),
        },
        "accuracy": _accuracy(statement, found.reached),
    }
    if statement.allowance is not None:
        p99 = seconds(statement.allowance.p99)
        text["allowance"] = {**said["allowance"], "p99": p99}
    if statement.targets is not None:
        text["targets"] = said["targets"]
    if found.by_context:
        severity = found.thresholds[0]["severity"]
        text["context_thresholds"] = {
            name: [{"value": one.threshold, "severity": severity}]
            for name, one in found.by_context.items()
        }
    if found.counted is not None:
        text["false_alarms"] = _false_alarms(found.counted, found.note)
    return text


def _model(converted: Converted) -> dict[str, Any]:
    facts = graph.inspect(converted.model)
    return {
        "file": "model.onnx",
        "opset": max(facts.opsets.get("ai.onnx", 0), 7),
        "ir_version": facts.ir_version,
        "input": converted.input,
        "batch": "dynamic",
        "replay": "exact",
        "outputs": dict(converted.outputs),
    }


def _tags(description: Description, reference: ReferenceFile) -> dict[str, Any]:
    used = {feature.tag for feature in description.features}
    return {
        role: {
            "unit": words.unit,
            "range": list(words.range or (0.0, 0.0)),
            "usual": list(words.usual or _usual(role, description, reference)),
            **({"label": words.label} if words.label else {}),
        }
        for role, words in description.tags.items()
        if role in used
    }


def _usual(
    role: str, description: Description, reference: ReferenceFile
) -> tuple[float, float]:
    """1st to 99th percentile of the tag's first feature that reads like it."""
    for feature in description.features:
        if feature.tag == role and feature.aggregate in LEVELS:
            tallied = reference.whole.features[feature.name].quantiles
            return _short(tallied[0]), _short(tallied[-1])
    return description.tags[role].range or (0.0, 0.0)


def _period(statement: Statement, rows: Rows) -> dict[str, str]:
    if rows.dated and rows.at is not None and len(rows.at):
        ends = np.array([rows.at.min(), rows.at.max()]).astype("datetime64[ns]")
        start, end = (f"{np.datetime_as_string(e, unit='s')}Z" for e in ends)
        return {"start": start, "end": end}
    if statement.start is None or statement.end is None:
        raise ModelRejected(
            "the training rows carry no times: say in the statement from when to when "
            "they are (start, end)"
        )
    return {"start": _iso(statement.start), "end": _iso(statement.end)}


def _iso(time: dt.datetime) -> str:
    return time.isoformat()


def _accuracy(statement: Statement, reached: Reached | None) -> dict[str, Any]:
    wanted = statement.accuracy
    said = {
        "metric": wanted.metric,
        "level": wanted.level,
        "min_labels": wanted.min_labels,
    }
    value = reached.of(wanted.metric) if reached is not None else float("nan")
    if reached is not None and np.isfinite(value):
        said |= {"reached": round(value, 4), "labels": reached.labels}
    return said


def _false_alarms(counted: Counted, note: str) -> dict[str, Any]:
    return {
        "budget_per_week": counted.budget,
        "seen_per_week": _short(counted.seen),
        "asset_hours": _short(counted.asset_hours),
        "at_most_per_week": _short(counted.at_most),
        "note": note,
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
