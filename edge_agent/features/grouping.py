"""Features that can share one reading of the rings, found once when a model loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.window import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge_agent.features.spec import FeatureSpec
    from edge_agent.samples import I64, AssetType

    _Key = tuple[float | None, float, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """Aggregates over the same roles.

    Attributes:
        position: int64[p] which of the group's roles, ascending; None for all.
        aggregates: each with the features it gives, to write to and as int64[p].
        stamps: whether an aggregate needs the stamps.
    """

    position: I64 | None
    aggregates: tuple[tuple[str, slice | I64, I64], ...]
    stamps: bool

    def columns(self, rows: int, width: int) -> I64:
        """Which of the columns of a group ``width`` roles wide, row by row."""
        if self.position is None:
            return np.arange(rows * width)
        first = np.arange(0, rows * width, width)[:, None]
        return (first + self.position).reshape(-1)


@dataclass(frozen=True, slots=True)
class Group:
    """Features with one kind of window.

    Attributes:
        window: ns; None for the cycle.
        rate: expected values per second.
        role: int64[r] positions among the plan's roles.
        parts: what is made from all the roles, then from some of them.
        stamps: whether an aggregate needs the stamps.
        period: ns between two expected values.
    """

    window: int | None
    rate: float
    role: I64
    parts: tuple[Part, ...]
    stamps: bool
    period: int

    def cells(self) -> Iterator[tuple[slice | I64, slice | I64]]:
        """Features, and which of the group's roles they are made from."""
        for part in self.parts:
            position = slice(None) if part.position is None else part.position
            for _, feature, _ in part.aggregates:
                yield feature, position


def grouped(specs: Sequence[FeatureSpec], position: I64) -> tuple[Group, ...]:
    """Aggregates of one window share one reading of the rings.

    Those over fewer roles than others of the same window read a part of it.
    """
    wanted: dict[tuple[float | None, float, str], dict[int, int]] = {}
    twice: list[tuple[float | None, float, str, int, int]] = []
    for feature, spec in enumerate(specs):
        if spec.window is None and not spec.cycle:
            continue
        key = (spec.window, spec.rate, spec.aggregate)
        role = int(position[feature])
        if role in wanted.setdefault(key, {}):
            twice.append((*key, role, feature))
        else:
            wanted[key][role] = feature
    shared: dict[_Key, list[tuple[str, slice | I64, I64]]] = {}
    for (length, rate, aggregate), features in wanted.items():
        roles = tuple(sorted(features))
        column = np.array([features[r] for r in roles], np.int64)
        shared.setdefault((length, rate, roles), []).append(
            (aggregate, side_by_side(column), column)
        )
    for length, rate, aggregate, role, feature in twice:
        column = np.array([feature], np.int64)
        shared.setdefault((length, rate, (role,)), []).append(
            (aggregate, side_by_side(column), column)
        )
    return tuple(
        _group(key, [_part(key, k, shared[k]) for k in (key, *inner)])
        for key, inner in _widest(shared).items()
    )


def _group(key: _Key, parts: Sequence[Part]) -> Group:
    length, rate, roles = key
    return Group(
        None if length is None else nanoseconds(length),
        rate,
        np.array(roles, np.int64),
        tuple(parts),
        any(part.stamps for part in parts),
        nanoseconds(1 / rate),
    )


def _part(
    outer: _Key, key: _Key, aggregates: Sequence[tuple[str, slice | I64, I64]]
) -> Part:
    position = np.searchsorted(outer[2], key[2]).astype(np.int64)
    stamps = any(name == "slope" for name, _, _ in aggregates)
    return Part(None if key == outer else position, tuple(aggregates), stamps)


def _widest(keys: Iterable[_Key]) -> dict[_Key, list[_Key]]:
    """The windows to read, and those found in them: same length, fewer roles."""
    found: dict[_Key, list[_Key]] = {}
    for key in sorted(keys, key=lambda k: -len(k[2])):
        length, rate, roles = key
        for other, inner in found.items():
            if other[:2] == (length, rate) and set(roles) <= set(other[2]):
                inner.append(key)
                break
        else:
            found[key] = []
    return found


def role_of(spec: FeatureSpec, kind: AssetType) -> int:
    """Position of the role a feature is made from.

    Raises:
        ValueError: the asset type lacks it, or it is a text.
    """
    known = [tag.role for tag in kind.tags]
    if spec.tag not in known:
        raise ValueError(
            f"feature {spec.name!r} is made from tag {spec.tag!r}, which asset type "
            f"{kind.name!r} lacks; it has {', '.join(known)}"
        )
    role = known.index(spec.tag)
    if kind.tags[role].text:
        raise ValueError(
            f"feature {spec.name!r} is made from tag {spec.tag!r}, which is a text"
        )
    return role


def side_by_side(column: I64) -> slice | I64:
    """Columns side by side are written as a slice, which is cheaper."""
    if (np.diff(column) == 1).all():
        return slice(int(column[0]), int(column[-1]) + 1)
    return column
