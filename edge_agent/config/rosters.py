"""Asset groups with their lists read: which assets, which columns, which tags.

Complaints go to a callback with the path of keys they are about (and the cell, in
a list), so that `loading` can point at the operator's line and `plant` need not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.config.lists import Asset, listed_assets, listed_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from edge_agent.config.lists import Cells, Complain, Place
    from edge_agent.config.problems import Loc
    from edge_agent.config.schema import AssetGroup, TagBinding

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_ -]*)\}")


@dataclass(frozen=True, slots=True)
class Known:
    """What the files speak of although it is not sound, so that it is not "unknown".

    Attributes:
        sources: names of all sources; None when that section makes no sense.
        unsound: roles left out of the group at a position.
        partial: asset types of which a whole group was left out; None when the
            section makes no sense.
    """

    sources: Collection[str] | None
    unsound: Mapping[int, Collection[str]] = field(default_factory=dict)
    partial: Collection[str] | None = ()


@dataclass(frozen=True, slots=True)
class Roster:
    """One asset group, complete.

    Attributes:
        place: its position in ``assets``.
        type: name of the asset type.
        assets: those named and those listed.
        tags: by role, those in YAML first.
        cells: the row of a role, where it comes from a list.
        whole: False when a list could not be used.
    """

    place: int
    type: str
    assets: tuple[Asset, ...]
    tags: Mapping[str, TagBinding]
    cells: Mapping[str, Cells]
    whole: bool

    def loc(self, role: str) -> Loc:
        """Path of keys of a tag."""
        if role in self.cells:
            return ("assets", self.place, "tags_csv")
        return ("assets", self.place, "tags", role)

    def at(self, role: str, key: str = "role") -> Place | None:
        """Where in a list a key of a tag stands; None if it stands in YAML."""
        row = self.cells.get(role)
        column = {"range": "low"}.get(key, key)
        return None if row is None else row.get(column, row["role"])


def filled(pattern: str, columns: Mapping[str, str]) -> str:
    """The pattern with ``{id}`` and ``{column}`` replaced; unknown ones stay."""
    if "{" not in pattern:
        return pattern
    return PLACEHOLDER.sub(lambda m: columns.get(m[1].casefold(), m[0]), pattern)


def lists_of(group: AssetGroup) -> list[Path]:
    """The CSV files a group is made from."""
    return [path for path in (group.ids_csv, group.tags_csv) if path is not None]


def rosters(
    groups: Mapping[int, AssetGroup], known: Known, complain: Complain
) -> list[Roster]:
    """Read the lists of every group and refuse groups that contradict each other.

    Args:
        groups: by position in ``assets``.
        known: what was left out before.
        complain: takes every complaint; a roster is given back all the same.
    """
    read = [_roster(place, group, known, complain) for place, group in groups.items()]
    by_type: dict[str, list[Roster]] = {}
    for roster in read:
        by_type.setdefault(roster.type, []).append(roster)
    for members in by_type.values():
        _refuse_doubles(members, complain)
        _refuse_unequal(members, known, complain)
    return read


def _roster(place: int, group: AssetGroup, known: Known, complain: Complain) -> Roster:
    loc = ("assets", place)
    named = tuple(Asset(name, {"id": name}) for name in group.ids)
    assets = listed_assets(group.ids_csv, (*loc, "ids_csv"), complain)
    found, whole = listed_tags(group.tags_csv, (*loc, "tags_csv"), complain)
    whole = whole and assets is not None
    for role in found.keys() & group.tags.keys():
        said = f"the list has a tag {role!r}, which stands under tags as well"
        complain((*loc, "tags_csv"), said, "remove one of them", found[role][1]["role"])
    if whole and not named and not assets:
        said = "this group has no assets"
        complain(loc, said, "add ids: [P-101, P-102], or rows to the list ids_csv")
    if whole and not found and not group.tags and not known.unsound.get(place):
        complain(loc, "this group has no tags", "add tags:, or rows to tags_csv")
    joined = {role: tag for role, (tag, _) in found.items()} | group.tags
    cells = {role: row for role, (_, row) in found.items() if role not in group.tags}
    ordered = {role: joined[role] for role in (*group.tags, *cells)}
    return Roster(place, group.type, (*named, *(assets or ())), ordered, cells, whole)


def _refuse_doubles(members: list[Roster], complain: Complain) -> None:
    seen: set[str] = set()
    for roster in members:
        for position, asset in enumerate(roster.assets):
            if asset.id in seen:
                said = f"asset {asset.id!r} is there twice"
                loc: Loc = ("assets", roster.place, "ids", position)
                loc = ("assets", roster.place, "ids_csv") if asset.at else loc
                complain(loc, said, "an id names one asset of a type", asset.at)
            seen.add(asset.id)


def _refuse_unequal(members: list[Roster], known: Known, complain: Complain) -> None:
    """One type over several groups: the same roles, units, ranges and kinds."""
    first = members[0]
    same = "give all groups of a type the same tags"
    for other in members[1:]:
        if not (first.whole and other.whole):
            continue
        ignored = {
            *known.unsound.get(first.place, ()),
            *known.unsound.get(other.place, ()),
        }
        for role in first.tags:
            if role not in other.tags and role not in ignored:
                said = f"the tag {role!r} of the first group of this type is missing"
                complain(("assets", other.place), said, same)
        for role, tag in other.tags.items():
            if role in ignored:
                continue
            loc, place = other.loc(role), other.at(role)
            if role not in first.tags:
                said = f"the first group of type {first.type!r} has no tag {role!r}"
                complain(loc, said, same, place)
            elif _facts(tag) != _facts(first.tags[role]):
                said = "unit, range or text differ from the first group of this type"
                complain(loc, said, "write the same in all of them", place)


def _facts(tag: TagBinding) -> tuple[object, ...]:
    return tag.unit, tag.range, tag.text
