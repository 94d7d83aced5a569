"""What stands in the operator's CSV lists: assets, and tags.

Complaints go to a callback with the path of keys they are about and the cell, so
that `drafting` can point at the operator's line and `plant` need not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from edge_agent.config.problems import Problem, did_you_mean, listed
from edge_agent.config.reading import excerpted
from edge_agent.config.scalars import Wrong, parse_name
from edge_agent.config.schema import TagBinding
from edge_agent.config.tables import TableError, read_table
from edge_agent.config.words import in_words

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.config.problems import Loc
    from edge_agent.config.tables import Cell, Table

TAG_COLUMNS = (
    "role",
    "source",
    "node",
    "topic",
    "field",
    "unit",
    "low",
    "high",
    "text",
    "max_age",
    "deadband",
)
_NUMBERS = {"low", "high", "deadband"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list something stands."""

    file: str
    line: int
    col: int
    source: str = ""
    length: int = 1

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem at this place."""
        excerpt = ""
        if self.source:
            excerpt = excerpted(self.source, self.line, self.col, self.length)
        return Problem(self.file, self.line, self.col, message, hint, excerpt)


class Complain(Protocol):
    """Takes one complaint about the configuration."""

    def __call__(
        self, loc: Loc, message: str, hint: str = "", at: Place | None = None
    ) -> None:
        """``loc`` is the path of keys; ``at`` the place in a list, if it is there."""
        ...


Cells = Mapping[str, Place]
"""Where the cells of one row stand, by column."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset.

    Attributes:
        id: its name.
        columns: what a placeholder may name, ``id`` included, in small letters.
        at: where it stands in a list; None if it stands in YAML.
    """

    id: str
    columns: Mapping[str, str]
    at: Place | None = None


def listed_assets(
    path: Path | None, loc: Loc, complain: Complain
) -> tuple[Asset, ...] | None:
    """Assets of a list; None if the list cannot be used."""
    if path is None:
        return ()
    table = _table(path, loc, ("id",), complain)
    if table is None:
        return None
    assets = []
    for row in table.rows:
        cell = row["id"]
        try:
            name = parse_name(cell.text)
        except Wrong as wrong:
            complain(loc, wrong.message, wrong.hint, _place(path, cell))
            continue
        columns = {key: other.text for key, other in row.items()}
        assets.append(Asset(name, columns, _place(path, cell)))
    return tuple(assets)


def listed_tags(
    path: Path | None, loc: Loc, complain: Complain
) -> tuple[dict[str, tuple[TagBinding, Cells]], bool]:
    """Tags of a list by role, with their cells; False if there should be more."""
    if path is None:
        return {}, True
    table = _table(path, loc, ("role", "source"), complain)
    if table is None or _unknown_columns(path, loc, table, complain):
        return {}, False
    tags: dict[str, tuple[TagBinding, Cells]] = {}
    whole = True
    for row in table.rows:
        tag = _tag(path, loc, row, table.comma, complain)
        whole = whole and tag is not None
        role = row["role"].text
        if role in tags:
            first = tags[role][1]["role"].line
            said = f"tag {role!r} is there twice, first in line {first}"
            complain(loc, said, "remove or rename one", _place(path, row["role"]))
        elif tag is not None:
            tags[role] = tag, {key: _place(path, cell) for key, cell in row.items()}
    return tags, whole


def _table(
    path: Path, loc: Loc, needed: tuple[str, ...], complain: Complain
) -> Table | None:
    try:
        table = read_table(path)
    except TableError as error:
        at = _place(path, error.cell) if error.cell else None
        if at is None and path.is_file():
            at = Place(str(path), 1, 1)
        complain(loc, error.message, error.hint, at)
        return None
    missing = [name for name in needed if name not in table.columns]
    if missing:
        said = f"the heading has no column {missing[0]!r}; it has: "
        hint = did_you_mean(missing[0], table.columns)
        at = _place(path, table.heading[0])
        complain(loc, said + listed(table.columns), hint, at)
        return None
    return table


def _unknown_columns(path: Path, loc: Loc, table: Table, complain: Complain) -> bool:
    unknown = [
        cell for cell in table.heading if cell.text.casefold() not in TAG_COLUMNS
    ]
    for cell in unknown:
        said = f"unknown column {cell.text!r}; allowed: {listed(TAG_COLUMNS)}"
        complain(loc, said, did_you_mean(cell.text, TAG_COLUMNS), _place(path, cell))
    return bool(unknown)


def _tag(
    path: Path, loc: Loc, row: dict[str, Cell], comma: bool, complain: Complain
) -> TagBinding | None:
    raw: dict[str, Any] = {
        key: cell.text for key, cell in row.items() if cell.text and key != "role"
    }
    if comma:
        raw |= {key: raw[key].replace(",", ".") for key in _NUMBERS & raw.keys()}
    place = _place(path, row["role"])
    if ("low" in raw) != ("high" in raw):
        said = "low and high belong together: one of them is empty"
        complain(loc, said, "write both or none", place)
        return None
    if "low" in raw:
        raw["range"] = [raw.pop("low"), raw.pop("high")]
    try:
        parse_name(row["role"].text)
        return TagBinding.model_validate(raw)
    except Wrong as wrong:
        complain(loc, wrong.message, wrong.hint, place)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            said, hint = in_words(each, TagBinding)
            cell = row.get(_column(each["loc"]), row["role"])
            complain(loc, said, hint, _place(path, cell))
    return None


def _column(loc: Loc) -> str:
    if loc[0] == "range" and len(loc) > 1:
        return "high" if loc[1] else "low"
    return str(loc[0])


def _place(path: Path, cell: Cell) -> Place:
    return Place(str(path), cell.line, cell.col, cell.source, max(1, len(cell.text)))
