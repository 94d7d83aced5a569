"""What is usual, from the training data's profile: for explanations, by context."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.profile import QUANTILES
from edge_agent.explain import Ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.bundle.profile import Tally
    from edge_agent.bundle.reference import Profile, Reference

LEAST = 50
"""Rows of a context below which its range would be chance; the whole's is used."""

_MOST = 3e38
"""Fits float32."""


def ranges(
    reference: Reference, names: Sequence[str], contexts: Sequence[str]
) -> Ranges:
    """Usual range, mean and spread of each feature, by context.

    Args:
        reference: the profile.
        names: of the features, in the model's order.
        contexts: of the plant, in order; those the profile does not know, or hardly
            knows, have the range of all rows.
    """
    whole = np.stack(
        [reference.usual_low, reference.usual_high, reference.mean, reference.std]
    )
    table = np.repeat(whole[:, None], len(contexts) + 1, axis=1)
    for place, context in enumerate(contexts):
        part = _known(reference, context, names)
        if part is not None:
            table[:, place] = _moments(reference, part, names)
    low, high, mean, std = table
    return Ranges(low, high, mean, std)


def normal(
    reference: Reference, names: Sequence[str], contexts: Sequence[str]
) -> NDArray[np.float32]:
    """Quantiles of each feature, by context.

    Args:
        reference: the profile.
        names: of the features, in the model's order.
        contexts: see `ranges`.

    Returns:
        float32[contexts + 1, quantiles, features]; last of all rows.
    """
    tables = []
    for context in (*contexts, ""):
        part = _known(reference, context, names) if context else None
        counted = (part or reference.whole).features
        tables.append(np.array([counted[name].quantiles for name in names]).T)
    table = np.clip(np.array(tables, np.float64), -_MOST, _MOST)
    return table.astype(np.float32)


def ordinary(reference: Reference) -> float:
    """The score of an ordinary row: its median on healthy data; 0 where unknown."""
    tally = reference.whole.outputs.get("score")
    if tally is None or not tally.quantiles:
        return 0.0
    return float(tally.quantiles[QUANTILES.index(0.5)])


def _known(reference: Reference, context: str, names: Sequence[str]) -> Profile | None:
    part = reference.contexts.get(context)
    if part is None or not all(_enough(part.features[name]) for name in names):
        return None
    return part


def _enough(tally: Tally) -> bool:
    return tally.n >= LEAST and bool(tally.quantiles)


def _moments(
    reference: Reference, part: Profile, names: Sequence[str]
) -> NDArray[np.float64]:
    bins = reference.baseline.features
    counted = [(bins[name], part.features[name]) for name in names]
    return np.array(
        [
            [tally.quantiles[0] for _, tally in counted],
            [tally.quantiles[-1] for _, tally in counted],
            [tally.mean(where) for where, tally in counted],
            [tally.std() for _, tally in counted],
        ]
    )
