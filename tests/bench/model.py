"""The autoencoder 64-32-8-32-64 that every contender runs, seeded weights.

Outputs: ``score`` [N] root mean squared residual, ``contributions`` [N, 64] the
squared residuals. Naive peers fetch the score alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.bench.plant import FEATURES, SLOPES, TAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDTHS = (FEATURES, 32, 8, 32, FEATURES)


def scaling() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32[64] centre and scale of the features in the plant's normal running."""
    level = 10.0 + np.arange(TAGS)
    centre = np.concatenate([level, level, np.full(TAGS, 0.5), np.zeros(SLOPES)])
    scale = np.concatenate([np.full(3 * TAGS, 0.5), np.full(SLOPES, 2.0)])
    return centre.astype(np.float32), scale.astype(np.float32)


def autoencoder() -> bytes:
    """Serialised ONNX model, the same bytes on every machine."""
    rng = np.random.default_rng(7)
    constants, nodes = {}, []
    constants["centre"], constants["scale"] = scaling()
    nodes.append(helper.make_node("Sub", ["features", "centre"], ["centred"]))
    nodes.append(helper.make_node("Div", ["centred", "scale"], ["h0"]))
    for layer, (wide, next_wide) in enumerate(pairwise(_WIDTHS)):
        weight = rng.normal(0, 1 / np.sqrt(wide), (wide, next_wide))
        constants[f"w{layer}"] = weight.astype(np.float32)
        constants[f"b{layer}"] = np.zeros(next_wide, np.float32)
        last = layer == len(_WIDTHS) - 2
        out = f"h{layer + 1}" if last else f"z{layer}"
        inputs = [f"h{layer}", f"w{layer}", f"b{layer}"]
        nodes.append(helper.make_node("Gemm", inputs, [out]))
        if not last:
            nodes.append(helper.make_node("Tanh", [out], [f"h{layer + 1}"]))
    nodes += _judgement(f"h{len(_WIDTHS) - 1}")
    constants["axes"] = np.array([1], np.int64)
    graph = helper.make_graph(
        nodes,
        "bench-autoencoder",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", FEATURES])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info(
                "contributions", TensorProto.FLOAT, ["N", FEATURES]
            ),
        ],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _judgement(rebuilt: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Sub", ["h0", rebuilt], ["residual"]),
        helper.make_node("Mul", ["residual", "residual"], ["contributions"]),
        helper.make_node("ReduceMean", ["contributions", "axes"], ["mse"], keepdims=0),
        helper.make_node("Sqrt", ["mse"], ["score"]),
    ]
