"""Small, real bundles for tests: PCA residuals over a few features."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from edge_agent.bundle.writing import write_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle

TAGS = {
    "flow": {"unit": "m3/h", "range": [0.0, 100.0], "usual": [-2.3, 2.3]},
    "pressure": {"unit": "bar", "range": [0.0, 16.0], "usual": [-2.3, 2.3]},
}


def passport(name: str = "small", version: str = "1.0.0") -> dict[str, Any]:
    """passport.yaml of an anomaly model, without what `build` fills in."""
    features = [
        {"name": f"{tag}.{aggregate}", "tag": tag, "aggregate": aggregate, **window}
        for tag in TAGS
        for aggregate, window in (("last", {}), ("std", {"window": "10s"}))
    ]
    return {
        "passport": 1,
        "name": name,
        "version": version,
        "kind": "anomaly",
        "asset_type": "pump",
        "title": "Residual of two tags, for tests",
        "tags": {role: dict(facts) for role, facts in TAGS.items()},
        "features": features,
        "model": {
            "opset": 17,
            "ir_version": 8,
            "input": "rows",
            "outputs": {
                "score": {"output": "score"},
                "contributions": "contributions",
            },
        },
        "thresholds": [
            {"value": 3.0, "severity": 500},
            {"value": 9.0, "severity": 800},
        ],
        "intended_use": "Tests of the agent.",
        "limits": ["Knows nothing of pumps."],
        "owner": "Test Bench",
        "contact": "bench@example.com",
        "approver": "Test Bench",
        "training": {
            "script": "tests/model/bundles.py",
            "data": "Standard normal numbers.",
            "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-02T00:00:00Z",
            "rows": 500,
            "seed": 7,
        },
        "review_date": "2027-01-01",
    }


def graph(
    width: int,
    *,
    rows: int | str = "N",
    scale: float = 1.0,
    ones: NDArray[np.float32] | None = None,
    reduce_sum: bool = False,
) -> onnx.ModelProto:
    """Score = sum of contributions = (scale x row) squared."""
    nodes = [
        helper.make_node("Mul", ["rows", "scale"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "scaled"], ["contributions"]),
        helper.make_node("ReduceSum", ["contributions", "axis"], ["score"], keepdims=1)
        if reduce_sum
        else helper.make_node("MatMul", ["contributions", "ones"], ["score"]),
    ]
    weights = {"scale": np.full(width, scale, np.float32)}
    if reduce_sum:
        weights["axis"] = np.array([1], np.int64)
    else:
        weights["ones"] = np.ones((width, 1), np.float32) if ones is None else ones
    return model(
        nodes, weights, width, {"score": [rows, 1], "contributions": [rows, width]}
    )


def model(
    nodes: list[onnx.NodeProto],
    weights: Mapping[str, NDArray[Any]],
    width: int,
    outputs: Mapping[str, list[int | str]],
) -> onnx.ModelProto:
    """An ONNX model with one float input ``rows`` and float outputs."""
    first = next(iter(outputs.values()))[0] if outputs else "N"
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [first, width])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(made)
    return made


def golden(width: int, rows: int = 16) -> NDArray[np.float32]:
    """Rows to check a model with."""
    return np.random.default_rng(3).normal(size=(rows, width)).astype(np.float32)


def make(
    registry: Path,
    text: dict[str, Any] | None = None,
    *,
    proto: onnx.ModelProto | None = None,
    outputs: Mapping[str, NDArray[Any]] | None = None,
) -> Bundle:
    """A bundle of `graph`, or of a graph with its golden outputs."""
    text = text or passport()
    width = len(text["features"])
    inputs = golden(width)
    squares = np.square(inputs.astype(np.float64))
    return write_bundle(
        registry,
        text,
        model=(proto or graph(width)).SerializeToString(),
        training=np.random.default_rng(7).normal(size=(500, width)),
        golden_inputs=inputs,
        golden_outputs=outputs
        or {"score": squares.sum(axis=1), "contributions": squares},
    )


def rewrite(folder: Path, change: Any) -> None:  # noqa: ANN401
    """Change a bundle's passport.yaml through a function of its values."""
    file = folder / "passport.yaml"
    text = yaml.safe_load(file.read_text())
    change(text)
    file.write_text(yaml.safe_dump(text, sort_keys=False))


def replace_file(folder: Path, name: str, body: bytes) -> None:
    """Change a bundle's file and its hash with it."""
    (folder / name).write_bytes(body)
    digest = hashlib.sha256(body).hexdigest()
    rewrite(folder, lambda text: text["files"].update({name: digest}))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file that a bundle's passport lists, as it lies there."""
    names = yaml.safe_load((folder / "passport.yaml").read_text())["files"]
    return {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names}
