"""Which tags made this score, in units, against their usual range.

A model that tells each feature's part of the score is taken at its word; for one that
does not, the squared distance of each feature from the training data stands in. Parts
are summed by tag, since a technician looks at instruments, not at features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64

    F32 = NDArray[np.float32]
    I16 = NDArray[np.int16]

_T = TypeVar("_T", bound="np.generic[Any]")

TOP = 3
LEVELS = frozenset({"last", "first", "mean", "rms", "min", "max"})
"""Aggregates that read like the instrument itself."""
_SPREADS = frozenset({"std", "range"})
_CHANGES = frozenset({"slope", "delta"})
_WORTH_SAYING = 0.1
_TINY = 1e-12


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
    own: NDArray[np.int64] = field(init=False, repr=False)
    level: NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", _own_features(self.role, len(self.labels)))
        level = [*(a in LEVELS for a in self.aggregates), False]
        object.__setattr__(self, "level", np.array(level))


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


def explain(values: F32, contributions: F32 | None, usual: Usual) -> Top:
    """The top tags of each row.

    Args:
        values: float32[n, features], what was scored.
        contributions: the model's own, or None.
        usual: what the passport says.
    """
    parts = _parts(values, contributions, usual)
    order, amount = _largest(_summed(parts, usual.own))
    total = parts.sum(axis=1, keepdims=True)
    share = np.divide(amount, total, out=np.zeros_like(amount), where=total > 0)
    feature, shown = _leading(parts, usual.own[:, order], usual)
    value = np.take_along_axis(values.astype(np.float64), shown, axis=1)
    silent = amount <= 0
    return Top(
        _filled(np.where(silent, -1, order), -1).astype(np.int16),
        _filled(np.where(silent, -1, feature), -1).astype(np.int16),
        _filled(np.where(silent, -1, shown), -1).astype(np.int16),
        _filled(np.where(silent, np.nan, value), np.nan),
        _filled(np.where(silent, np.nan, usual.low[shown]), np.nan),
        _filled(np.where(silent, np.nan, usual.high[shown]), np.nan),
        _filled(np.where(silent, 0.0, share), 0.0),
    )


def sentence(
    score: float, limit: float, top: Top, row: int, values: F32, usual: Usual
) -> str:
    """Why a row scored as it did, for a technician.

    Args:
        score: of the row.
        limit: the alarm's.
        top: what `explain` gave for these values.
        row: which of its rows.
        values: float32[n, features], what was scored.
        usual: what the passport says.
    """
    side = "above" if score > limit else "not above"
    digits = _decimals(limit or score)
    head = f"Score {score:.{digits}f} {side} limit {limit:.{digits}f}"
    said = [
        _phrase(int(feature), float(values[row, feature]), usual)
        for place, feature in enumerate(top.feature[row])
        if feature >= 0 and (place == 0 or top.share[row, place] >= _WORTH_SAYING)
    ]
    return f"{head}: {'; '.join(said)}" if said else head


def _parts(values: F32, contributions: F32 | None, usual: Usual) -> F64:
    """Each feature's part of the score, not negative; a column of zeros at the end."""
    parts = np.zeros((values.shape[0], values.shape[1] + 1))
    if contributions is not None:
        np.maximum(contributions, 0.0, out=parts[:, :-1])
    else:
        parts[:, :-1] = (values - usual.mean) / np.maximum(usual.std, _TINY)
        np.square(parts, out=parts)
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


def _phrase(feature: int, value: float, usual: Usual) -> str:
    """One tag: what it shows, what is usual, and in which way it differs."""
    role, aggregate = int(usual.role[feature]), usual.aggregates[feature]
    low, high = float(usual.low[feature]), float(usual.high[feature])
    label, unit = usual.labels[role], usual.units[role]
    digits = _decimals(high - low or value)
    unit = f"{unit}/s" if aggregate == "slope" else unit
    spoken = f" {unit}" if unit else ""
    seen = f"{value:.{digits}f}{spoken}"
    span = f"usual {low:.{digits}f} to {high:.{digits}f}"
    window = usual.windows[feature]
    over = f" over {window:g} s" if window else ""
    if aggregate in LEVELS:
        what = "" if aggregate in {"last", "mean", "rms"} else f" ({aggregate}{over})"
        return f"{label}{what} {seen} ({span}) {_direction(value, low, high)}"
    detail = f"{aggregate}{over} {seen}, {span}"
    if aggregate in _SPREADS:
        return f"{label} {_stillness(value, low, high)} ({detail})"
    if aggregate in _CHANGES and not low <= value <= high:
        way = "rises" if value > high else "falls"
        return f"{label} {way} unusually fast ({detail})"
    return f"{label} {_direction(value, low, high)} ({detail})"


def _direction(value: float, low: float, high: float) -> str:
    width = max(high - low, _TINY)
    if value > high:
        return "far above usual" if value > high + width else "above usual"
    if value < low:
        return "far below usual" if value < low - width else "below usual"
    return "does not fit the other tags"


def _stillness(value: float, low: float, high: float) -> str:
    if value < low:
        return "unusually still"
    return "unusually restless" if value > high else "moves unlike the other tags"


def _decimals(size: float) -> int:
    """Decimals that show a number of this size to two or three digits."""
    if not isfinite(size) or size == 0:
        return 1
    return int(min(max(1 - floor(log10(abs(size))), 0), 6))
