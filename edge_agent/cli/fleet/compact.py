"""`edge-agent fleet compact`: one object a gateway and day of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.centre.tables import TABLES
from edge_agent.cli.archive import add_archive, with_lake
from edge_agent.cli.moments import moment
from edge_agent.cli.printing import plain

if TYPE_CHECKING:
    import argparse

    from edge_agent.fleet.lake import Lake


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "compact",
        help="make one object a gateway and day of many",
        description="Of each table, gateway and day, writes all rows to one object and "
        "then removes those it was made of. It may be cut off anywhere and be started "
        "anew: until the old ones are gone, rows are there twice, and readers take "
        "each once. Run it on one machine, on days that are over.",
    )
    add_archive(parser)
    parser.add_argument(
        "--since", type=moment, default="30d", metavar="TIME", help="default: 30d"
    )
    parser.add_argument(
        "--until",
        type=moment,
        default="24h",
        metavar="TIME",
        help="days that end before it; default: 24h, as gateways may be late",
    )
    parser.add_argument(
        "--table", action="append", choices=tuple(TABLES), help="only this one"
    )
    parser.add_argument("--least", type=int, default=2, help="of so many objects (2)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be")
    parser.set_defaults(run=run, model="", threads=2, unchecked=False)


def run(arguments: argparse.Namespace) -> int:
    """Compact; exit codes as in `archive.CODES`."""

    def work(lake: Lake, _: int) -> None:
        from edge_agent.fleet.compaction import compact

        for table in arguments.table or TABLES:
            done = compact(lake, table, least=arguments.least, dry=arguments.dry_run)
            if done.before:
                print(plain(f"{table}: {done.sentence()}"))

    return with_lake(arguments, work)
