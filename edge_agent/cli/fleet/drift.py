"""`edge-agent fleet drift`: how far each feature has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cli.archive import add_question, answered, table

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "drift",
        help="how far each feature has moved, over sites and the fleet",
        description="Counts of all gateways are added up exactly and held against what "
        "each model was trained on. The worst come first.",
    )
    add_question(parser, since="7d")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit codes as in `archive.CODES`."""
    from edge_agent.fleet import lines
    from edge_agent.fleet.drift import drift

    return answered(
        arguments,
        lambda lake, _: drift(lake),
        lambda found: table(lines.DRIFT, lines.drift(found)),
    )
