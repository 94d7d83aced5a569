"""Levels of the score that differ by context."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.naming import leading

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
        self._names: Sequence[str] = ()
        self._table: F64 = np.zeros(0)

    def of(self, name: str) -> Levels:
        """Levels of a context."""
        found = leading(name, self._by_name)
        return self._default if found is None else self._by_name[found]

    def thresholds(self, names: Sequence[str], context: I32) -> F64:
        """float64[n] the first level of each row's context.

        Args:
            names: of the contexts, a list that only grows.
            context: int32[n] positions in it; -1 for a row that is not judged, which
                has the pipeline's own.
        """
        if self._names is not names or len(self._table) != len(names) + 1:
            levels = [self.of(name)[0][0] for name in names]
            self._names = names
            self._table = np.array([*levels, self._default[0][0]])
        found: F64 = self._table[context]
        return found
