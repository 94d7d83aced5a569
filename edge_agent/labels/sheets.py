"""CSV lists of labels: the good lines as labels, the others with their place. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.config.problems import Problem, did_you_mean, listed
from edge_agent.config.tables import (
    Cell,
    TableError,
    decoded,
    heading_of,
    lines_of,
    row_of,
)
from edge_agent.labels.columns import NO_TIME
from edge_agent.labels.dates import NoDate, nanoseconds
from edge_agent.labels.telling import Label, LabelRefused, Reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

#: Bytes of a file, and bad lines reported of one.
LIMIT, REPORTED = 64 * 2**20, 1_000
_LONGEST_LINE = 10_000


@dataclass(slots=True)
class Sheet:
    """What a file said.

    Attributes:
        labels: of its good lines, in order.
        problems: of the others, and of the file; not more than `REPORTED`.
        bad: lines that could not be used.
        causes: how many for which cause.
        usable: False where nothing of it can be read: the file is refused.
    """

    labels: list[Label] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    bad: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    usable: bool = True

    def complain(self, cause: str, problem: Problem) -> None:
        """A line is bad."""
        self.bad += 1
        self.causes[cause] = self.causes.get(cause, 0) + 1
        if len(self.problems) < REPORTED:
            self.problems.append(problem)


def read(name: str, raw: bytes, reader: Reader, zone: tzinfo | None) -> Sheet:
    """The labels of a file.

    Args:
        name: for messages.
        raw: its bytes.
        reader: of the pipeline.
        zone: of times that name none; None for the computer's own.
    """
    try:
        lines, separator = lines_of(decoded(raw))
        return read_lines(name, lines, separator, reader, zone)
    except TableError as wrong:
        return _refused(name, wrong)


def read_lines(
    name: str,
    lines: Sequence[tuple[int, str]],
    separator: str,
    reader: Reader,
    zone: tzinfo | None,
) -> Sheet:
    """The labels of numbered lines, the heading first; see `read`."""
    sheet = Sheet()
    try:
        columns = heading_of(lines[0], separator)
        _check_columns(columns, lines[0], reader)
    except TableError as wrong:
        return _refused(name, wrong)
    for line in lines[1:]:
        row: dict[str, Cell] = {}
        try:
            row = _row(columns, line, separator)
            label = _label(row, reader, zone, comma=separator != ",")
            sheet.labels.append(label)
        except TableError as wrong:
            col = 1 if wrong.cell is None else wrong.cell.col
            said = Problem(name, line[0], col, wrong.message, wrong.hint)
            sheet.complain("malformed", said)
        except LabelRefused as why:
            cell = row.get(why.field.casefold())
            col = 1 if cell is None else cell.col
            sheet.complain(why.cause, Problem(name, line[0], col, why.message))
    return sheet


def _row(
    columns: tuple[str, ...], line: tuple[int, str], separator: str
) -> dict[str, Cell]:
    if len(line[1]) > _LONGEST_LINE:
        raise TableError(f"longer than {_LONGEST_LINE} characters")
    return row_of(columns, line, separator)


def _refused(name: str, wrong: TableError) -> Sheet:
    cell = wrong.cell or Cell("", 1, 1, "")
    said = Problem(name, cell.line, cell.col, wrong.message, wrong.hint)
    return Sheet(problems=[said], usable=False)


def _check_columns(
    columns: tuple[str, ...], heading: tuple[int, str], reader: Reader
) -> None:
    keys, place = reader.settings, Cell(heading[1], heading[0], 1, heading[1])
    about = [keys.part, keys.asset] if reader.parts else [keys.asset, keys.since]
    wanted = [[keys.value], about if reader.parts else [about[0]]]
    if not reader.parts:
        wanted.append([keys.since])
    for names in wanted:
        if not any(name.casefold() in columns for name in names):
            said = f"the heading has no column {' or '.join(map(repr, names))}; it has:"
            hint = did_you_mean(names[0], columns)
            raise TableError(f"{said} {listed(columns)}", hint, place)


def _label(
    row: dict[str, Cell], reader: Reader, zone: tzinfo | None, *, comma: bool
) -> Label:
    keys = reader.settings
    names = (keys.part, keys.asset, keys.value, *keys.groups)
    texts = {n: row[n.casefold()].text for n in names if n.casefold() in row}
    since, until = (_time(row, name, zone) for name in (keys.since, keys.until))
    if comma and _decimal_comma(texts.get(keys.value, "")):
        texts[keys.value] = texts[keys.value].replace(",", ".")
    return reader.read(texts, since, until)


def _time(row: dict[str, Cell], name: str, zone: tzinfo | None) -> int:
    cell = row.get(name.casefold())
    if cell is None or not cell.text:
        return NO_TIME
    try:
        return nanoseconds(cell.text, zone)
    except NoDate as why:
        raise LabelRefused("time", name, f"{name}: {why}") from None


def _decimal_comma(text: str) -> bool:
    return text.count(",") == 1 and text.replace(",", "").lstrip("+-").isdecimal()
