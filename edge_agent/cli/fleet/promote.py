"""`edge-agent fleet promote`: everybody runs this version."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edge_agent.cli.desk import add_registry, answered, open_desk, shown
from edge_agent.registry import conducting

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "promote",
        help="let everybody run a version",
        description="Makes a version the champion and ends its rollout, whatever was "
        "reported of it. Each gateway still checks it before it scores with it.",
    )
    parser.add_argument("model")
    parser.add_argument("version")
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Promote; 0 when it is done."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    desk, model = open_desk(arguments), arguments.model
    version = conducting.promote(desk, model, arguments.version)
    said = shown(version, conducting.labels(desk, model))
    print(f"{model} {said} is the champion now")
    return 0
