"""Trees for the gateway: thresholds that decide in float32 as the source does.

A library keeps thresholds in float64 and compares float32 readings with them. Rounded
to the nearest float32, a threshold may pass over a reading that lies between the two,
and the row falls to the other side. Rounded *down* it never does: ``x <= t`` holds for
a float32 x exactly when ``x <= floor32(t)``.

A scaler before the trees works on each column by itself and never changes the order of
two readings, so a tree behind it is a tree on the readings with other thresholds. They
are found exactly, by bisection over the float32 numbers with the scaler itself as the
judge. The graph then has no scaler, whose own rounding would flip rows again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edge_agent.publish.graphs import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

    F32 = NDArray[np.float32]
    Bools = NDArray[np.bool_]
    Scale = Callable[[F32], F32]

_HIGHEST = int(np.float32(np.finfo(np.float32).max).view(np.int32))
_STEPS = 33
_BRANCHES = {b"BRANCH_LEQ": False, b"BRANCH_LT": True}


def floor32(thresholds: F64) -> F32:
    """The largest float32 that is not above each threshold."""
    wide = np.asarray(thresholds, np.float64)
    with np.errstate(over="ignore"):
        near = wide.astype(np.float32)
    return np.where(near > wide, np.nextafter(near, np.float32(-np.inf)), near)


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Nodes of several trees as columns; children are numbered within their tree.

    Attributes:
        tree, node: int64[n] which tree, and which of its nodes.
        leaf: bool[n].
        feature: int64[n] column that a branch looks at.
        threshold: float32[n] of a branch: ``x <= threshold`` goes to ``yes``.
        yes, no: int64[n] children of a branch.
        weight: float64[n] of a leaf.
        target: int64[n] column of the output that a leaf adds to.
    """

    tree: I64
    node: I64
    leaf: Bools
    feature: I64
    threshold: F32
    yes: I64
    no: I64
    weight: F64
    target: I64

    @staticmethod
    def joined(parts: list[Trees]) -> Trees:
        """Several trees as one ensemble, numbered in order."""
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Trees.__slots__
            if name != "tree"
        }
        sizes = [len(part.node) for part in parts]
        return Trees(tree=np.repeat(np.arange(len(parts)), sizes), **columns)

    def to_node(self, output: str, targets: int, start: F64) -> onnx.NodeProto:
        """One TreeEnsembleRegressor: the sum of what all trees say, from ``start``."""
        branch = ~self.leaf
        modes = np.where(self.leaf, "LEAF", "BRANCH_LEQ")
        return helper.make_node(
            "TreeEnsembleRegressor",
            [ROWS],
            [output],
            domain="ai.onnx.ml",
            n_targets=targets,
            aggregate_function="SUM",
            post_transform="NONE",
            base_values=start.tolist(),
            nodes_treeids=self.tree.tolist(),
            nodes_nodeids=self.node.tolist(),
            nodes_modes=modes.tolist(),
            nodes_featureids=np.where(branch, self.feature, 0).tolist(),
            nodes_values=np.where(branch, self.threshold, 0).tolist(),
            nodes_truenodeids=np.where(branch, self.yes, 0).tolist(),
            nodes_falsenodeids=np.where(branch, self.no, 0).tolist(),
            target_treeids=self.tree[self.leaf].tolist(),
            target_nodeids=self.node[self.leaf].tolist(),
            target_ids=self.target[self.leaf].tolist(),
            target_weights=self.weight[self.leaf].tolist(),
        )


def fold(model: onnx.ModelProto, scale: Scale, features: int) -> bool:
    """Move a scaler into the thresholds of the graph's trees; changes the model.

    Args:
        model: its tree nodes read the graph's input.
        scale: float32[n, features] readings to what the trees were fitted on.
        features: columns of the input.

    Returns:
        False, with nothing changed, when a tree node reads anything else or compares
        otherwise than by <= or <.
    """
    inputs = {one.name for one in model.graph.input}
    nodes = [node for node in model.graph.node if node.op_type.startswith("TreeEn")]
    if not nodes or any(node.input[0] not in inputs for node in nodes):
        return False
    modes = {mode for node in nodes for mode in _attribute(node, "nodes_modes").strings}
    if modes - set(_BRANCHES) - {b"LEAF"}:
        return False
    for node in nodes:
        _fold_node(node, scale, features)
    return True


def _fold_node(node: onnx.NodeProto, scale: Scale, features: int) -> None:
    modes = _attribute(node, "nodes_modes").strings
    branch = np.array([mode in _BRANCHES for mode in modes])
    strict = np.array([_BRANCHES.get(mode, False) for mode in modes])
    columns = np.array(_attribute(node, "nodes_featureids").ints, np.int64)
    values = _thresholds(node)
    values[branch] = moved(
        values[branch], columns[branch], strict[branch], scale, features
    )
    for name in ("nodes_values", "nodes_values_as_tensor"):
        for attribute in [a for a in node.attribute if a.name == name]:
            node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute("nodes_values", values.tolist()))


def _thresholds(node: onnx.NodeProto) -> F32:
    for attribute in node.attribute:
        if attribute.name == "nodes_values_as_tensor":
            return numpy_helper.to_array(attribute.t).astype(np.float32)
    return np.array(_attribute(node, "nodes_values").floats, np.float32)


def _attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    found: onnx.AttributeProto = next(a for a in node.attribute if a.name == name)
    return found


def moved(
    thresholds: F32, columns: I64, strict: Bools, scale: Scale, features: int
) -> F32:
    """Thresholds on readings that decide as these do on scaled readings.

    Args:
        thresholds: float32[k], on what the scaler gives.
        columns: int64[k], of which feature.
        strict: bool[k], true for ``x < t``, false for ``x <= t``.
        scale: never falls as a reading grows.
        features: columns of the scaler.
    """
    order = np.argsort(columns, kind="stable")
    column = columns[order]
    # one table row holds at most one threshold of each feature
    place = np.arange(len(column)) - np.searchsorted(column, column)
    table = np.zeros((int(place.max(initial=-1)) + 1, features), np.float32)
    limit, only_below = thresholds[order], strict[order]

    def holds(keys: I64) -> Bools:
        table[place, column] = _number(keys)
        with np.errstate(over="ignore"):
            seen = scale(table)[place, column]
        found: Bools = np.where(only_below, seen < limit, seen <= limit)
        return found

    low = np.full(len(column), -_HIGHEST - 1, np.int64)  # -inf: holds, or nothing does
    high = np.full(len(column), _HIGHEST + 1, np.int64)  # inf: does not, or all do
    for _ in range(_STEPS):
        middle = np.clip((low + high) // 2, -_HIGHEST, _HIGHEST)
        found = holds(middle)
        low = np.where(found, np.maximum(low, middle), low)
        high = np.where(found, high, np.minimum(high, middle))
    last = np.where(only_below, low + 1, low)
    result = np.empty(len(column), np.float32)
    result[order] = _number(last)
    return result


def _number(keys: I64) -> F32:
    """Float32 numbers by their rank: 0 for 0, one up for each next number."""
    magnitude = np.minimum(np.abs(keys), _HIGHEST + 1).astype(np.int32)
    value = magnitude.view(np.float32)
    return np.where(keys < 0, -value, value)


def of_sklearn(tree: Any, *, features: I64 | None = None) -> Trees:
    """A scikit-learn ``tree_``; its leaves have no weight yet.

    Args:
        tree: the fitted structure.
        features: column of each of the features the tree was fitted on, where it saw
            only some.
    """
    leaf = np.asarray(tree.children_left) < 0
    columns = np.where(leaf, 0, tree.feature).astype(np.int64)
    if features is not None:
        columns = np.asarray(features, np.int64)[columns]
    count = len(leaf)
    return Trees(
        tree=np.zeros(count, np.int64),
        node=np.arange(count),
        leaf=leaf,
        feature=columns,
        threshold=floor32(tree.threshold),
        yes=np.asarray(tree.children_left, np.int64),
        no=np.asarray(tree.children_right, np.int64),
        weight=np.zeros(count),
        target=np.zeros(count, np.int64),
    )
