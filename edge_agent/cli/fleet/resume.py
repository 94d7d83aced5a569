"""`edge-agent fleet resume`: take back a pause, or a halt that was a mistake."""

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
        "resume",
        help="take back a pause, or a halt that was a mistake",
        description="Without VERSION gateways adopt new versions of the model again. "
        "With it that version is no longer halted; a gateway on which it failed still "
        "refuses it.",
    )
    parser.add_argument("model")
    parser.add_argument("version", nargs="?")
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Resume; 0 when it is done."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    desk, model = open_desk(arguments), arguments.model
    if arguments.version:
        version = conducting.lift(desk, model, arguments.version)
        said = shown(version, conducting.labels(desk, model))
        print(f"{model} {said} is no longer halted")
    else:
        conducting.pause(desk, model, paused=False)
        print(f"{model} goes on")
    return 0
