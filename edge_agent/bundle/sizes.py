"""Whether what a model costs depends on the numbers in the rows. Pure.

A gateway measures a model over some rows before it may score. That says something
about other rows only where no table's size and no path of the graph hang on a row's
numbers: a single magic value could else ask for 40 GB in the night. So the numbers
are followed through the graph: what is made from the rows may be reckoned with, but
where a size, a count or a choice of path is wanted, only constants and the rows'
shape may arrive. Models of rows keep that by themselves; it also means that a row's
score cannot change the shape of its neighbours'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from edge_agent.bundle.graph import Graph, Node

_ALL = tuple(range(8))
#: Operator -> which of its inputs say how large something becomes or what is run.
_SIZED_BY: dict[str, tuple[int, ...]] = {
    "BlackmanWindow": (0,),
    "Compress": (1,),
    "ConstantOfShape": (0,),
    "DFT": (1, 2),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "If": (0,),
    "NonZero": (0,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": _ALL,
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "STFT": (1, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1, 2),
    "TopK": (1,),
    "Unique": (0,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
_SHAPE_ONLY = frozenset({"Shape", "Size", "EyeLike"})


@dataclass(slots=True)
class _Names:
    known: set[str] = field(default_factory=lambda: {""})
    rows: set[str] = field(default_factory=set)
    """What is made from the rows' numbers. Only ever grows, so that a name used again
    in an inner graph cannot wash itself clean."""


def check_sizes(main: Graph) -> None:
    """Follow the rows' numbers through a graph.

    Raises:
        ModelRejected: a node's cost hangs on them, or nodes are not in order; the text
            names the node.
    """
    names = _Names()
    names.rows |= set(main.inputs) - main.weights
    _follow(main, names)


def _follow(graph: Graph, names: _Names) -> None:
    names.known |= graph.weights | set(graph.inputs)
    for node in graph.nodes:
        if strange := [name for name in node.inputs if name not in names.known]:
            raise ModelRejected(
                f"node {_called(node)} reads {strange[0]!r}, which no node before it "
                "makes"
            )
        _check_node(node, names)
        if _from_rows(node, names):
            names.rows.update(node.outputs)
        names.known.update(node.outputs)


def _check_node(node: Node, names: _Names) -> None:
    operator = node.operator.removeprefix("ai.onnx::")
    for place in _SIZED_BY.get(operator, ()):
        if place < len(node.inputs) and node.inputs[place] in names.rows:
            raise ModelRejected(
                f"node {_called(node)}: what {operator} makes would depend on the "
                "numbers in the rows, so no measurement could bound it: refused"
            )
    for inner in node.graphs:
        # a loop's state comes round again: whatever it began as
        names.rows.update(inner.inputs)
        _follow(inner, names)


def _from_rows(node: Node, names: _Names) -> bool:
    operator = node.operator.removeprefix("ai.onnx::")
    if operator in _SHAPE_ONLY:
        return False
    if operator == "Scan" or any(name in names.rows for name in node.inputs):
        return True
    return any(out in names.rows for inner in node.graphs for out in inner.outputs)


def _called(node: Node) -> str:
    return f"{node.name!r}" if node.name else f"({node.operator})"
