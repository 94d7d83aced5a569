"""CSV lists as Excel writes them, every cell with its place.

Separated by ``;`` ``,`` or TAB (told by the heading), in UTF-8 with or without a
byte-order mark, UTF-16 or Windows-1252. Python's csv module reads this as well
but forgets columns, which a message needs.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 4_000_000


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of one cell and where it stands, counted from 1."""

    text: str
    line: int
    col: int
    source: str


class TableError(Exception):
    """A list cannot be read; carries the place and what to do."""

    def __init__(self, message: str, hint: str = "", cell: Cell | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.cell = cell


@dataclass(frozen=True, slots=True)
class Table:
    """A list: its heading in small letters, and its rows.

    Attributes:
        comma: True when ``;`` or TAB separates cells, so that ``0,5`` is a number.
    """

    columns: tuple[str, ...]
    heading: tuple[Cell, ...]
    rows: tuple[dict[str, Cell], ...]
    comma: bool


def read_table(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        TableError: unreadable, empty, a column twice, or a row longer than the heading.
    """
    lines, separator = lines_of(_text(path))
    heading = tuple(_cells(*lines[0], separator))
    columns = heading_of(lines[0], separator)
    rows = tuple(row_of(columns, line, separator) for line in lines[1:])
    return Table(columns, heading, rows, comma=separator != ",")


def heading_of(line: tuple[int, str], separator: str) -> tuple[str, ...]:
    """The columns of a heading, in small letters.

    Raises:
        TableError: one is there twice, or a quote is not closed.
    """
    heading = tuple(_cells(*line, separator))
    columns = tuple(cell.text.casefold() for cell in heading)
    _refuse_twice(columns, heading)
    return columns


def lines_of(text: str) -> tuple[list[tuple[int, str]], str]:
    """The lines of a list with their numbers, without empty ones; what separates cells.

    Raises:
        TableError: there is none.
    """
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip(' \t;,"')
    ]
    if not lines:
        raise TableError("the list is empty", "the first line names the columns")
    return lines, max(";,\t", key=lines[0][1].count)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TableError(f"cannot read {path}: {reason}") from None
    if len(raw) > LIMIT:
        raise TableError(f"{path} is larger than {LIMIT // 10**6} MB")
    return decoded(raw)


def decoded(raw: bytes) -> str:
    """UTF-8 with or without a byte-order mark, UTF-16, or Windows-1252."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _refuse_twice(columns: tuple[str, ...], heading: tuple[Cell, ...]) -> None:
    for position, name in enumerate(columns):
        if name and name in columns[:position]:
            raise TableError(f"column {name!r} is there twice", "", heading[position])


def row_of(
    columns: tuple[str, ...], line: tuple[int, str], separator: str
) -> dict[str, Cell]:
    """The cells of a line by column.

    Raises:
        TableError: more cells than columns, or a quote is not closed.
    """
    cells = list(_cells(*line, separator))
    surplus = [cell for cell in cells[len(columns) :] if cell.text]
    if surplus:
        said = f"more cells than the heading has columns ({len(columns)})"
        hint = f"a cell that holds {separator!r} must stand in double quotes"
        raise TableError(said, hint, surplus[0])
    return dict(zip(columns, cells, strict=False))


def _cells(number: int, line: str, separator: str) -> Iterator[Cell]:
    at = 0
    while at <= len(line):
        if line.startswith('"', at):
            text, end = _quoted(number, line, at)
            after = line.find(separator, end)
            end = len(line) if after < 0 else after
        else:
            after = line.find(separator, at)
            end = len(line) if after < 0 else after
            text = line[at:end]
        lead = len(text) - len(text.lstrip()) if not line.startswith('"', at) else 0
        yield Cell(text.strip(), number, at + 1 + lead, line)
        at = end + 1


def _quoted(number: int, line: str, start: int) -> tuple[str, int]:
    at = start + 1
    while True:
        end = line.find('"', at)
        if end < 0:
            cell = Cell(line[start:], number, start + 1, line)
            raise TableError("a double quote is not closed on its line", "", cell)
        if not line.startswith('""', end):
            return line[start + 1 : end].replace('""', '"'), end + 1
        at = end + 2
