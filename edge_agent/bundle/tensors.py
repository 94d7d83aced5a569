"""One tensor of an ONNX file: whether it holds what it declares.

A tensor that declares more than it holds makes a runtime allocate what an attacker
wrote, so that is seen here, before any runtime is. Field numbers are those of
``onnx.proto``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.finite import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, check_finite
from edge_agent.bundle.wire import fields, integers, integers_in, signed, text
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from edge_agent.bundle.wire import Budget

_DIMS, _KIND, _FLOATS, _INT32S, _STRINGS, _INT64S = 1, 2, 4, 5, 6, 7
_NAME, _RAW, _DOUBLES, _UINT64S, _EXTERNAL, _LOCATION = 8, 9, 10, 11, 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

_STRING, _FOUR_BITS = 8, frozenset({21, 22})
#: Bits of one number by kind. Kinds that are not here (complex, 8-bit floats) are used
#: by no model of rows, and nobody here could tell whether they are sound.
_BITS = {
    FLOAT32: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, _STRING: 0, 9: 8,
    FLOAT16: 16, FLOAT64: 64, 12: 32, 13: 64, BFLOAT16: 16, 21: 4, 22: 4,
}  # fmt: skip
#: The field that holds the numbers of a kind when they are not raw; else int32_data.
_TYPED = {
    FLOAT32: _FLOATS, _STRING: _STRINGS, 7: _INT64S, FLOAT64: _DOUBLES,
    12: _UINT64S, 13: _UINT64S,
}  # fmt: skip
_LISTS = frozenset({_FLOATS, _INT32S, _STRINGS, _INT64S, _DOUBLES, _UINT64S})
_MAX_RANK, _MAX_DIMENSION, _MAX_HALF = 16, 1 << 31, 1 << 16


@dataclass(frozen=True, slots=True)
class External:
    """Where a tensor's numbers lie when not in the model's file.

    Attributes:
        tensor: its name.
        kind: what its numbers are, as in ``TensorProto.DataType``.
        size: bytes that it declares.
        location: the file, as the model names it.
        offset: first byte in that file.
    """

    tensor: str
    kind: int
    size: int
    location: str
    offset: int


@dataclass(slots=True)
class _Tensor:
    dims: list[int] = field(default_factory=list)
    kind: int = 0
    name: str = ""
    raw: memoryview | None = None
    lists: list[tuple[int, memoryview | None]] = field(default_factory=list)
    """Packed numbers, or None for one that stands alone, with their field."""
    entries: dict[str, str] | None = None
    """What it says of the file its numbers lie in."""


def read_tensor(
    data: memoryview, budget: Budget, called: str = "", *, bounds: bool = False
) -> tuple[str, External | None]:
    """Look at one tensor.

    Args:
        data: its message.
        budget: what may still be read of the file.
        called: what to call it where it has no name.
        bounds: its numbers are what rows are compared with: infinite ones are sound.

    Returns:
        Its name, and where its numbers lie if outside.

    Raises:
        ModelRejected: it does not hold what it declares, or a weight is no number; the
            text names it.
    """
    tensor = _Tensor()
    for number, value in fields(data, budget):
        _take(tensor, number, value, budget)
    name = tensor.name or called or "without a name"
    numbers = _declared(tensor, name)
    if tensor.entries is not None:
        return name, _outside(tensor, name, numbers)
    _check_holds(tensor, name, numbers)
    for part in _floats(tensor, name, budget):
        check_finite(
            tensor.kind, part, f"tensor {name}", alone=numbers == 1, bounds=bounds
        )
    return name, None


def check_external(found: External, body: bytes) -> None:
    """Hold a tensor against the file its numbers lie in.

    Raises:
        ModelRejected: the file is too short, or a weight is no number.
    """
    part = memoryview(body)[found.offset : found.offset + found.size]
    if len(part) != found.size:
        raise ModelRejected(
            f"tensor {found.tensor} needs {found.size} bytes from byte {found.offset} "
            f"of {found.location}, which has {len(body)}"
        )
    check_finite(found.kind, part, f"tensor {found.tensor}")


def _take(
    tensor: _Tensor, number: int, value: int | memoryview, budget: Budget
) -> None:
    if isinstance(value, int):
        _take_integer(tensor, number, value)
    elif number == _DIMS:
        budget.spend(len(value))
        tensor.dims += integers(value)
    elif number == _NAME:
        tensor.name = text(value)
    elif number == _RAW:
        if tensor.raw is not None:
            raise ModelRejected("a tensor of the ONNX file holds its numbers twice")
        tensor.raw = value
    elif number == _STRINGS:
        tensor.lists.append((number, None))
    elif number in _LISTS:
        tensor.lists.append((number, value))
    elif number == _EXTERNAL:
        tensor.entries = {**(tensor.entries or {}), **_entry(value, budget)}


def _take_integer(tensor: _Tensor, number: int, value: int) -> None:
    if number == _DIMS:
        tensor.dims.append(value)
    elif number == _KIND:
        tensor.kind = value
    elif number == _LOCATION and value:
        # 1 is "outside"; protobuf cuts an enum to 32 bits, so others might become it
        tensor.entries = tensor.entries or {}
    elif number in _LISTS:
        tensor.lists.append((number, None))


def _entry(data: memoryview, budget: Budget) -> dict[str, str]:
    key, value = "", ""
    for number, part in fields(data, budget):
        if isinstance(part, int):
            continue
        if number == _ENTRY_KEY:
            key = text(part)
        elif number == _ENTRY_VALUE:
            value = text(part)
    return {key: value}


def _declared(tensor: _Tensor, name: str) -> int:
    """How many numbers it says it has."""
    if tensor.kind not in _BITS:
        raise ModelRejected(f"tensor {name} has numbers of kind {tensor.kind}: refused")
    dims = [signed(d) for d in tensor.dims]
    if len(dims) > _MAX_RANK or any(not 0 <= d < _MAX_DIMENSION for d in dims):
        raise ModelRejected(f"tensor {name} has impossible dimensions {dims[:5]}")
    return math.prod(dims)


def _check_holds(tensor: _Tensor, name: str, numbers: int) -> None:
    bits = _BITS[tensor.kind]
    if tensor.raw is not None:
        held = len(tensor.raw)
        wanted, unit = -(-numbers * bits // 8), "bytes"
        if tensor.lists or not bits:
            raise ModelRejected(f"tensor {name} holds its numbers twice")
    else:
        place = _TYPED.get(tensor.kind, _INT32S)
        held = sum(_held(at, part) for at, part in tensor.lists)
        if any(at != place for at, _ in tensor.lists):
            raise ModelRejected(f"tensor {name} holds numbers of another kind")
        wanted, unit = numbers, "numbers"
        if tensor.kind in _FOUR_BITS:
            wanted = -(-numbers // 2)
    if held != wanted:
        raise ModelRejected(
            f"tensor {name} declares {wanted} {unit} ({_shape(tensor)}), and holds "
            f"{held}"
        )


def _shape(tensor: _Tensor) -> str:
    return " x ".join(str(d) for d in tensor.dims) or "a single one"


def _held(place: int, part: memoryview | None) -> int:
    if part is None:
        return 1
    if place not in {_FLOATS, _DOUBLES}:
        return integers_in(part)
    held, rest = divmod(len(part), 4 if place == _FLOATS else 8)
    return held if not rest else -1


def _floats(tensor: _Tensor, name: str, budget: Budget) -> list[memoryview]:
    """Its numbers as bytes, where they are floats."""
    if tensor.raw is not None:
        return [tensor.raw]
    packed = [part for _, part in tensor.lists if part is not None]
    if tensor.kind not in {FLOAT16, BFLOAT16}:
        return packed
    halves: list[int] = []
    for part in packed:
        budget.spend(integers_in(part))
        halves += integers(part)
    if any(half >= _MAX_HALF for half in halves) or len(packed) < len(tensor.lists):
        raise ModelRejected(f"tensor {name} holds numbers that are no 16-bit floats")
    return [memoryview(np.array(halves, "<u2").tobytes())]


def _outside(tensor: _Tensor, name: str, numbers: int) -> External:
    said, bits = tensor.entries or {}, _BITS[tensor.kind]
    size, offset = -(-numbers * bits // 8), _whole_number(said.get("offset", "0"))
    length = _whole_number(said.get("length", str(size)))
    if not bits or offset is None or length != size or tensor.raw is not None:
        raise ModelRejected(
            f"tensor {name} lies in another file, and not the {size} bytes it declares"
        )
    return External(name, tensor.kind, size, said.get("location", ""), offset)


def _whole_number(digits: str) -> int | None:
    return int(digits) if digits.isdecimal() and len(digits) <= 18 else None  # noqa: PLR2004
