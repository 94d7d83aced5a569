"""scikit-learn's histogram gradient boosting as one tree ensemble.

Its converter in skl2onnx does not work with the onnx of today, and the trees are plain
enough: raw = baseline + sum of leaves, then the inverse of the loss's link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from edge_agent.errors import ModelRejected
from edge_agent.publish.graphs import written
from edge_agent.publish.trees import Trees, floor32

if TYPE_CHECKING:
    import onnx

_LINKS = {"IdentityLink": "Identity", "LogLink": "Exp"}


def compiled(model: Any) -> onnx.ModelProto:
    """The graph of a fitted HistGradientBoosting model: score, or probabilities.

    Raises:
        ModelRejected: it has categorical features, or a link that is not known.
    """
    trees = [
        _tree(predictor.nodes, target)
        for iteration in model._predictors  # noqa: SLF001  (nothing public tells them)
        for target, predictor in enumerate(iteration)
    ]
    start = np.ravel(model._baseline_prediction).astype(np.float64)  # noqa: SLF001
    columns = len(start)
    ensemble = Trees.joined(trees).to_node("raw", columns, start)
    features = int(model.n_features_in_)
    classes = getattr(model, "classes_", None)
    if classes is None:
        link = type(model._loss.link).__name__  # noqa: SLF001
        if link not in _LINKS:
            raise ModelRejected(f"{type(model).__name__} with {link} is not known here")
        last = helper.make_node(_LINKS[link], ["raw"], ["score"])
        return written([ensemble, last], {}, features, {"score": columns})
    nodes = [ensemble, *_probabilities(columns)]
    weights = {} if columns > 1 else {"one": np.ones(1, np.float32)}
    return written(nodes, weights, features, {"probabilities": len(classes)})


def _probabilities(columns: int) -> list[onnx.NodeProto]:
    node = helper.make_node
    if columns > 1:
        return [node("Softmax", ["raw"], ["probabilities"], axis=1)]
    return [
        node("Sigmoid", ["raw"], ["second"]),
        node("Sub", ["one", "second"], ["first"]),
        node("Concat", ["first", "second"], ["probabilities"], axis=1),
    ]


def _tree(nodes: Any, target: int) -> Trees:
    if nodes["is_categorical"].any():
        raise ModelRejected(
            "the model has categorical features; a gateway's features are numbers: "
            "fit it without categorical_features"
        )
    leaf = nodes["is_leaf"].astype(bool)
    count = len(leaf)
    return Trees(
        tree=np.zeros(count, np.int64),
        node=np.arange(count),
        leaf=leaf,
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=floor32(nodes["num_threshold"]),
        yes=nodes["left"].astype(np.int64),
        no=nodes["right"].astype(np.int64),
        weight=nodes["value"].astype(np.float64),
        target=np.full(count, target),
    )
