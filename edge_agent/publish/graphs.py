"""Small ONNX graphs, written so that gateways of several years can run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

ROWS = "rows"
"""Name of the input of every graph made here."""
OPSET, ML_OPSET, IR_VERSION = 17, 3, 8
"""Old on purpose: ONNX Runtime of 2022 runs them."""
OPSETS = {"": OPSET, "ai.onnx.ml": ML_OPSET}


def written(
    nodes: Sequence[onnx.NodeProto],
    weights: Mapping[str, NDArray[Any]],
    features: int,
    outputs: Mapping[str, int],
) -> onnx.ModelProto:
    """A checked model with one input, float32[n, features].

    Args:
        nodes: in order.
        weights: initializers by name.
        features: columns of the input.
        outputs: columns of each output by name; all float32.
    """
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes),
        "model",
        [tensor(ROWS, TensorProto.FLOAT, ["n", features])],
        [tensor(name, TensorProto.FLOAT, ["n", k]) for name, k in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    domains = {node.domain for node in nodes} | {""}
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(d, OPSETS[d]) for d in sorted(domains)],
        ir_version=IR_VERSION,
        producer_name="edge-agent",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def read(body: bytes) -> onnx.ModelProto:
    """A model from its bytes.

    Raises:
        ModelRejected: they are none.
    """
    try:
        return onnx.load_model_from_string(body)
    except Exception as error:
        raise ModelRejected(f"this is not an ONNX model: {error}") from error


def pruned(model: onnx.ModelProto, wanted: Sequence[str]) -> onnx.ModelProto:
    """Only the outputs a gateway reads, and the nodes that make them.

    Converters add labels as text or integers; ONNX Runtime would compute them for
    every row and nobody would read them.
    """
    graph = model.graph
    needed, kept = set(wanted), list[onnx.NodeProto]()
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input) | _captured(node)
    outputs = [output for output in graph.output if output.name in wanted]
    weights = [one for one in graph.initializer if one.name in needed]
    del graph.node[:], graph.output[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.output.extend(outputs)
    graph.initializer.extend(weights)
    return model


def _captured(node: onnx.NodeProto) -> set[str]:
    """Names that inner graphs (If, Loop) take from around them."""
    return {
        name
        for attribute in node.attribute
        if attribute.HasField("g")
        for inner in attribute.g.node
        for name in (*inner.input, *_captured(inner))
    }
