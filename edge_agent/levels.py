"""Levels of the score that differ by context."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.naming import Places, leading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32

    Levels = tuple[F64, NDArray[np.int32]]
    """Ascending scores, and the severity from each of them on."""


class ContextLevels:
    """Levels by the name of a context.

    ``recipeA/early`` has those of ``recipeA`` where it has none of its own, and a
    context that has neither those of the pipeline.

    Args:
        by_name: levels of contexts.
        default: the pipeline's own.
    """

    def __init__(self, by_name: Mapping[str, Levels], default: Levels) -> None:
        self._by_name, self._default = dict(by_name), default
        self._places = Places(list(by_name))
        first = [float(levels[0]) for levels, _ in by_name.values()]
        self._first = np.array([*first, default[0][0]], np.float64)

    def of(self, name: str) -> Levels:
        """Levels of a context."""
        found = leading(name, self._by_name)
        return self._default if found is None else self._by_name[found]

    def thresholds(self, names: Sequence[str], context: I32) -> F64:
        """float64[n] the first level of each row's context.

        Args:
            names: of the contexts by number, a list that is only appended to.
            context: int32[n]; -1 for a row that is not judged, which has the
                pipeline's own.
        """
        found: F64 = self._first[self._places.of(names, context)]
        return found
