"""`edge-agent version`: what runs here, for a support request."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from edge_agent import __version__

if TYPE_CHECKING:
    import argparse

PARTS = ("onnxruntime", "numpy", "asyncua", "paho-mqtt", "pydantic", "msgspec")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("version", help="versions of the agent and its parts")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the versions."""
    parts = {
        "edge-agent": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in PARTS},
    }
    if arguments.json:
        print(msgspec.json.encode(parts).decode())
    else:
        print("\n".join(f"{name:<14}{value}" for name, value in parts.items()))
    return 0
