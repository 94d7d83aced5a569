"""Data, words and statements for builds in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from edge_agent.publish import Stretch

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

FEATURES = 5
ASSETS = 8
NAMES = tuple(f"t{i}.last" for i in range(FEATURES))
_MIX = np.random.default_rng(11).normal(size=(FEATURES, FEATURES))
_SIZES = np.array([1.0, 10.0, 0.1, 100.0, 5.0])

STATEMENT: dict[str, Any] = {
    "intended_use": "Pumps of the test bench that run.",
    "limits": ["Does not know starts.", "Sees no slow wear."],
    "owner": "Test bench team",
    "contact": "bench@example.com",
    "approver": "Line manager",
    "accuracy": {"metric": "recall", "level": 0.8, "min_labels": 50},
    "review_date": "2027-06-30",
    "data": "Random numbers.",
    "script": "tests/publish/material.py",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-08T00:00:00Z",
    "seed": 11,
}


def table(rows: int, seed: int) -> F32:
    """Correlated numbers of very different size, as readings are."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(rows, FEATURES)) @ _MIX * _SIZES + 50.0
    return np.asarray(mixed, np.float32)


def answers(rows: F32) -> NDArray[np.int64]:
    """Three classes; 0 is good."""
    return np.digitize((rows[:, 0] - 50.0) + (rows[:, 4] - 50.0) / 10.0, [1.0, 2.5])


def aside(rows: int = 1600, *, seed: int = 2, classes: int = 0) -> Stretch:
    """Rows kept aside: one a minute and asset, with labels for so many classes."""
    values = table(rows, seed)
    labels = [str(min(c, classes - 1)) for c in answers(values)] if classes else None
    asset = np.repeat(np.arange(ASSETS), rows // ASSETS)
    return Stretch(values, labels=labels, asset=asset.tolist(), every=60.0)


def words(out: Path, name: str = "bench", **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """Arguments of a build of an anomaly model, quiet and without comparisons."""
    given: dict[str, Any] = {
        "name": name,
        "version": "1.0.0",
        "kind": "anomaly",
        "title": "How far a pump of the bench is from normal",
        "asset_type": "pump",
        "tags": {f"t{i}": {"unit": "bar", "range": [-2e3, 2e3]} for i in range(5)},
        "features": [{"tag": f"t{i}", "aggregate": "last"} for i in range(5)],
        "statement": STATEMENT,
        "out": out,
        "budget": 20.0,
        "compare": False,
        "quiet": True,
    }
    return {**given, **changed}


def run(model: bytes, rows: F32) -> list[NDArray[Any]]:
    """Outputs of a graph, by the plain runtime."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found: list[NDArray[Any]] = session.run(None, {session.get_inputs()[0].name: rows})
    return found
