"""Which registry a command means, and what its errors become: for every command."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError, ModelRejected, RegistryUnavailable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from edge_agent.config.schema import Registry
    from edge_agent.registry.registry import Desk

REJECTED, EX_UNAVAILABLE, EX_CONFIG = 1, 69, 78


def add_registry(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a registry; exactly one of two must be given."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--registry", metavar="PATH|URL", help="a folder, or MLflow")
    which.add_argument("--config", type=Path, help="the one of this configuration")
    parser.add_argument("--user", help="with --registry URL")
    parser.add_argument(
        "--password-file",
        type=Path,
        help="the user's password, or without user a token",
    )
    parser.add_argument("--ca-file", type=Path, help="authority of the URL's server")


def open_desk(arguments: argparse.Namespace) -> Desk:
    """The registry that arguments of `add_registry` name.

    Raises:
        ConfigError: they, or the configuration they name, are wrong.
    """
    from edge_agent import logs
    from edge_agent.config.secrets import password_of
    from edge_agent.registry.listing import Gateway
    from edge_agent.registry.opening import open_registry

    logs.configure(level="warning")  # standard output belongs to the result
    settings = _settings(arguments)
    password = password_of("registry", settings)
    return open_registry(settings, Gateway(""), password=password)


def answered(command: Callable[[], int]) -> int:
    """Run a command; what goes wrong is told and becomes its exit code."""
    try:
        return command()
    except ModelRejected as why:
        return _told(why, REJECTED)
    except RegistryUnavailable as why:
        return _told(why, EX_UNAVAILABLE)
    except ConfigError as why:
        return _told(why, EX_CONFIG)


def shown(version: str, labels: Mapping[str, str]) -> str:
    """A version as people know it, with the registry's own number where that differs.

    Args:
        version: the registry's id.
        labels: the passport's version by id.
    """
    label = labels.get(version) or version
    return label if label == version else f"{label} (version {version})"


def _told(why: Exception, code: int) -> int:
    print(why, file=sys.stderr)
    return code


def _settings(arguments: argparse.Namespace) -> Registry:
    from edge_agent.config import loading
    from edge_agent.config.schema import Registry, Tls

    if arguments.config is not None:
        return loading.read(arguments.config).config.registry
    where = arguments.registry
    if not re.match("https?://", where):
        return Registry(path=Path(where))
    try:
        return Registry(
            type="mlflow",
            url=where,
            user=arguments.user,
            password_file=arguments.password_file,
            tls=Tls(ca_file=arguments.ca_file) if arguments.ca_file else None,
        )
    except ValueError as error:
        raise ConfigError(
            f"{where!r} is no registry: write a folder, or https://HOST:PORT without "
            "user and password, which are --user and --password-file"
        ) from error
