"""The command line: one file per command, its parser beside its work.

Exit codes: 0 fine, 1 failed, 2 wrong use, 3 degraded or not over yet, 4 halted,
69 not reachable, 78 configuration wrong (sysexits.h).
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from edge_agent import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    "run",
    "check",
    "demo",
    "replay",
    "status",
    "lineage",
    "findings",
    "losses",
    "evidence",
    "quarantine",
    "label",
    "report",
    "model",
    "fleet",
    "bundle",
    "schema",
    "version",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse and run one command; returns its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="edge-agent",
        description="Machine-learning inference on factory-floor gateways.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # the runtime and the clients take half a second: only what is asked for
    named = [name for name in given[:1] if name in COMMANDS]
    for name in named or COMMANDS:
        import_module(f"edge_agent.cli.{name}").add_parser(commands)
    arguments = parser.parse_args(given)
    try:
        code: int = arguments.run(arguments)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe left: not an error of ours
        return 0
    return code
