"""Models that give a row back: what they cannot give back is the score.

    z = (row - offset) * factor          what the model was fitted on
    contribution of feature i = (z_i - model(z)_i)^2 / features
    score = sum of contributions         the mean squared residual

A PCA gives back what its components span: with components C (rows) the residual is
(z - mean) (I - C' C). An MLPRegressor fitted on its own input gives back its output.
Sums are products with ones, not ReduceSum: only then does a row's score not depend on
its place in the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from edge_agent.errors import ModelRejected
from edge_agent.publish.converted import EXPLAINED, Converted
from edge_agent.publish.graphs import ROWS, written
from edge_agent.publish.scaling import Staged, affine

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx
    from numpy.typing import NDArray

    from edge_agent.samples import F64

    Weights = dict[str, NDArray[np.float32]]

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


def pca(found: Staged, features: int) -> Converted:
    """A PCA's reconstruction error, each tag's part of it told.

    Raises:
        ModelRejected: it keeps all components (the error is 0), or a scaler clips.
    """
    model = found.model
    components = np.asarray(model.components_, np.float64)
    if len(components) >= components.shape[1]:
        raise ModelRejected(
            f"the PCA keeps all {len(components)} components, so it gives every row "
            "back and its error is 0: fit it with fewer, such as n_components=0.9"
        )
    residual = np.eye(components.shape[1]) - components.T @ components
    weights = {
        "centre": np.asarray(model.mean_, np.float32),
        "residual": residual.astype(np.float32),
    }
    nodes = [
        helper.make_node("Sub", ["scaled", "centre"], ["centred"]),
        helper.make_node("MatMul", ["centred", "residual"], ["apart"]),
    ]

    def back(scaled: F64) -> F64:
        given: F64 = model.inverse_transform(model.transform(scaled))
        return given

    return _reconstruction(found, features, nodes, weights, back)


def network(found: Staged, features: int) -> Converted:
    """An MLPRegressor that was fitted to give its input back.

    Raises:
        ModelRejected: a scaler clips.
    """
    model = found.model
    nodes: list[onnx.NodeProto] = []
    weights: Weights = {}
    value = "scaled"
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    for i, (factors, shift) in enumerate(layers):
        weights |= {
            f"w{i}": factors.astype(np.float32),
            f"b{i}": shift.astype(np.float32),
        }
        nodes += [
            helper.make_node("MatMul", [value, f"w{i}"], [f"m{i}"]),
            helper.make_node("Add", [f"m{i}", f"b{i}"], [f"a{i}"]),
        ]
        value = f"a{i}"
        kind = model.activation if i < len(layers) - 1 else model.out_activation_
        if kind != "identity":
            nodes.append(helper.make_node(_ACTIVATIONS[kind], [value], [f"h{i}"]))
            value = f"h{i}"
    nodes.append(helper.make_node("Sub", ["scaled", value], ["apart"]))

    def back(scaled: F64) -> F64:
        given: F64 = model.predict(scaled)
        return given

    return _reconstruction(found, features, nodes, weights, back)


def _reconstruction(
    found: Staged,
    features: int,
    nodes: list[onnx.NodeProto],
    weights: Weights,
    back: Callable[[F64], F64],
) -> Converted:
    scaling = affine(found.scalers, features)
    if scaling is None or found.others:
        what = ", ".join(found.others) or "a scaler that clips"
        raise ModelRejected(
            f"the Pipeline has {what} before its {type(found.model).__name__}; a "
            "reconstruction error needs plain scalers there (StandardScaler, "
            "MinMaxScaler, RobustScaler, MaxAbsScaler), or nothing"
        )
    offset, factor = scaling
    weights |= {
        "offset": offset.astype(np.float32),
        "factor": factor.astype(np.float32),
        "share": np.array(1.0 / features, np.float32),
        "ones": np.ones((features, 1), np.float32),
    }
    node = helper.make_node
    whole = [
        node("Sub", [ROWS, "offset"], ["shifted"]),
        node("Mul", ["shifted", "factor"], ["scaled"]),
        *nodes,
        node("Mul", ["apart", "apart"], ["squares"]),
        node("Mul", ["squares", "share"], ["contributions"]),
        node("MatMul", ["contributions", "ones"], ["score"]),
    ]
    outputs = {"score": 1, "contributions": features}
    made = written(whole, weights, features, outputs)

    def truth(rows: NDArray[np.float32]) -> dict[str, F64]:
        scaled = rows.astype(np.float64)
        for scaler in found.scalers:
            scaled = scaler.transform(scaled)
        parts = np.square(scaled - back(scaled)) / features
        return {"score": parts.sum(axis=1), "contributions": parts}

    return Converted(
        source=f"scikit-learn {type(found.model).__name__}, reconstruction error",
        model=made.SerializeToString(),
        input=ROWS,
        outputs=EXPLAINED,
        truth=truth,
    )
