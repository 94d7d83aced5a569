"""Many different small models as bundles: autoencoders, PCA residuals and forests.

Weights are random but seeded; every model differs from every other. Feature counts go
from 16 to 32, forests have 100 trees of 127 nodes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from edge_agent.bundle.writing import write_bundle as build

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle

AGGREGATES = ("last", "mean", "min", "max")
WINDOW = "10s"
_LEAST, _MOST = 16, 32
_TREES, _DEPTH = 100, 6
_GOLDEN, _TRAINING = 16, 200
KINDS = ("autoencoder", "pca", "forest")


def width(number: int) -> int:
    """Features of the n-th model: a multiple of the aggregates, 16 to 32."""
    step = len(AGGREGATES)
    return _LEAST + step * (number % ((_MOST - _LEAST) // step + 1))


def roles(number: int) -> tuple[str, ...]:
    """Tags of the n-th model's asset type."""
    return tuple(f"tag_{i}" for i in range(width(number) // len(AGGREGATES)))


def write(registry: Path, number: int) -> Bundle:
    """The n-th model as a bundle ``registry/m000/1.0.0``."""
    kind = KINDS[number % len(KINDS)]
    make = {"autoencoder": autoencoder, "pca": residual, "forest": forest}[kind]
    model = make(width(number), number)
    rows = np.random.default_rng(number).normal(10, 1, (_TRAINING, width(number)))
    inputs = rows[:_GOLDEN].astype(np.float32)
    names = ["score"] if kind == "forest" else ["score", "contributions"]
    found = ort.InferenceSession(model).run(names, {"rows": inputs})
    found[0] = found[0].reshape(-1)
    return build(
        registry,
        _passport(number, names),
        model=model,
        training=rows,
        golden_inputs=inputs,
        golden_outputs=dict(zip(names, found, strict=True)),
    )


def autoencoder(wide: int, seed: int) -> bytes:
    """Dense layers with tanh down to a quarter and up; mean squared residual."""
    rng = np.random.default_rng(seed)
    widths = (wide, wide // 2 + 4, wide // 4, wide // 2 + 4, wide)
    weights = {
        "centre": rng.normal(10, 0.1, wide),
        "ones": np.full((wide, 1), 1 / wide),
    }
    nodes = [helper.make_node("Sub", ["rows", "centre"], ["h0"])]
    for layer, (before, after) in enumerate(pairwise(widths)):
        weights[f"w{layer}"] = rng.normal(0, before**-0.5, (before, after))
        weights[f"b{layer}"] = np.zeros(after)
        last = layer == len(widths) - 2
        out = f"h{layer + 1}" if last else f"z{layer}"
        nodes.append(
            helper.make_node("Gemm", [f"h{layer}", f"w{layer}", f"b{layer}"], [out])
        )
        if not last:
            nodes.append(helper.make_node("Tanh", [out], [f"h{layer + 1}"]))
    return _serialised(nodes + _squares("h0", f"h{len(widths) - 1}"), weights, wide)


def residual(wide: int, seed: int) -> bytes:
    """What a projection on a third of the directions leaves, squared."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(wide, wide)))[0][:, : wide // 3]
    weights = {
        "centre": rng.normal(10, 0.1, wide),
        "down": axes,
        "up": np.ascontiguousarray(axes.T),
        "ones": np.ones((wide, 1)),
    }
    nodes = [
        helper.make_node("Sub", ["rows", "centre"], ["centred"]),
        helper.make_node("MatMul", ["centred", "down"], ["z"]),
        helper.make_node("MatMul", ["z", "up"], ["rebuilt"]),
    ]
    return _serialised(nodes + _squares("centred", "rebuilt"), weights, wide)


def forest(wide: int, seed: int, trees: int = _TREES, depth: int = _DEPTH) -> bytes:
    """Complete trees with random cuts, as one TreeEnsembleRegressor."""
    rng = np.random.default_rng(seed)
    inner, total = 2**depth - 1, 2 ** (depth + 1) - 1
    place = np.tile(np.arange(total), trees)
    tree = np.repeat(np.arange(trees), total)
    leaf = place >= inner
    cuts = np.where(leaf, 0.0, rng.normal(10, 1, len(place)))
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["rows"],
        ["score"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=tree.tolist(),
        nodes_nodeids=place.tolist(),
        nodes_featureids=np.where(leaf, 0, rng.integers(0, wide, len(place))).tolist(),
        nodes_values=cuts.tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_truenodeids=np.where(leaf, 0, 2 * place + 1).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, 2 * place + 2).tolist(),
        target_treeids=tree[leaf].tolist(),
        target_nodeids=place[leaf].tolist(),
        target_ids=np.zeros(leaf.sum(), int).tolist(),
        target_weights=(rng.normal(size=leaf.sum()) / trees).tolist(),
    )
    return _serialised([node], {}, wide)


def _squares(before: str, after: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Sub", [before, after], ["residual"]),
        helper.make_node("Mul", ["residual", "residual"], ["contributions"]),
        helper.make_node("MatMul", ["contributions", "ones"], ["score"]),
    ]


def _serialised(
    nodes: list[onnx.NodeProto], weights: Mapping[str, NDArray[Any]], wide: int
) -> bytes:
    outputs = {"score": 1} | ({"contributions": wide} if weights else {})
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", wide])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns])
            for name, columns in outputs.items()
        ],
        [numpy_helper.from_array(a.astype("f4"), n) for n, a in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _passport(number: int, outputs: list[str]) -> dict[str, Any]:
    bound: dict[str, Any] = {"score": {"output": "score"}}
    if "contributions" in outputs:
        bound["contributions"] = "contributions"
    return {
        "passport": 1,
        "name": f"m{number:03d}",
        "version": "1.0.0",
        "kind": "anomaly",
        "asset_type": f"kind-{number:03d}",
        "title": f"Small model {number} of the benchmarks",
        "tags": {
            role: {"unit": "bar", "range": [0.0, 100.0], "usual": [7.7, 12.3]}
            for role in roles(number)
        },
        "features": [
            {"name": f"{role}.{kind}", "tag": role, "aggregate": kind}
            | ({} if kind == "last" else {"window": WINDOW})
            for role in roles(number)
            for kind in AGGREGATES
        ],
        "model": {"opset": 17, "ir_version": 8, "input": "rows", "outputs": bound},
        "thresholds": [{"value": 1e6, "severity": 700}],
        "intended_use": "Benchmarks only.",
        "limits": ["Its weights are random."],
        "owner": "Edge agent developers",
        "contact": "see the repository",
        "approver": "nobody",
        "training": {
            "script": "tests/bench/small_models.py",
            "data": "seeded noise",
            "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-02T00:00:00Z",
            "rows": _TRAINING,
        },
        "review_date": "2036-01-01",
    }
