"""`edge-agent fleet models`: which model runs where, by the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cli.archive import add_question, answered, table

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "models",
        help="which model runs where, by the archive",
        description="The newest health row of every pipeline. HEARD is its age.",
    )
    add_question(parser, since="30d")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit codes as in `archive.CODES`."""
    from edge_agent.fleet import lines
    from edge_agent.fleet.models import models

    return answered(
        arguments,
        models,
        lambda found: table(lines.MODELS, lines.models(found)),
    )
