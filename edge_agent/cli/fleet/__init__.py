"""`edge-agent fleet`: bring a version to all gateways, step by step, and see them.

One file a command; each declares itself with `add_parser`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and all below it."""
    parser = commands.add_parser(
        "fleet", help="bring a version to all gateways, step by step"
    )
    below = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}").add_parser(below)
