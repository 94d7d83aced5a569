"""`edge-agent bundle`: what is carried by hand, where there is no link.

One file a command; each declares itself with `add_parser`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError, ModelRejected, RegistryUnavailable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

EX_CONFIG, EX_UNAVAILABLE = 78, 69


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and all below it."""
    parser = commands.add_parser(
        "bundle", help="carry evidence, models and configuration on a stick"
    )
    below = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}").add_parser(below)


def answered(work: Callable[[], int]) -> int:
    """Do it; 1 when a package is refused, 69 for a disk, 78 for a wrong setting."""
    try:
        return work()
    except ModelRejected as why:
        print(why, file=sys.stderr)
        return 1
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    except (OSError, RegistryUnavailable) as why:
        print(f"nothing more was done: {why}", file=sys.stderr)
        return EX_UNAVAILABLE


def progress(done: int, total: int) -> None:
    """One line that grows, for a person who watches."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done} of {total} files", end=end, file=sys.stderr, flush=True)
