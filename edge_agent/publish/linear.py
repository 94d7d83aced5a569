"""Linear models, with each feature's part of the score told.

    z = (row - offset) * factor                   what the model was fitted on
    term of feature i = w_i (z_i - centre_i)      w points towards the bad
    contribution = the term where it is above 0
    sum of terms + base = prediction, or the log odds of bad

``centre`` is the mean of training rows, so a feature at its usual value explains
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from edge_agent.publish.converted import Converted, class_outputs, class_truth
from edge_agent.publish.graphs import ROWS, written
from edge_agent.publish.scaling import affine

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edge_agent.publish.converted import Wanted
    from edge_agent.publish.scaling import Staged
    from edge_agent.samples import F64

_REGRESSORS = frozenset(
    {"LinearRegression", "Ridge", "Lasso", "ElasticNet", "HuberRegressor"}
)
_PAIR = 2


def convert(found: Staged, wanted: Wanted) -> Converted | None:
    """The model explained; None where it is none of these, or stands behind others."""
    model = found.model
    name = type(model).__name__
    logistic = name == "LogisticRegression" and len(wanted.classes) == _PAIR
    scaling = affine(found.scalers, len(wanted.features))
    if found.others or scaling is None or not (logistic or name in _REGRESSORS):
        return None
    weights = np.ravel(model.coef_).astype(np.float64)
    shift = float(np.ravel(model.intercept_)[0])
    if len(weights) != len(wanted.features):
        return None  # several targets at once
    if logistic and wanted.good == wanted.classes[1]:
        weights, shift = -weights, -shift
    centre = ((wanted.rows.astype(np.float64) - scaling[0]) * scaling[1]).mean(axis=0)

    def truth(rows: NDArray[np.float32]) -> dict[str, F64]:
        scaled = rows.astype(np.float64)
        for scaler in found.scalers:
            scaled = scaler.transform(scaled)
        parts = np.maximum((scaled - centre) * weights, 0.0)
        said = (
            class_truth(np.asarray(model.predict_proba(scaled), np.float64), wanted)
            if logistic
            else {"score": np.ravel(model.predict(scaled)).astype(np.float64)}
        )
        return {**said, "contributions": parts}

    outputs = class_outputs("probabilities", wanted) if logistic else {}
    made = _graph(scaling, weights, shift, centre, wanted if logistic else None)
    return Converted(
        source=f"scikit-learn {name}",
        model=made.SerializeToString(),
        input=ROWS,
        outputs={
            **(outputs or {"score": {"output": "score"}}),
            "contributions": "contributions",
        },
        truth=truth,
    )


def _graph(
    scaling: tuple[F64, F64],
    weights: F64,
    shift: float,
    centre: F64,
    classes: Wanted | None,
) -> onnx.ModelProto:
    features = len(weights)
    arrays = {
        "offset": scaling[0].astype(np.float32),
        "factor": scaling[1].astype(np.float32),
        "centre": centre.astype(np.float32),
        "weights": weights.astype(np.float32),
        "base": np.array([weights @ centre + shift], np.float32),
        "ones": np.ones((features, 1), np.float32),
    }
    node = helper.make_node
    last = "score" if classes is None else "odds"
    nodes = [
        node("Sub", [ROWS, "offset"], ["shifted"]),
        node("Mul", ["shifted", "factor"], ["scaled"]),
        node("Sub", ["scaled", "centre"], ["centred"]),
        node("Mul", ["centred", "weights"], ["terms"]),
        node("Relu", ["terms"], ["contributions"]),
        node("MatMul", ["terms", "ones"], ["sum"]),
        node("Add", ["sum", "base"], [last]),
    ]
    if classes is None:
        outputs = {"score": 1, "contributions": features}
        return written(nodes, arrays, features, outputs)
    bad_first = classes.good == classes.classes[1]
    pair = ["bad", "fine"] if bad_first else ["fine", "bad"]
    nodes += [
        node("Sigmoid", ["odds"], ["bad"]),
        node("Sub", ["one", "bad"], ["fine"]),
        node("Concat", pair, ["probabilities"], axis=1),
    ]
    arrays["one"] = np.ones(1, np.float32)
    outputs = {"probabilities": _PAIR, "contributions": features}
    return written(nodes, arrays, features, outputs)
