"""Tables that keep a bounded past: rings, of which the oldest rows go first.

No outbox: nobody is owed these rows. A row stands by itself (plain columns, no
reference), so that it can be read years later, and by any tool that reads SQLite. Each
carries a CRC over all its columns.

Functions on the store's connection; those that write run within a transaction of
the caller's.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: Bytes of a row besides its texts and bodies.
OVERHEAD = 100

Row = TypeVar("Row", bound=tuple[Any, ...])


@dataclass(frozen=True, slots=True)
class Ring:
    """How full a ring is.

    Attributes:
        rows, bytes: that it holds.
        forgotten: rows that went since the start, by design.
    """

    rows: int = 0
    bytes: int = 0
    forgotten: int = 0


EMPTY = Ring()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How full a ring may be; one row may always stay."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A table of the store that is a ring.

    Attributes:
        name: of the table.
        make: the row of its columns' values; the first is ``id``.
        fields: the columns in order, all but the CRC.
        weighed: those that are texts or bodies.
    """

    name: str
    make: Callable[..., Row]
    fields: tuple[str, ...]
    weighed: tuple[str, ...]

    @cached_property
    def columns(self) -> str:
        """Everything a row must be checked by, for a damaged file."""
        return f"{', '.join(self.fields)}, crc"

    @cached_property
    def size(self) -> str:
        """Bytes of a row, closely enough to bound the ring by."""
        return "+".join([str(OVERHEAD), *(f"length({name})" for name in self.weighed)])

    @cached_property
    def insert(self) -> str:
        """Adds a row; one with the same id stays as it is."""
        marks = ", ".join("?" * (len(self.fields) + 1))
        return (
            f"INSERT OR IGNORE INTO {self.name} ({self.columns})"  # noqa: S608 - constants
            f" VALUES ({marks}) RETURNING {self.size}"
        )


def measured(sql: sqlite3.Connection, table: Table[Row]) -> Ring:
    """How full the ring of a file is."""
    rows, size = sql.execute(
        f"SELECT count(*), coalesce(sum({table.size}), 0) FROM {table.name}"  # noqa: S608 - constants
    ).fetchone()
    return Ring(int(rows), int(size))


def write(
    sql: sqlite3.Connection,
    table: Table[Row],
    rows: Iterable[Row],
    ring: Ring,
    bounds: Bounds,
) -> Ring:
    """Add rows; the oldest make room for them."""
    return within(sql, table, add(sql, table, rows, ring), bounds)


def add(
    sql: sqlite3.Connection, table: Table[Row], rows: Iterable[Row], ring: Ring
) -> Ring:
    """Add rows; one already there stays as it is."""
    count, size = ring.rows, ring.bytes
    for row in rows:
        for (added,) in sql.execute(table.insert, (*row, crc_of(row))).fetchall():
            count, size = count + 1, size + int(added)
    return replace(ring, rows=count, bytes=size)


def within(
    sql: sqlite3.Connection, table: Table[Row], ring: Ring, bounds: Bounds
) -> Ring:
    """Forget the oldest until the ring is within its bounds."""
    oldest = f"id = (SELECT min(id) FROM {table.name})"  # noqa: S608 - constants
    while ring.rows > bounds.rows or (ring.bytes > bounds.bytes and ring.rows > 1):
        before = ring.rows
        ring = remove(sql, table, oldest, (), ring)
        if ring.rows == before:
            return replace(ring, rows=0, bytes=0)
        ring = replace(ring, forgotten=ring.forgotten + before - ring.rows)
    return ring


def remove(
    sql: sqlite3.Connection,
    table: Table[Row],
    where: str,
    values: Sequence[object],
    ring: Ring,
) -> Ring:
    """Take out the rows of a clause of ours; they are not counted as forgotten."""
    gone = sql.execute(
        f"DELETE FROM {table.name} WHERE {where} RETURNING {table.size}",  # noqa: S608 - constants
        values,
    ).fetchall()
    size = sum(int(one[0]) for one in gone)
    return replace(ring, rows=ring.rows - len(gone), bytes=ring.bytes - size)


def read(
    sql: sqlite3.Connection, table: Table[Row], clause: str, *values: object
) -> tuple[list[Row], int]:
    """Rows by a clause of ours, and how many more of them were damaged."""
    rows = sql.execute(
        f"SELECT {table.columns} FROM {table.name} {clause}",  # noqa: S608 - constants
        values,
    ).fetchall()
    good = list(intact(table, rows))
    return good, len(rows) - len(good)


def intact(table: Table[Row], rows: Iterable[Sequence[Any]]) -> Iterator[Row]:
    """Those of some rows (`Table.columns`) that are as they were written."""
    for *values, crc in rows:
        row = table.make(*values)
        if crc_of(row) == crc:
            yield row


def crc_of(row: tuple[Any, ...]) -> int:
    """CRC over a row."""
    # a flipped bit makes any type of a value: bytes are encoded, too
    return zlib.crc32(msgspec.msgpack.encode(tuple(row)))
