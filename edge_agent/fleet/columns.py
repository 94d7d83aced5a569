"""The archive's columns in the words of each engine. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.centre.tables import Type

Engine = Literal["duckdb", "spark", "trino"]
ENGINES: tuple[Engine, ...] = ("duckdb", "spark", "trino")

_TYPES: Mapping[Engine, Mapping[Type, str]] = {
    "duckdb": {
        "string": "VARCHAR",
        "int32": "INTEGER",
        "int64": "BIGINT",
        "float64": "DOUBLE",
        "bool": "BOOLEAN",
        "timestamp": "TIMESTAMP WITH TIME ZONE",
        "list<int64>": "BIGINT[]",
        "list<float64>": "DOUBLE[]",
    },
    "spark": {
        "string": "STRING",
        "int32": "INT",
        "int64": "BIGINT",
        "float64": "DOUBLE",
        "bool": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "list<int64>": "ARRAY<BIGINT>",
        "list<float64>": "ARRAY<DOUBLE>",
    },
    "trino": {
        "string": "varchar",
        "int32": "integer",
        "int64": "bigint",
        "float64": "double",
        "bool": "boolean",
        "timestamp": "timestamp(6)",
        "list<int64>": "array(bigint)",
        "list<float64>": "array(double)",
    },
}
_QUOTE = {"duckdb": '"', "spark": "`", "trino": '"'}


def typed(engine: Engine, kind: Type) -> str:
    """A column's type."""
    return _TYPES[engine][kind]


def quoted(engine: Engine, name: str) -> str:
    """A column's name: some of ours are words of SQL (``first``, ``since``)."""
    mark = _QUOTE[engine]
    return f"{mark}{name}{mark}"
