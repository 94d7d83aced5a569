"""`edge-agent fleet pause`: no gateway adopts anything new of a model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edge_agent.cli.desk import add_registry, answered, open_desk
from edge_agent.registry import conducting

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "pause",
        help="let no gateway adopt anything new of a model",
        description="What scores goes on, also where that is the version that is "
        "rolled out; halts still count.",
    )
    parser.add_argument("model")
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Pause; 0 when it is done."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    conducting.pause(open_desk(arguments), arguments.model, paused=True)
    print(f"{arguments.model} is paused: edge-agent fleet resume {arguments.model}")
    return 0
