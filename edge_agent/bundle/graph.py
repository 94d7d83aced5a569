"""A look into an ONNX file without running it.

The gateway does not carry the ``onnx`` package (its parsers have had security holes
and it is large); the facts wanted here, versions, operators, how nodes are tied and
whether weights are sound, are read straight from the wire. Field numbers are those of
``onnx.proto``. What no model of rows needs and a reader could be fooled with is
refused on sight: functions, sparse tensors, training graphs, names given twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.bundle.finite import FLOAT32, check_finite
from edge_agent.bundle.tensors import read_tensor
from edge_agent.bundle.wire import Budget, fields, signed, text
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from edge_agent.bundle.tensors import External

MAX_DEPTH, MAX_NODES = 16, 20_000

_MODEL_IR, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_TRAINING, _MODEL_FUNCTIONS = (
    1, 7, 8, 20, 25,
)  # fmt: skip
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_GRAPH_SPARSE = 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_NODE_DOMAIN = 7
_ATTRIBUTE_NAME, _ATTRIBUTE_INTEGER, _ATTRIBUTE_FLOATS, _ATTRIBUTE_INTEGERS = 1, 3, 7, 8
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH = frozenset({5, 10}), frozenset({6, 11})
_ATTRIBUTE_SPARSE = frozenset({22, 23})
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPES = {1: "tensor", 4: "sequence", 5: "map", 7: "opaque", 8: "sparse", 9: "optional"}
#: What trees compare rows with; see `finite.check_finite`.
_BOUNDS = frozenset({"nodes_values", "nodes_values_as_tensor", "nodes_splits"})


@dataclass(slots=True)
class Node:
    """One step of a graph.

    Attributes:
        operator: ``domain::operator``, the default domain as ``ai.onnx``.
        name: its name, for errors; may be empty.
        inputs, outputs: names of values; an input left out is empty.
        flags: attributes that are one integer.
        graphs: inner graphs.
    """

    operator: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    flags: dict[str, int] = field(default_factory=dict)
    graphs: list[Graph] = field(default_factory=list)


@dataclass(slots=True)
class Graph:
    """Nodes in order, and the names they start from and end in.

    Attributes:
        nodes: as the file has them.
        inputs, outputs: name -> ``tensor``, ``sequence``, ``map`` …
        weights: names of its initializers.
    """

    nodes: list[Node] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    weights: set[str] = field(default_factory=set)


@dataclass(slots=True)
class GraphFacts:
    """What an ONNX file needs.

    Attributes:
        ir_version: version of the file format.
        opsets: operator set version by domain; ``ai.onnx`` for the default one.
        operators: ``domain::operator`` with how many nodes use it.
        external: tensors whose numbers lie in other files.
        main: the graph that is run.
    """

    ir_version: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    external: list[External] = field(default_factory=list)
    main: Graph = field(default_factory=Graph)

    @property
    def nodes(self) -> int:
        """Count nodes, those of inner graphs included."""
        return sum(self.operators.values())


def inspect(model: bytes) -> GraphFacts:
    """Facts about an ONNX file.

    Raises:
        ModelRejected: the bytes are no ONNX model, a truncated one, or one that holds
            what may not be there; the text names it.
    """
    look = _Look()
    graphs = 0
    for number, value in fields(memoryview(model), look.budget):
        if isinstance(value, int):
            if number == _MODEL_IR:
                look.facts.ir_version = value
        elif number == _MODEL_OPSET:
            look.read_opset(value)
        elif number == _MODEL_GRAPH:
            graphs += 1
            look.facts.main = look.read_graph(value, 0)
        elif number == _MODEL_FUNCTIONS:
            raise ModelRejected("it defines functions: export it with them inlined")
        elif number == _MODEL_TRAINING:
            raise ModelRejected("it holds a training graph: export it for inference")
    if not look.facts.ir_version or not look.facts.opsets or graphs != 1:
        raise ModelRejected("the file is not an ONNX model")
    return look.facts


class _Look:
    """One look: what was found, and how much more may be read."""

    def __init__(self) -> None:
        self.facts = GraphFacts()
        self.budget = Budget()
        self._nodes = 0

    def read_opset(self, data: memoryview) -> None:
        domain, version = "", 0
        for number, value in fields(data, self.budget):
            if number == _OPSET_DOMAIN and not isinstance(value, int):
                domain = text(value)
            elif number == _OPSET_VERSION and isinstance(value, int):
                version = signed(value)
        # skl2onnx states the default domain twice
        domain = domain or "ai.onnx"
        self.facts.opsets[domain] = max(version, self.facts.opsets.get(domain, 0))

    def read_graph(self, data: memoryview, depth: int) -> Graph:
        if depth > MAX_DEPTH:
            raise ModelRejected(f"the graph is nested more than {MAX_DEPTH} deep")
        graph, outside = Graph(), len(self.facts.external)
        for number, value in fields(data, self.budget):
            if isinstance(value, int):
                continue
            if number == _GRAPH_NODE:
                graph.nodes.append(self._read_node(value, depth))
            elif number == _GRAPH_INITIALIZER:
                self._read_weight(value, graph)
            elif number == _GRAPH_INPUT:
                graph.inputs.update(self._read_value(value))
            elif number == _GRAPH_OUTPUT:
                graph.outputs.update(self._read_value(value))
            elif number == _GRAPH_SPARSE:
                raise ModelRejected("it holds sparse tensors: store them dense")
        if depth and len(self.facts.external) > outside:
            # ONNX Runtime 1.32 takes those from the path, whatever bytes it was handed
            raise ModelRejected("an inner graph keeps weights in other files")
        return graph

    def _read_weight(self, data: memoryview, graph: Graph) -> None:
        name, external = read_tensor(data, self.budget)
        if name in graph.weights:
            raise ModelRejected(f"tensor {name} is there twice")
        graph.weights.add(name)
        if external is not None:
            self.facts.external.append(external)

    def _read_value(self, data: memoryview) -> dict[str, str]:
        """Name and sort of an input or output."""
        name, sort = "", "tensor"
        for number, value in fields(data, self.budget):
            if isinstance(value, int):
                continue
            if number == _VALUE_NAME:
                name = text(value)
            elif number == _VALUE_TYPE:
                for which, _ in fields(value, self.budget):
                    if which in _TYPES:
                        sort = _TYPES[which]
        return {name: sort}

    def _read_node(self, data: memoryview, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ModelRejected(f"it has more than {MAX_NODES} nodes")
        found: dict[int, list[memoryview]] = {}
        for number, value in fields(data, self.budget):
            if not isinstance(value, int):
                found.setdefault(number, []).append(value)
        domain = _last(found, _NODE_DOMAIN) or "ai.onnx"
        node = Node(
            f"{domain}::{_last(found, _NODE_OPERATOR)}",
            _last(found, _NODE_NAME),
            [text(name) for name in found.get(_NODE_INPUT, ())],
            [text(name) for name in found.get(_NODE_OUTPUT, ())],
        )
        count = self.facts.operators.get(node.operator, 0)
        self.facts.operators[node.operator] = count + 1
        for attribute in found.get(_NODE_ATTRIBUTE, ()):
            self._read_attribute(attribute, node, depth)
        return node

    def _read_attribute(self, data: memoryview, node: Node, depth: int) -> None:
        name, floats = "", list[memoryview]()
        tensors, graphs = list[memoryview](), list[memoryview]()
        passed = frozenset({_ATTRIBUTE_INTEGERS})
        flag: int | None = None
        for number, value in fields(data, self.budget, passed):
            if isinstance(value, int):
                flag = signed(value) if number == _ATTRIBUTE_INTEGER else flag
            elif number == _ATTRIBUTE_NAME:
                name = text(value)
            elif number == _ATTRIBUTE_FLOATS:
                floats.append(value)
            elif number in _ATTRIBUTE_TENSOR:
                tensors.append(value)
            elif number in _ATTRIBUTE_GRAPH:
                graphs.append(value)
            elif number in _ATTRIBUTE_SPARSE:
                raise ModelRejected("it holds sparse tensors: store them dense")
        if flag is not None:
            node.flags[name] = flag
        called = f"{name} of {node.name or node.operator}"
        self._check_numbers(floats, tensors, called, bounds=name in _BOUNDS)
        node.graphs += [self.read_graph(inner, depth + 1) for inner in graphs]

    def _check_numbers(
        self,
        floats: list[memoryview],
        tensors: list[memoryview],
        called: str,
        *,
        bounds: bool,
    ) -> None:
        for part in floats:
            if len(part) % 4:
                raise ModelRejected(f"{called} is cut off")
            check_finite(FLOAT32, part, called, bounds=bounds)
        for tensor in tensors:
            _, external = read_tensor(tensor, self.budget, called, bounds=bounds)
            if external is not None:
                self.facts.external.append(external)


def _last(found: dict[int, list[memoryview]], number: int) -> str:
    """A name that is there once; of several the last counts, as in protobuf."""
    return text(found[number][-1]) if number in found else ""
