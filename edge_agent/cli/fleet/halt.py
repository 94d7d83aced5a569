"""`edge-agent fleet halt`: nobody runs this version any more."""

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
        "halt",
        help="let nobody run a version any more",
        description="Halts a version everywhere and ends its rollout. Gateways that "
        "have it go back to the champion with their next look; a champion gives way "
        "to the one before it.",
    )
    parser.add_argument("model")
    parser.add_argument("version")
    parser.add_argument("--reason", required=True, help="shown wherever it is missed")
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Halt; 0 when it is done."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    desk, model = open_desk(arguments), arguments.model
    version = conducting.halt(desk, model, arguments.version, arguments.reason)
    said = shown(version, conducting.labels(desk, model))
    champion = desk.listing(model).aliases.get("champion", "")
    print(f"{model} {said} is halted: {arguments.reason}")
    if champion == version:
        print(f"it is still the champion of {model}: promote another version")
    return 0
