"""`edge-agent fleet silent`: gateways of which nothing was heard for a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cli.archive import add_question, answered, table

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "silent",
        help="gateways of which nothing was heard for a day",
        description="Also those that are known by their folder only.",
    )
    add_question(parser, since="30d")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit codes as in `archive.CODES`."""
    from edge_agent.fleet import lines
    from edge_agent.fleet.silent import silent

    return answered(
        arguments,
        silent,
        lambda found: table(lines.SILENT, lines.silent(found)),
    )
