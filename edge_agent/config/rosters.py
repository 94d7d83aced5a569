"""Asset groups with their lists read: which assets, which columns, which tags.

Complaints go to a callback with the path of keys they are about (and the cell, in
a list), so that `loading` can point at the operator's line and `plant` need not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pydantic import TypeAdapter, ValidationError

from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.schema import AssetGroup, Name, TagBinding
from edge_agent.config.tables import Cell, Table, TableError, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.config.problems import Loc

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_ -]*)\}")
_NAME = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list something stands."""

    file: str
    line: int
    col: int
    source: str = ""
    length: int = 1


class Complain(Protocol):
    """Takes one complaint about the configuration."""

    def __call__(
        self, loc: Loc, message: str, hint: str = "", at: Place | None = None
    ) -> None:
        """``loc`` is the path of keys; ``at`` the place in a list, if it is there."""
        ...


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset: its id, and the columns a placeholder may name (``id`` included)."""

    id: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Roster:
    """One asset group, complete: ``place`` is its position in ``assets``."""

    place: int
    type: str
    assets: tuple[Asset, ...]
    tags: Mapping[str, TagBinding]


def filled(pattern: str, columns: Mapping[str, str]) -> str:
    """The pattern with ``{id}`` and ``{column}`` replaced; unknown ones stay."""
    if "{" not in pattern:
        return pattern
    return PLACEHOLDER.sub(lambda m: columns.get(m[1].casefold(), m[0]), pattern)


def rosters(groups: Mapping[int, AssetGroup], complain: Complain) -> list[Roster]:
    """Read the lists of every group and refuse groups that contradict each other."""
    read = []
    for place, group in groups.items():
        assets = (*_assets_named(group), *_assets_listed(place, group, complain))
        tags = dict(group.tags)
        for role, tag in _tags_listed(place, group, complain):
            if role in tags:
                said = f"tag {role!r} of {group.type!r} is there twice"
                complain(("assets", place, "tags_csv"), said)
            tags[role] = tag
        read.append(Roster(place, group.type, assets, tags))
    _refuse_contradictions(read, complain)
    return read


def _assets_named(group: AssetGroup) -> tuple[Asset, ...]:
    return tuple(Asset(name, {"id": name}) for name in group.ids)


def _assets_listed(
    place: int, group: AssetGroup, complain: Complain
) -> tuple[Asset, ...]:
    return ()


def _tags_listed(
    place: int, group: AssetGroup, complain: Complain
) -> tuple[tuple[str, TagBinding], ...]:
    return ()


def _refuse_contradictions(read: list[Roster], complain: Complain) -> None:
    pass
