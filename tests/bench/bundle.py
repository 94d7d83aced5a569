"""The bench's model as a bundle: the passport a plant would get."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import yaml

from edge_agent.bundle.reference import profiled
from tests.bench.model import autoencoder
from tests.bench.plant import FEATURES, POOL, ROLES, SLOPES, SLOTS, features, pool

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME, VERSION = "bench-autoencoder", "1.0.0"
THRESHOLD = 3.0
_GOLDEN = 32
_OPSET, _IR = 18, 9


def training_rows(period_ms: int) -> NDArray[np.float32]:
    """float32[n, 64]: features of the pool read as one asset's history."""
    values, period = pool(), period_ms / 1000
    windows = (values[at - SLOTS : at] for at in range(SLOTS, POOL, 2))
    return np.stack([features(window, period) for window in windows]).astype("f4")


def write_bundle(registry: Path, period_ms: int) -> Path:
    """A bundle whose windows hold `SLOTS` samples at this period.

    Returns:
        Its folder, ``registry/NAME/VERSION``.
    """
    folder = registry / NAME / VERSION
    folder.mkdir(parents=True)
    rows, model = training_rows(period_ms), autoencoder()
    (folder / "model.onnx").write_bytes(model)
    _write_json(folder / "golden.json", _golden(rows, model))
    names = [entry["name"] for entry in _features(rows, period_ms)]
    reference = profiled(names, rows).model_dump(mode="json")
    _write_json(folder / "reference.json", reference)
    files = ("model.onnx", "golden.json", "reference.json")
    sums = {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in files}
    passport = _passport(rows, period_ms, sums)
    (folder / "passport.yaml").write_text(yaml.safe_dump(passport, sort_keys=False))
    return folder


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def _golden(rows: NDArray[np.float32], model: bytes) -> dict[str, Any]:
    inputs = rows[:_GOLDEN]
    score, parts = ort.InferenceSession(model).run(None, {"features": inputs})
    outputs = {"score": score.tolist(), "contributions": parts.tolist()}
    return {"inputs": inputs.tolist(), "outputs": outputs}


def _features(rows: NDArray[np.float32], period_ms: int) -> list[dict[str, Any]]:
    window = f"{SLOTS * period_ms}ms"
    pairs = [(role, kind) for kind in ("last", "mean", "std") for role in ROLES]
    pairs += [(role, "slope") for role in ROLES[:SLOPES]]
    assert len(pairs) == FEATURES
    out = []
    for column, (role, kind) in enumerate(pairs):
        entry: dict[str, Any] = {"name": f"{role}_{kind}", "tag": role}
        entry["aggregate"] = kind
        if kind != "last":
            entry["window"] = window
        entry["rate"] = 1000 / period_ms
        low, high = float(rows[:, column].min()), float(rows[:, column].max())
        out.append(entry | {"trained": [low, high]})
    return out


def _passport(
    rows: NDArray[np.float32], period_ms: int, sums: dict[str, str]
) -> dict[str, Any]:
    tags = {
        role: {"unit": "bar", "range": [0.0, 100.0], "usual": [5.0 + i, 15.0 + i]}
        for i, role in enumerate(ROLES)
    }
    outputs = {"score": {"output": "score"}, "contributions": "contributions"}
    return {
        "passport": 1,
        "name": NAME,
        "version": VERSION,
        "kind": "anomaly",
        "asset_type": "machine",
        "title": "Autoencoder of the benchmarks",
        "tags": tags,
        "features": _features(rows, period_ms),
        "model": {
            "file": "model.onnx",
            "opset": _OPSET,
            "ir_version": _IR,
            "input": "features",
            "outputs": outputs,
        },
        "thresholds": [{"value": THRESHOLD, "severity": 700}],
        "golden": {"file": "golden.json"},
        "reference": "reference.json",
        "files": sums,
        "intended_use": "Benchmarks only.",
        "limits": ["Its weights are random."],
        "owner": "Edge agent developers",
        "contact": "see the repository",
        "approver": "nobody",
        "training": {
            "script": "tests/bench/bundle.py",
            "data": "seeded noise",
            "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-02T00:00:00Z",
            "rows": len(rows),
        },
        "review_date": "2036-01-01",
    }
