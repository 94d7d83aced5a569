"""`edge-agent fleet sql`: the archive's tables and questions for other engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "sql",
        help="the archive's tables and questions for Spark, Trino or DuckDB",
        description="Prints statements that declare the archive's tables, and the "
        "three main questions: which model runs where, merged drift with its PSI, and "
        "counts for accuracy. The archive is read unchanged.",
    )
    parser.add_argument("--engine", required=True, choices=("spark", "trino", "duckdb"))
    parser.add_argument(
        "--archive",
        default="ARCHIVE",
        metavar="URL",
        help="as the engine names it: s3a://BUCKET/PREFIX, /data/archive",
    )
    parser.add_argument(
        "--part",
        choices=("tables", "models", "drift", "accuracy"),
        help="only this; default: all",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    from edge_agent.fleet.statements import PARTS, shipped

    for part in [arguments.part] if arguments.part else PARTS:
        print(shipped(arguments.engine, part, arguments.archive))
    return 0
