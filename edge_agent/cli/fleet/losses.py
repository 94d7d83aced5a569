"""`edge-agent fleet losses`: what was lost, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cli.archive import add_question, answered, table

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "losses",
        help="what was lost, and why",
        description="Losses the gateways told, added up by site and cause.",
    )
    add_question(parser, since="7d")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit codes as in `archive.CODES`."""
    from edge_agent.fleet import lines
    from edge_agent.fleet.losses import losses

    return answered(
        arguments,
        lambda lake, _: losses(lake),
        lambda found: table(lines.LOSSES, lines.losses(found)),
    )
