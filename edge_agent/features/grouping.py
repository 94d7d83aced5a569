"""Features that can share one reading of the rings, found once when a model loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.window import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.spec import FeatureSpec
    from edge_agent.samples import I64, AssetType


@dataclass(frozen=True, slots=True)
class Group:
    """Features with one kind of window over the same roles.

    Attributes:
        window: ns; None for the cycle.
        rate: expected values per second.
        role: int64[r] positions among the plan's roles.
        aggregates: each with the features it gives, int64[r].
        stamps: whether an aggregate needs the stamps.
    """

    window: int | None
    rate: float
    role: I64
    aggregates: tuple[tuple[str, slice | I64], ...]
    stamps: bool

    @property
    def period(self) -> int:
        """Ns between two expected values."""
        return nanoseconds(1 / self.rate)


def grouped(specs: Sequence[FeatureSpec], position: I64) -> tuple[Group, ...]:
    """Aggregates of one window over the same roles share one reading of the rings."""
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
    shared: dict[
        tuple[float | None, float, tuple[int, ...]], list[tuple[str, slice | I64]]
    ] = {}
    for (length, rate, aggregate), features in wanted.items():
        roles = tuple(sorted(features))
        column = np.array([features[r] for r in roles], np.int64)
        shared.setdefault((length, rate, roles), []).append((aggregate, _run(column)))
    for length, rate, aggregate, role, feature in twice:
        column = np.array([feature], np.int64)
        shared.setdefault((length, rate, (role,)), []).append((aggregate, _run(column)))
    return tuple(
        Group(
            None if length is None else nanoseconds(length),
            rate,
            np.array(roles, np.int64),
            tuple(aggregates),
            any(name == "slope" for name, _ in aggregates),
        )
        for (length, rate, roles), aggregates in shared.items()
    )


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


def _run(column: I64) -> slice | I64:
    """Columns side by side are written as a slice, which is cheaper."""
    if (np.diff(column) == 1).all():
        return slice(int(column[0]), int(column[-1]) + 1)
    return column
