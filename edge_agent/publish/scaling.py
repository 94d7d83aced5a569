"""What stands before a model in a scikit-learn Pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64

    F32 = NDArray[np.float32]

_SCALERS = frozenset({"StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler"})


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A model and the scalers before it.

    Attributes:
        scalers: fitted; each works on every column by itself and keeps their order.
        model: the fitted model at the end.
        others: names of other steps, which cannot be folded away.
    """

    scalers: tuple[Any, ...]
    model: Any
    others: tuple[str, ...] = ()

    def scaled(self, rows: F32) -> F32:
        """Rows as the model sees them; in float32, as scikit-learn does it."""
        for scaler in self.scalers:
            rows = scaler.transform(rows)
        return np.asarray(rows, np.float32)


def staged(model: Any) -> Staged:
    """Take a Pipeline apart; anything else is its own end."""
    if type(model).__name__ != "Pipeline":
        return Staged((), model)
    steps = [step for _, step in model.steps if step not in (None, "passthrough")]
    before, last = steps[:-1], steps[-1]
    names = [type(step).__name__ for step in before]
    others = tuple(name for name in names if name not in _SCALERS)
    return Staged(() if others else tuple(before), last, others)


def affine(scalers: Sequence[Any], features: int) -> tuple[F64, F64] | None:
    """(offset, factor) with ``scaled = (row - offset) * factor``, float64[features].

    None where a scaler clips.
    """
    offset, factor = np.zeros(features), np.ones(features)
    for scaler in scalers:
        if getattr(scaler, "clip", False):
            return None
        own_offset, own_factor = _affine(scaler, features)
        offset = offset + own_offset / factor
        factor = factor * own_factor
    return offset, factor


def _affine(scaler: Any, features: int) -> tuple[F64, F64]:
    name = type(scaler).__name__
    if name == "MinMaxScaler":
        return -scaler.min_ / scaler.scale_, np.asarray(scaler.scale_, np.float64)
    centre = {"StandardScaler": "mean_", "RobustScaler": "center_"}.get(name, "")
    middle = getattr(scaler, centre, None) if centre else None
    if name == "StandardScaler" and not scaler.with_mean:
        middle = None  # it keeps the mean it does not use
    scale = getattr(scaler, "scale_", None)
    return (
        np.zeros(features) if middle is None else np.asarray(middle, np.float64),
        np.ones(features) if scale is None else 1.0 / np.asarray(scale, np.float64),
    )
