"""`edge-agent model key`: make a pair of keys to sign models with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    import argparse

EX_CONFIG = 78


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "key",
        help="make a pair of keys to sign models with",
        description="Writes NAME.key, which signs and stays where models are made, and "
        "NAME.pub, which goes onto every gateway (registry: trusted_keys). Make two "
        "and trust both: when one gets lost, the other signs on and revokes it. Exit "
        "code 0: made; 78: not, nothing was written.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="NAME", help="path without suffix"
    )
    add_passphrase(parser, "encrypts NAME.key with the passphrase in this file")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the pair; 0 or 78."""
    from edge_agent.bundle import keys

    stem: Path = arguments.out
    private, public = (stem.with_name(stem.name + end) for end in (".key", ".pub"))
    made = keys.made()
    try:
        keys.write_pair(private, public, made, passphrase(arguments))
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    print(f"{private}  signs: keep it where models are made, and a copy in a safe")
    print(f"{public}  goes onto every gateway, under registry: trusted_keys")
    print(f"key id {keys.key_id(made.public_key())}")
    return 0


def add_passphrase(parser: argparse.ArgumentParser, text: str) -> None:
    """Declare ``--passphrase-file``, the same for every command."""
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=text)


def passphrase(arguments: argparse.Namespace) -> str | None:
    """The passphrase, None where none is asked for.

    Raises:
        ConfigError: the file is missing, empty or open to others.
    """
    from edge_agent.config.secrets import from_file

    path: Path | None = arguments.passphrase_file
    return None if path is None else from_file("--passphrase-file", path)
