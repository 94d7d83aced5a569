"""The detector: how far is a pump from normal running, and which tag took it there.

A row is seven means and seven standard deviations over ten seconds. A standard
deviation says one thing here, whether a reading still lives, so it is squashed to
``min(s / (s + q), 0.6)`` with q its lower quartile: 0 for a frozen reading, and the
ramps of a drive do not drown it. The row is then standardised and whitened by all
principal components of normal running (variances below a floor are raised to it, for
the laws of pumps are not quite linear)::

    w = S (y - mean) / std        S = V max(L, floor)^-1/2 V'
    contribution of feature i = w_i^2 / 14        score = sum of contributions

which is the Mahalanobis distance squared, per feature: 1 on average in normal running.
The symmetric root S keeps each coordinate with its own feature, so that contributions
name tags and add up to the score exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64

OPSET, IR_VERSION = 17, 8
CAP = 0.6
FLOOR = 0.015
_DIGITS = 7  # of every weight: the same file from every machine's linear algebra


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned, rounded as it will be shipped.

    Attributes:
        alive: float64[tags], lower quartile of each standard deviation.
        mean, scale: float64[features], of the squashed row; scale is 1 / std.
        mix: float64[features, features], the symmetric root S.
    """

    alive: F64
    mean: F64
    scale: F64
    mix: F64


def fit(values: NDArray[np.float32]) -> Weights:
    """Learn normal running from rows of it."""
    tags = values.shape[1] // 2
    alive = _rounded(np.quantile(values[:, tags:].astype(np.float64), 0.25, axis=0))
    squashed = _squash(values, alive)
    mean = _rounded(squashed.mean(axis=0))
    scale = _rounded(1.0 / squashed.std(axis=0))
    variances, axes = np.linalg.eigh(np.cov(((squashed - mean) * scale).T))
    root = (axes / np.sqrt(np.maximum(variances, FLOOR))) @ axes.T
    return Weights(alive, mean, scale, _rounded(root))


def judge(weights: Weights, values: NDArray[np.float32]) -> tuple[F64, F64]:
    """Scores and contributions in double precision: what the graph must give."""
    row = (_squash(values, weights.alive) - weights.mean) * weights.scale
    contributions: F64 = np.square(row @ weights.mix) / row.shape[1]
    return contributions.sum(axis=1), contributions


def to_onnx(weights: Weights) -> bytes:
    """The same as a graph.

    Sums are matrix products and not ReduceSum: only then does a row's score not
    depend on its place in the batch.
    """
    features = len(weights.mean)
    tags = len(weights.alive)
    arrays: dict[str, NDArray[Any]] = {
        "halves": np.array([tags, tags], np.int64),
        "alive": weights.alive.astype(np.float32),
        "cap": np.array(CAP, np.float32),
        "mean": weights.mean.astype(np.float32),
        "scale": weights.scale.astype(np.float32),
        "mix": weights.mix.astype(np.float32),
        "per_feature": np.array(1.0 / features, np.float32),
        "ones": np.ones((features, 1), np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Split", ["rows", "halves"], ["means", "stds"], axis=1),
        node("Add", ["stds", "alive"], ["stds_and_alive"]),
        node("Div", ["stds", "stds_and_alive"], ["life"]),
        node("Min", ["life", "cap"], ["life_capped"]),
        node("Concat", ["means", "life_capped"], ["squashed"], axis=1),
        node("Sub", ["squashed", "mean"], ["centred"]),
        node("Mul", ["centred", "scale"], ["standardised"]),
        node("MatMul", ["standardised", "mix"], ["whitened"]),
        node("Mul", ["whitened", "whitened"], ["squares"]),
        node("Mul", ["squares", "per_feature"], ["contributions"]),
        node("MatMul", ["contributions", "ones"], ["score"]),
    ]
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "pump-anomaly",
        [tensor("rows", TensorProto.FLOAT, ["rows", features])],
        [
            tensor("score", TensorProto.FLOAT, ["rows", 1]),
            tensor("contributions", TensorProto.FLOAT, ["rows", features]),
        ],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edge-agent models/train_pump_anomaly.py",
    )
    onnx.checker.check_model(model, full_check=True)
    body: bytes = model.SerializeToString()
    return body


def _squash(values: NDArray[np.float32], alive: F64) -> F64:
    tags = len(alive)
    wide = values.astype(np.float64)
    stds = wide[:, tags:]
    life = np.minimum(stds / (stds + alive), CAP)
    return np.concatenate([wide[:, :tags], life], axis=1)


def _rounded(values: F64) -> F64:
    """Each number to a few significant digits."""
    texts = np.array([f"{v:.{_DIGITS}g}" for v in np.ravel(values)], dtype=object)
    return texts.astype(np.float64).reshape(np.shape(values))
