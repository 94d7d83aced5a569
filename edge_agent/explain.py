"""Which tags made this score, in units, against their usual range.

Parts of the score come from `occlusion`, or from the model's own word; where there is
neither, the squared distance of each feature from the training data stands in. They
are summed by tag, since a technician looks at instruments, not at features. `wording`
makes sentences of them.

What is usual depends on the context a row was made in: a recipe, a product, a shift.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64

    F32 = NDArray[np.float32]
    I16 = NDArray[np.int16]

_T = TypeVar("_T", bound="np.generic[Any]")

TOP = 3
LEVELS = frozenset({"last", "first", "mean", "rms", "min", "max"})
"""Aggregates that read like the instrument itself."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """What is usual in each context; the last row is of all of them together.

    Attributes:
        low, high: float64[contexts + 1, features], usual range.
        mean, std: float64[contexts + 1, features], of the training data.
    """

    low: F64
    high: F64
    mean: F64
    std: F64


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for each feature of a model, and how to speak of its tags.

    Attributes:
        labels: a role's name in a sentence.
        units: a role's unit, or an empty string.
        role: int64[features], whose feature it is.
        aggregates: each feature's aggregate.
        windows: each feature's window in seconds, None for an instant or a cycle.
        low, high: float64[features], usual range.
        mean, std: float64[features], of the training data.
        contexts: the same by context; None where none are known.
        ranges: what counts: these, else one row for all.
        own: int64[most features of a tag, tags]: a tag's features, filled up with -1.
        level: bool[features + 1], false at the end: features in `LEVELS`.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    role: NDArray[np.int64]
    aggregates: tuple[str, ...]
    windows: tuple[float | None, ...]
    low: F64
    high: F64
    mean: F64
    std: F64
    contexts: Ranges | None = field(default=None, repr=False)
    ranges: Ranges = field(init=False, repr=False)
    own: NDArray[np.int64] = field(init=False, repr=False)
    level: NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", _own_features(self.role, len(self.labels)))
        level = [*(a in LEVELS for a in self.aggregates), False]
        object.__setattr__(self, "level", np.array(level))
        whole = (self.low, self.high, self.mean, self.std)
        only = Ranges(*(column[None] for column in whole))
        object.__setattr__(self, "ranges", self.contexts or only)

    def places(self, context: I32 | None, rows: int) -> I64:
        """Where each row finds its ranges.

        Args:
            context: int32[rows] in the order of the contexts the ranges were made
                for; None or a negative number for none.
            rows: how many.

        Returns:
            int64[rows] rows of ``ranges``.
        """
        whole = len(self.ranges.low) - 1
        if context is None or not whole:
            return np.full(rows, whole, np.int64)
        known = (context >= 0) & (context < whole)
        return np.where(known, context, whole).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Top:
    """The tags that made the scores of n rows, most contributing first.

    Attributes:
        role: int16[n, 3], -1 for none.
        feature: int16[n, 3], the tag's feature that contributes most.
        shown: int16[n, 3], the one whose value is shown: a level where the tag has one.
        value, low, high: float64[n, 3] of the shown feature, with its usual range.
        share: float64[n, 3] 0..1 of the score.
    """

    role: I16
    feature: I16
    shown: I16
    value: F64
    low: F64
    high: F64
    share: F64

    def __len__(self) -> int:
        """Count rows."""
        return len(self.role)


def explain(
    values: F32,
    contributions: F32 | F64 | None,
    usual: Usual,
    place: I64 | None = None,
) -> Top:
    """The top tags of each row.

    Args:
        values: float32[n, features], what was scored.
        contributions: [n, features] parts of the score; None for distances.
        usual: what the passport says.
        place: int64[n] each row's place in ``usual.ranges``; None for the whole.
    """
    place = usual.places(None, len(values)) if place is None else place
    given = distances(values, usual, place) if contributions is None else contributions
    parts = _parts(given)
    order, amount = _largest(_summed(parts, usual.own))
    total = parts.sum(axis=1, keepdims=True)
    share = np.divide(amount, total, out=np.zeros_like(amount), where=total > 0)
    feature, shown = _leading(parts, usual.own[:, order], usual)
    value = np.take_along_axis(values.astype(np.float64), shown, axis=1)
    silent, at = amount <= 0, place[:, None]
    return Top(
        _filled(np.where(silent, -1, order), -1).astype(np.int16),
        _filled(np.where(silent, -1, feature), -1).astype(np.int16),
        _filled(np.where(silent, -1, shown), -1).astype(np.int16),
        _filled(np.where(silent, np.nan, value), np.nan),
        _filled(np.where(silent, np.nan, usual.ranges.low[at, shown]), np.nan),
        _filled(np.where(silent, np.nan, usual.ranges.high[at, shown]), np.nan),
        _filled(np.where(silent, 0.0, share), 0.0),
    )


def distances(values: F32, usual: Usual, place: I64) -> F64:
    """float64[n, features] squared distance from the training data, in its spread."""
    ranges = usual.ranges
    far: F64 = (values - ranges.mean[place]) / np.maximum(ranges.std[place], _TINY)
    return np.square(far, out=far)


def _parts(given: F32 | F64) -> F64:
    """Each feature's part of the score, not negative; a column of zeros at the end."""
    parts = np.zeros((given.shape[0], given.shape[1] + 1))
    np.maximum(given, 0.0, out=parts[:, :-1])
    if not np.isfinite(parts).all():
        parts[~np.isfinite(parts)] = 0.0
    return parts


def _own_features(role: NDArray[np.int64], roles: int) -> NDArray[np.int64]:
    counts = np.bincount(role, minlength=roles)
    table = np.full((int(counts.max()), roles), -1, np.int64)
    for position in range(roles):
        mine = np.flatnonzero(role == position)
        table[: len(mine), position] = mine
    return table


def _summed(parts: F64, own: NDArray[np.int64]) -> F64:
    """float64[n, tags], parts summed by tag in the order of the features."""
    # a filling of -1 reads the last column, which is zero
    total = np.zeros((len(parts), own.shape[1]))
    for features in own:
        total += parts[:, features]
    return total


def _largest(by_role: F64) -> tuple[NDArray[np.int64], F64]:
    """The tags that contribute most, and how much; the first of equals."""
    left, rows = by_role.copy(), np.arange(len(by_role))
    places = min(TOP, by_role.shape[1])
    order = np.zeros((len(by_role), places), np.int64)
    for place in range(places):
        order[:, place] = left.argmax(axis=1)
        left[rows, order[:, place]] = -1.0
    return order, np.take_along_axis(by_role, order, axis=1)


def _leading(
    parts: F64, own: NDArray[np.int64], usual: Usual
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per tag the feature that contributes most, and the level that does."""
    part = parts[np.arange(len(parts))[:, None], own]
    part[own < 0] = -1.0
    feature = np.take_along_axis(own, part.argmax(axis=0)[None], axis=0)[0]
    part = np.where(usual.level[own], part, -1.0)
    shown = np.take_along_axis(own, part.argmax(axis=0)[None], axis=0)[0]
    return feature, np.where(part.max(axis=0) < 0, feature, shown)


def _filled(table: NDArray[_T], empty: float) -> NDArray[_T]:
    """Three columns even where an asset type has fewer tags."""
    missing = TOP - table.shape[1]
    if not missing:
        return table
    return np.pad(table, ((0, 0), (0, missing)), constant_values=empty)
