"""Rows of one table as columns, before they become Arrow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_agent.store.plain import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import I64

    Values = NDArray[Any] | list[Any]
    """A column: an array without nulls (NaN becomes null), or a list with None."""

DAY = 86_400_000_000
"""Microseconds."""
_NS = 1_000


class Rows(NamedTuple):
    """Some rows of one table.

    Attributes:
        table: its name.
        columns: by name, all of one length; one that is left out is null.
    """

    table: str
    columns: Mapping[str, Values]

    def __len__(self) -> int:
        """Count rows."""
        return len(self.columns["seq"])


def microseconds(at: I64, offset: int) -> I64:
    """Agent times and the offset to the wall clock, ns, as microseconds UTC.

    Rounded down; never overflows, whatever a device said of its time.
    """
    less = (at % _NS + offset % _NS) // _NS
    return at // _NS + offset // _NS + less


def moment(at: int, offset: int) -> int:
    """`microseconds` of one time."""
    return (at + offset) // _NS


def of_one(table: str, values: Mapping[str, Any]) -> Rows:
    """One row."""
    return Rows(table, {name: [value] for name, value in values.items()})


def texts(values: Sequence[str]) -> list[str]:
    """Texts that can be written as UTF-8; half characters are replaced."""
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return [text(value) for value in values]
    return list(values)


def take(rows: Rows, where: I64) -> Rows:
    """Some rows, in the order of their positions."""
    places = where.tolist()
    return Rows(
        rows.table,
        {
            name: [values[i] for i in places]
            if isinstance(values, list)
            else values[where]
            for name, values in rows.columns.items()
        },
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of one table behind each other; a column that some lack is null there."""
    if len(parts) == 1:
        return parts[0]
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Rows(
        parts[0].table,
        {name: _column(parts, name) for name in names},
    )


def _column(parts: Sequence[Rows], name: str) -> Values:
    found = [part.columns.get(name) for part in parts]
    if all(isinstance(values, np.ndarray) for values in found):
        return np.concatenate(found)  # type: ignore[arg-type]  # all are arrays
    made: list[Any] = []
    for part, values in zip(parts, found, strict=True):
        if values is None:
            made += [None] * len(part)
        else:
            made += values if isinstance(values, list) else values.tolist()
    return made


def by_day(rows: Rows) -> Iterable[tuple[int, Rows]]:
    """Rows of each UTC day, days since 1970, earliest first."""
    days = np.asarray(rows.columns["ts"], np.int64) // DAY
    first = int(days[0])
    if (days == first).all():
        return [(first, rows)]
    return [
        (int(day), take(rows, np.flatnonzero(days == day))) for day in np.unique(days)
    ]


def date(day: int) -> str:
    """``YYYY-MM-DD`` of a day since 1970."""
    return str(np.datetime64(day, "D"))
