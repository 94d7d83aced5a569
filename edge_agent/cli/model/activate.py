"""`edge-agent model activate`: let a version score, or follow the registry again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cli.ordering import add_place, ordered
from edge_agent.registry.orders import Order

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "activate",
        help="let a version score a pipeline, and hold it there",
        description="A version that is watched or was active takes over at once; any "
        "other is fetched and proven first. It stays until `--follow`.",
    )
    parser.add_argument("pipeline", help="name of the pipeline")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", default="", help="as `status` shows it")
    what.add_argument(
        "--follow", action="store_true", help="let the registry decide again"
    )
    add_place(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Give the order; 0 when it was obeyed, 1 when not, 69 when no agent runs."""
    name, version = arguments.pipeline, arguments.version
    follow = Order(name, "follow")
    return ordered(
        arguments, follow if arguments.follow else Order(name, "activate", version)
    )
