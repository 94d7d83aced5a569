"""`edge-agent fleet promote`: everybody runs this version."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edge_agent.cli import desk as desks
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
    desks.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Promote; 0 when it is done."""
    return desks.answer(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    desk, model = desks.open_desk(arguments), arguments.model
    version = conducting.promote(desk, model, arguments.version)
    said = desks.shown(version, conducting.labels(desk, model))
    print(f"{model} {said} is the champion now")
    return 0
