"""What the detectors of change in a stream of numbers have in common.

A detector is a value: `update` hands back the next one, with the places of the numbers
at which it saw a change. Fed one by one or all at once, it sees the same. `saved` gives
its state as arrays, the class's `restored` takes them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from edge_agent.monitoring.statistics.finite import MOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

    Arrays = Mapping[str, NDArray[np.generic]]


class Detector(Protocol):
    """Sees when a stream of numbers changes its level."""

    @property
    def dropped(self) -> int:
        """Numbers left out because they were not finite, since the beginning."""

    def update(self, values: F64) -> tuple[Self, I64]:
        """Behind some more numbers.

        Args:
            values: float64[n] in order.

        Returns:
            The detector behind them, and int64[k], rising: the places in ``values``
            at which it saw a change.
        """

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """Its state, for a checkpoint."""


def usable(values: F64, scale: float) -> tuple[list[float], I64]:
    """The finite ones over the scale, and int64[k] their places."""
    with np.errstate(over="ignore"):
        given = np.asarray(values, np.float64) / scale
    places = np.flatnonzero(np.abs(given) <= MOST)
    numbers: list[float] = given[places].tolist()
    return numbers, places


def checked(
    arrays: Arrays, name: str, kind: type[np.generic], *shape: int
) -> list[float]:
    """One array of a checkpoint, as plain numbers; a length of -1 may be any.

    Raises:
        KeyError: it is missing.
        ValueError: it is of another kind or shape, or holds what is not finite.
    """
    given = arrays[name]
    fits = given.ndim == len(shape) and all(
        wanted in {-1, length}
        for wanted, length in zip(shape, given.shape, strict=False)
    )
    if given.dtype != kind or not fits:
        raise ValueError(f"{name} is {given.dtype}{list(given.shape)}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} holds what is no number")
    numbers: list[float] = given.tolist()
    return numbers
