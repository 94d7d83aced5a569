"""The registry as commands of the centre are told of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError, ModelRejected, RegistryUnavailable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from edge_agent.registry.registry import Desk

UNAVAILABLE, FAILED, WRONG = 69, 1, 78


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where the registry is."""
    group = parser.add_argument_group("registry")
    group.add_argument(
        "--registry",
        required=True,
        metavar="PATH_OR_URL",
        help="a folder, or the address of an MLflow server",
    )
    group.add_argument("--user", help="at the server")
    group.add_argument(
        "--password-file", type=Path, metavar="FILE", help="holds the password alone"
    )
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds a token; without --user"
    )
    group.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="certificates to trust (PEM)"
    )


def open_desk(arguments: argparse.Namespace) -> Desk:
    """The registry that the arguments name.

    Raises:
        ConfigError: they do not fit together, or a file cannot be read.
    """
    from edge_agent import logs
    from edge_agent.registry.directory import DirectoryRegistry

    logs.configure(level="warning")
    where = str(arguments.registry)
    if "://" in where:
        raise ConfigError(f"{where}: only a folder can be opened yet")
    return DirectoryRegistry(Path(where))


def answer(work: Callable[[], int]) -> int:
    """A command's exit code, or that of what it raised, told in words."""
    try:
        return work()
    except (RegistryUnavailable, ModelRejected, ConfigError) as why:
        print(why, file=sys.stderr)
        codes = {RegistryUnavailable: UNAVAILABLE, ConfigError: WRONG}
        return codes.get(type(why), FAILED)


def shown(version: str, labels: Mapping[str, str]) -> str:
    """A version as people know it, with the registry's own number where that differs.

    Args:
        version: the registry's id; empty for none.
        labels: the passport's version by id.
    """
    label = labels.get(version, version) or version
    return label if label == version else f"{label} (version {version})"
