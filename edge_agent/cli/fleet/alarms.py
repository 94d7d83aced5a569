"""`edge-agent fleet alarms`: how often alarms come, and from whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cli.archive import add_question, answered, table

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "alarms",
        help="how often alarms come, and from whom",
        description="Alarms an asset and week, with intervals, by site and "
        "pipeline. A flood hour has more than ten alarms of its site in ten minutes.",
    )
    add_question(parser, since="7d")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit codes as in `archive.CODES`."""
    from edge_agent.fleet import lines
    from edge_agent.fleet.alarms import alarms

    return answered(
        arguments,
        lambda lake, _: alarms(lake),
        lambda found: table(lines.ALARMS, lines.alarms(found)),
    )
