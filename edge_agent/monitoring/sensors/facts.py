"""What is known of an asset type's tags before any sample comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_agent.samples import F64, AssetType, TagTable

    Bools = NDArray[np.bool_]

_FLOOR, _CEILING = 0.01, 0.002
"""Shares of the range: this near to its low or high end a reading is at it."""
_BEYOND = 0.005
"""Share of the range: this far outside a reading is not rounding any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """The tags of one asset type, in order of their index less its base.

    Attributes:
        kind: the asset type.
        held: bool[size], whether a tag reports changes only (OPC UA): while its source
            is vouched for, silence means that the value stands.
        source: int16[size], position in `TagTable.sources`.
        numeric: bool[size], whether it is watched at all.
        floor, ceiling: float64[size], at or beyond it a reading is at an end of its
            range; where there is no low end, 0 is one.
        least, most: float64[size], a reading beyond these is out of range.
        roles, assets: position by name.
    """

    kind: AssetType
    held: Bools
    source: NDArray[np.int16]
    numeric: Bools = field(init=False, repr=False)
    floor: F64 = field(init=False, repr=False)
    ceiling: F64 = field(init=False, repr=False)
    least: F64 = field(init=False, repr=False)
    most: F64 = field(init=False, repr=False)
    roles: Mapping[str, int] = field(init=False, repr=False)
    assets: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tags, each = self.kind.tags, len(self.kind.assets)
        watched = np.array([tag.watched for tag in tags], bool)
        low = np.repeat(np.array([t.low for t in tags], np.float64), each)
        high = np.repeat(np.array([t.high for t in tags], np.float64), each)
        span = np.where(np.isfinite(high) & np.isfinite(low), high - low, 0.0)
        for name, value in (
            ("numeric", ~self.kind.is_text & np.repeat(watched, each)),
            ("floor", np.where(np.isfinite(low), low, 0.0) + _FLOOR * span),
            ("ceiling", high - _CEILING * span),
            ("least", low - _BEYOND * span),
            ("most", high + _BEYOND * span),
            ("roles", {tag.role: i for i, tag in enumerate(tags)}),
            ("assets", {name: i for i, name in enumerate(self.kind.assets)}),
        ):
            object.__setattr__(self, name, value)

    @staticmethod
    def of(kind: AssetType, table: TagTable, by_exception: Bools) -> Facts:
        """From the tag table.

        Args:
            kind: one of its asset types.
            table: of the agent.
            by_exception: bool[sources], whether a source reports changes only.
        """
        source = table.source[kind.base : kind.base + kind.size]
        return Facts(kind, by_exception[source], source)

    @property
    def shape(self) -> tuple[int, int]:
        """Roles and assets: what a column of tags is reshaped to."""
        return len(self.kind.tags), len(self.kind.assets)

    def named(self, place: int) -> tuple[str, str, str]:
        """Asset, role and unit of a tag."""
        role, asset = divmod(int(place), len(self.kind.assets))
        tag = self.kind.tags[role]
        return self.kind.assets[asset], tag.role, tag.unit
