"""Whether weights are numbers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

#: Kinds of floats, as in ``TensorProto.DataType``.
FLOAT32, FLOAT16, FLOAT64, BFLOAT16 = 1, 10, 11, 16

_WIRE = {FLOAT32: "<f4", FLOAT16: "<f2", FLOAT64: "<f8", BFLOAT16: "<u2"}
_LOOK_BYTES = 1 << 22


def check_finite(
    kind: int,
    numbers: memoryview,
    name: str,
    *,
    alone: bool = False,
    bounds: bool = False,
) -> None:
    """Refuse weights that are no numbers.

    Args:
        kind: what they are; other kinds than floats pass.
        numbers: their bytes, little-endian.
        name: for the error.
        alone: the only number of its tensor: a constant such as the ``-inf`` that
            attention masks are filled with, no weight.
        bounds: numbers that rows are compared with: scikit-learn and LightGBM split at
            infinity where what is missing goes another way.

    Raises:
        ModelRejected: a NaN, or an infinite number where none may be.
    """
    if kind not in _WIRE:
        return
    for first in range(0, len(numbers), _LOOK_BYTES):
        part = _floats(kind, numbers[first : first + _LOOK_BYTES])
        if np.isnan(part).any():
            raise ModelRejected(
                f"{name} holds NaN: the training has diverged; train again"
            )
        if not (alone or bounds) and np.isinf(part).any():
            raise ModelRejected(
                f"{name} holds an infinite number: the training has diverged, or a "
                "mask is kept as a table (use a large finite number in it)"
            )


def _floats(kind: int, part: memoryview) -> NDArray[np.floating[Any]]:
    numbers = np.frombuffer(part, _WIRE[kind])
    if kind != BFLOAT16:
        return numbers
    # the upper half of a float32
    return (numbers.astype(np.uint32) << 16).view(np.float32)
