"""The archive's rows in DuckDB: what is asked, each row once.

An object that is not what its name says is named and left out. So is one that DuckDB
cannot read, or whose columns are of other types: the rest is answered.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from edge_agent.centre.tables import TABLES
from edge_agent.errors import ArchiveUnavailable
from edge_agent.fleet.asked import MICROSECOND
from edge_agent.fleet.columns import quoted, typed
from edge_agent.fleet.listing import Listing, apart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge_agent.centre.names import Named
    from edge_agent.centre.tables import Table
    from edge_agent.fleet.asked import Asked

#: Years 1 to 9999, in microseconds since 1970.
_EVER = (-62_135_596_800_000_000, 253_402_300_800_000_000)
_SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET autoinstall_known_extensions = false",  # nothing is fetched from anywhere
    "SET autoload_known_extensions = false",
    "SET enable_progress_bar = false",
    "SET parquet_metadata_cache = true",
)


class Archive(Protocol):
    """Where objects lie."""

    @property
    def root(self) -> Path:
        """Folder of the objects."""

    def listing(self, table: str, asked: Asked) -> Listing:
        """What lies there of a table, ready to be read below ``root``."""

    def wrong(self, one: Named) -> str:
        """Why an object is not what its name says; empty where it is."""

    def put(self, one: Named, body: bytes) -> None:
        """Write an object."""

    def remove(self, one: Named) -> None:
        """Remove an object."""

    def close(self) -> None:
        """Leave nothing behind."""


@dataclass(slots=True)
class Lake:
    """The archive's tables, each listed when it is first asked for.

    Args:
        archive: where the objects lie.
        asked: whose rows, of when.
        threads: of DuckDB and of checking.
        checked: objects are held against the sum in their names first.

    Attributes:
        left_out: names of what could not be read, and why.
        gateways: site and gateway of every folder seen so far.
        objects: read, by table.
    """

    archive: Archive
    asked: Asked
    threads: int = 2
    checked: bool = True
    left_out: dict[str, str] = field(default_factory=dict)
    gateways: set[tuple[str, str]] = field(default_factory=set)
    objects: dict[str, tuple[Named, ...]] = field(default_factory=dict)
    _spill: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="edge-agent-fleet-"),
        init=False,
        repr=False,
    )
    """What does not fit into memory; else it would land in the current folder."""
    _engine: duckdb.DuckDBPyConnection = field(
        default_factory=duckdb.connect, init=False, repr=False
    )

    def __post_init__(self) -> None:
        spill = f"SET temp_directory = {_text(self._spill.name)}"
        own = (f"SET threads = {self.threads}", spill)
        for setting in (*_SETTINGS, *own):
            self._engine.execute(setting)

    def close(self) -> None:
        """Give everything back."""
        self._engine.close()
        self._spill.cleanup()
        self.archive.close()

    def rows(
        self, tables: Sequence[str], sql: str, given: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Ask.

        Args:
            tables: that the question reads.
            sql: over tables of these names.
            given: for its question marks.

        Raises:
            ArchiveUnavailable: it cannot be answered.
        """
        for table in tables:
            if table not in self.objects:
                self._open(table)
        try:
            return self._rows(tables, sql, given)
        except duckdb.Error as why:
            if not sum(self._sift(table) for table in tables):
                raise ArchiveUnavailable(f"DuckDB cannot answer: {why}") from why
        try:
            return self._rows(tables, sql, given)
        except duckdb.Error as why:
            raise ArchiveUnavailable(f"DuckDB cannot answer: {why}") from why

    def write(
        self, table: str, objects: Sequence[Named], what: str, behind: str, path: Path
    ) -> None:
        """Write rows of some objects, each once, to a Parquet file.

        Args:
            table: of `TABLES`.
            objects: its.
            what: ``SELECT`` and columns; also those we do not know are there.
            behind: ``ORDER BY`` and columns.
            path: of the file.

        Raises:
            duckdb.Error: an object cannot be read.
        """
        rows = view(TABLES[table], objects, self.archive.root, _EVER)
        options = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"
        self._engine.execute(
            f"COPY ({what} FROM ({rows}) {behind}) TO {_text(str(path))} ({options})"
        )

    def _rows(
        self, tables: Sequence[str], sql: str, given: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        # no views: to make one opens every object, and so does each question again
        known = ", ".join(f"{t} AS ({self._view(t, self.objects[t])})" for t in tables)
        begin, _, rest = sql.strip().partition(" ")
        whole = f"WITH {known}" + (f", {rest}" if begin == "WITH" else f" {sql}")
        return self._engine.execute(whole, list(given)).fetchall()

    def _open(self, table: str) -> None:
        found = self.archive.listing(table, self.asked)
        self.left_out |= found.left_out
        self.gateways |= found.gateways
        self.objects[table] = self.sound(found.objects)

    def sound(self, objects: tuple[Named, ...]) -> tuple[Named, ...]:
        """Those that are what their names say; the others are left out."""
        if not self.checked:
            return objects
        with ThreadPoolExecutor(self.threads) as pool:
            said = dict(
                zip(objects, pool.map(self.archive.wrong, objects), strict=True)
            )
        self.left_out |= {str(one): why for one, why in said.items() if why}
        return tuple(one for one, why in said.items() if not why)

    def _view(self, table: str, objects: Sequence[Named]) -> str:
        bounds = self.asked.since // MICROSECOND, self.asked.until // MICROSECOND
        root, model = self.archive.root, self.asked.model
        return view(TABLES[table], objects, root, bounds, model)

    def _sift(self, table: str) -> bool:
        """Leave out what cannot be read by itself; True where there was some."""
        kept = []
        every = ", ".join(f'count("{c.name}")' for c in TABLES[table].columns)
        for one in self.objects[table]:
            try:
                sql = f"SELECT {every} FROM ({self._view(table, (one,))})"  # noqa: S608
                self._engine.execute(sql).fetchall()
            except duckdb.Error as why:
                self.left_out[str(one)] = f"cannot be read: {_first(why)}"
            else:
                kept.append(one)
        some = len(kept) < len(self.objects[table])
        self.objects[table] = tuple(kept)
        return some


def view(
    table: Table,
    objects: Sequence[Named],
    root: Path,
    bounds: tuple[int, int],
    model: str = "",
) -> str:
    """SQL of a table's rows, each once.

    Columns an object does not have are null, those we do not know are not read.

    Args:
        table: which.
        objects: its objects.
        root: folder they lie below.
        bounds: microseconds since 1970; the second is not in it.
        model: only its rows; empty for all.
    """
    alone, shared = apart(objects)
    parts = [_scan(table, alone, root)]
    if shared:  # a row is where it is, so rows that are equal have equal times too
        whose = ", ".join(('site, gateway, "ts"', *(f'"{k}"' for k in table.key)))
        parts.append(
            f"SELECT * EXCLUDE (place) FROM (SELECT *, row_number() OVER "  # noqa: S608
            f"(PARTITION BY {whose}) AS place FROM ({_scan(table, shared, root)})) "
            "WHERE place = 1"
        )
    # the columns of our files are plain: to compare with them lets DuckDB skip groups
    since, until = bounds
    sought = f'"ts" >= make_timestamptz({since}) AND "ts" < make_timestamptz({until})'
    if model and any(column.name == "model" for column in table.columns):
        sought += f" AND model = {_text(model)}"
    return f"SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) WHERE {sought}"  # noqa: S608


def _scan(table: Table, objects: Sequence[Named], root: Path) -> str:
    types: Mapping[str, str] = {
        **dict.fromkeys(("site", "gateway", "day"), "VARCHAR"),
        **{c.name: typed("duckdb", c.type) for c in table.columns},
    }
    empty = ", ".join(f"NULL::{kind} AS {_word(name)}" for name, kind in types.items())
    rows = f"SELECT {empty} WHERE false"
    if objects:
        files = ", ".join(_text(str(root / str(one))) for one in objects)
        rows += (
            f" UNION ALL BY NAME SELECT * FROM read_parquet([{files}], "  # noqa: S608
            "hive_partitioning = true, hive_types_autocast = false, "
            "union_by_name = true)"
        )
    cast = ", ".join(
        f"CAST({_word(name)} AS {kind}) AS {_word(name)}"
        for name, kind in types.items()
    )
    return f"SELECT * REPLACE ({cast}) FROM ({rows})"  # noqa: S608


def _word(name: str) -> str:
    return quoted("duckdb", name)


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first(why: Exception) -> str:
    return str(why).partition("\n")[0]
