"""`edge-agent model rollback`: the former version scores again, at once, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cli.ordering import add_place, ordered
from edge_agent.registry.orders import Order

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "rollback",
        help="return a pipeline to the version before",
        description="The version that scores now is not taken again by itself; "
        "`edge-agent model activate PIPELINE --follow` lets the registry decide again.",
    )
    parser.add_argument("pipeline", help="name of the pipeline")
    add_place(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Give the order; 0 when it was obeyed, 1 when not, 69 when no agent runs."""
    return ordered(arguments, Order(arguments.pipeline, "rollback"))
