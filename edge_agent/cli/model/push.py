"""`edge-agent model push`: publish a bundle's folder in a registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.desk import add_registry, answered, open_desk

if TYPE_CHECKING:
    import argparse


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "push",
        help="publish a bundle in a registry",
        description="The bundle is checked first. Pushing it again changes nothing; "
        "after signing it anew, push it again. Exit code 1: the bundle is wrong. 69: "
        "the registry cannot be used now.",
    )
    parser.add_argument("bundle", type=Path, help="its folder")
    parser.add_argument("--alias", help="point this alias at it, for example canary")
    parser.add_argument("--approved-by", metavar="WHO", help="shown beside the version")
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Publish; 0, 1, 69 or 78."""
    return answered(lambda: _push(arguments))


def _push(arguments: argparse.Namespace) -> int:
    from edge_agent.registry.listing import APPROVED

    desk = open_desk(arguments)
    approved = arguments.approved_by
    offer = desk.push(arguments.bundle, {APPROVED: approved} if approved else {})
    print(f"{offer.name}@{offer.version} is in {desk.status()['where']}")
    if arguments.alias:
        desk.point(offer.name, arguments.alias, offer.version)
        print(f"{offer.name}@{arguments.alias} points at {offer.version}")
    return 0
