"""Golden rows: what the model gave where it was trained, to be reproduced here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.reading import read_json
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.bundle.passport import Passport
    from edge_agent.samples import F64

_GOLDEN_OUTPUTS = frozenset({"score", "contributions", "probabilities"})


@dataclass(frozen=True, slots=True)
class GoldenRows:
    """Inputs and the outputs they had where the model was trained.

    Attributes:
        inputs: float32[rows, features].
        outputs: what the agent must read from them: ``score`` [rows], and where the
            passport binds them ``contributions`` [rows, features] and
            ``probabilities`` [rows, classes].
    """

    inputs: NDArray[np.float32]
    outputs: dict[str, F64]


def read_golden(body: bytes, passport: Passport) -> GoldenRows:
    """Golden rows from their file.

    Raises:
        ModelRejected: not rows of numbers that fit the passport.
    """
    where, width = passport.golden.file, len(passport.features)
    data = read_json(body, where)
    inputs, outputs = data.get("inputs"), data.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, dict):
        raise ModelRejected(f"{where} must hold inputs (rows) and outputs (by name)")
    if "score" not in outputs or set(outputs) - _GOLDEN_OUTPUTS:
        allowed = ", ".join(sorted(_GOLDEN_OUTPUTS))
        raise ModelRejected(
            f"{where}: outputs must hold score and nothing but {allowed}"
        )
    rows = _numbers(inputs, where, "inputs").astype(np.float32)
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):  # noqa: PLR2004
        raise ModelRejected(
            f"{where}: inputs have shape {list(rows.shape)}; one number for each "
            f"of the {width} features is wanted"
        )
    expected = {str(k): _numbers(v, where, f"outputs.{k}") for k, v in outputs.items()}
    for name, values in expected.items():
        if values.ndim == 0 or len(values) != len(rows):
            raise ModelRejected(f"{where}: outputs.{name} must have {len(rows)} rows")
    return GoldenRows(rows, expected)


def _numbers(value: object, where: str, what: str) -> F64:
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ModelRejected(
            f"{where}: {what} must be numbers, in equal rows"
        ) from error
    if not np.isfinite(numbers).all():
        raise ModelRejected(f"{where}: {what} must be finite numbers")
    return numbers


def difference(
    name: str, expected: F64, got: NDArray[Any] | None, passport: Passport
) -> str:
    """The first number that is further off than allowed, in a sentence; else empty."""
    if got is None or got.shape != expected.shape:
        found = "nothing" if got is None else f"shape {list(got.shape)}"
        return (
            f"golden rows expect {name} of shape {list(expected.shape)}, the model "
            f"gives {found}"
        )
    allowed = passport.golden
    near = np.isclose(got, expected, rtol=allowed.rtol, atol=allowed.atol)
    if near.all():
        return ""
    at = tuple(int(i) for i in np.argwhere(~near)[0])
    what = f"{name} of {_column(passport, name, at[1])}" if len(at) > 1 else name
    return (
        f"golden row {at[0] + 1} of {len(expected)}: {what} should be "
        f"{expected[at]:.6g}, this gateway computes {got[at]:.6g} (allowed difference "
        f"{allowed.rtol:g} relative); the model is not the one that was trained, or "
        "its passport binds the wrong output"
    )


def _column(passport: Passport, name: str, column: int) -> str:
    if name == "contributions":
        return f"feature {passport.features[column].name}"
    binding = passport.model.outputs.probabilities
    return f"class {binding.classes[column]}" if binding else f"column {column}"
