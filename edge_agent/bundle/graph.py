"""A look into an ONNX file without running it.

The gateway does not carry the ``onnx`` package (its parsers have had security holes
and it is large); the few facts wanted here, versions, operators and where weights
lie, are read straight from the protobuf wire format. Field numbers are those of
``onnx.proto``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 16

_MODEL_IR, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_FUNCTIONS = 1, 7, 8, 25
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH = 5, 6
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 10, 11
_TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 8, 13, 14
_FUNCTION_NODE = 7
_SPARSE_VALUES, _SPARSE_INDICES = 1, 2
# a forest is one node with some 100,000 numbers and words, each a field of its own:
# floats (7), integers (8) and strings of up to 31 bytes (9) in a row are skipped at
# once, ten times as fast as one by one
_WORDS = b"|".join(b"\\x%02x.{%d}" % (size, size) for size in range(32))
_LISTED = re.compile(
    rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f]|\x4a(?:%b))++" % _WORDS, re.DOTALL
)


@dataclass(slots=True)
class GraphFacts:
    """What an ONNX file needs.

    Attributes:
        ir_version: version of the file format.
        opsets: operator set version by domain; ``ai.onnx`` for the default one.
        operators: ``domain::operator`` with how many nodes use it.
        external: names of tensors whose numbers lie in other files.
    """

    ir_version: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    external: list[str] = field(default_factory=list)

    @property
    def nodes(self) -> int:
        """Count nodes, those of inner graphs and functions included."""
        return sum(self.operators.values())


def inspect(model: bytes) -> GraphFacts:
    """Facts about an ONNX file.

    Raises:
        ModelRejected: the bytes are no ONNX model, or a truncated one.
    """
    facts = GraphFacts()
    graphs = 0
    for number, value in _fields(memoryview(model)):
        if number == _MODEL_IR and isinstance(value, int):
            facts.ir_version = value
        elif number == _MODEL_OPSET and not isinstance(value, int):
            _read_opset(value, facts)
        elif number == _MODEL_GRAPH and not isinstance(value, int):
            graphs += 1
            _read_graph(value, facts, 0)
        elif number == _MODEL_FUNCTIONS and not isinstance(value, int):
            _read_nodes(value, _FUNCTION_NODE, facts, 0)
    if not facts.ir_version or not facts.opsets or graphs != 1:
        raise ModelRejected("the file is not an ONNX model")
    return facts


def _fields(
    data: memoryview, skipped: re.Pattern[bytes] | None = None
) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number and its integer or its bytes, but for those skipped."""
    at, end = 0, len(data)
    while at < end:
        if skipped and (run := skipped.match(data, at)):
            at = run.end()
            continue
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ModelRejected("the file is not an ONNX model (unknown wire type)")
        if at + size > end:
            raise ModelRejected("the ONNX file is cut off: it ends inside a field")
        if wire == _BYTES:
            yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ModelRejected("the ONNX file is cut off: it ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise ModelRejected("the file is not an ONNX model (endless number)")


def _read_opset(data: memoryview, facts: GraphFacts) -> None:
    domain, version = "", 0
    for number, value in _fields(data):
        if number == _OPSET_DOMAIN and not isinstance(value, int):
            domain = _text(value)
        elif number == _OPSET_VERSION and isinstance(value, int):
            version = value
    facts.opsets[domain or "ai.onnx"] = version


def _read_graph(data: memoryview, facts: GraphFacts, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ModelRejected(f"the ONNX graph is nested more than {_MAX_DEPTH} deep")
    _read_nodes(data, _GRAPH_NODE, facts, depth)
    for number, value in _fields(data):
        if isinstance(value, int):
            continue
        if number == _GRAPH_INITIALIZER:
            _read_tensor(value, facts)
        elif number == _GRAPH_SPARSE:
            # a sparse tensor holds two dense ones: values and indices
            for part, inner in _fields(value):
                if part in {_SPARSE_VALUES, _SPARSE_INDICES} and not isinstance(
                    inner, int
                ):
                    _read_tensor(inner, facts)


def _read_nodes(data: memoryview, nodes: int, facts: GraphFacts, depth: int) -> None:
    for number, value in _fields(data):
        if number == nodes and not isinstance(value, int):
            _read_node(value, facts, depth)


def _read_node(data: memoryview, facts: GraphFacts, depth: int) -> None:
    operator, domain = "", ""
    for number, value in _fields(data):
        if isinstance(value, int):
            continue
        if number == _NODE_OPERATOR:
            operator = _text(value)
        elif number == _NODE_DOMAIN:
            domain = _text(value)
        elif number == _NODE_ATTRIBUTE:
            _read_attribute(value, facts, depth)
    key = f"{domain or 'ai.onnx'}::{operator}"
    facts.operators[key] = facts.operators.get(key, 0) + 1


def _read_attribute(data: memoryview, facts: GraphFacts, depth: int) -> None:
    for number, value in _fields(data, _LISTED):
        if isinstance(value, int):
            continue
        if number in {_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS}:
            _read_graph(value, facts, depth + 1)
        elif number in {_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS}:
            _read_tensor(value, facts)


def _read_tensor(data: memoryview, facts: GraphFacts) -> None:
    name, external = "", False
    for number, value in _fields(data):
        if number == _TENSOR_NAME and not isinstance(value, int):
            name = _text(value)
        elif number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value == 1):
            external = True
    if external:
        facts.external.append(name or "(unnamed)")


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "replace")
