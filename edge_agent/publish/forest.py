"""An IsolationForest as one tree ensemble.

The usual conversion looks up each tree's leaf, its path length and its sample count in
nodes of their own, some thirty a tree: milliseconds a run. All a leaf has to say is one
number, known when the forest is fitted::

    length(leaf) = depth + c(rows that ended in it)
    c(n) = 2 (ln(n - 1) + 0.5772...) - 2 (n - 1) / n;  c(1) = 0, c(2) = 1
    score = 2 ^ -(mean length / c(max_samples))

so length becomes the leaf's weight, scaled such that the score is Exp of the sum. A
forest of one-row samples has c = 0; scikit-learn then scores every row 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from edge_agent.publish.graphs import written
from edge_agent.publish.trees import Trees, of_sklearn

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64


def compiled(forest: Any) -> onnx.ModelProto:
    """The graph of a fitted IsolationForest: rows to score, 0..1, high is odd."""
    trees = [
        _weighted(estimator.tree_, features)
        for estimator, features in zip(
            forest.estimators_, forest.estimators_features_, strict=True
        )
    ]
    ensemble = Trees.joined(trees)
    whole = len(trees) * float(path_length(np.array([forest.max_samples_]))[0])
    log2 = float(np.log(2.0))
    start = 0.0 if whole else -log2
    ensemble.weight[:] *= -log2 / whole if whole else 0.0
    nodes = [
        ensemble.to_node("exponent", 1, np.array([start])),
        helper.make_node("Exp", ["exponent"], ["score"]),
    ]
    return written(nodes, {}, int(forest.n_features_in_), {"score": 1})


def path_length(rows: NDArray[np.int64]) -> F64:
    """c(n): mean length of the path that would part n rows."""
    n = np.maximum(rows, 3).astype(np.float64)
    long = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    short = np.where(rows == 2, 1.0, 0.0)  # noqa: PLR2004  (the formula's own case)
    return np.where(rows > 2, long, short)  # noqa: PLR2004


def _weighted(tree: Any, features: I64) -> Trees:
    nodes = of_sklearn(tree, features=features)
    depth = np.zeros(len(nodes.node), np.int64)
    for node in np.flatnonzero(~nodes.leaf):  # a child's number is above its parent's
        depth[[nodes.yes[node], nodes.no[node]]] = depth[node] + 1
    length = depth + path_length(np.asarray(tree.n_node_samples, np.int64))
    nodes.weight[:] = np.where(nodes.leaf, length, 0.0)
    return nodes
