"""`edge-agent bundle pack`: models, configuration and receipts for a gateway."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.bundle import answered, progress
from edge_agent.cli.model.key import add_passphrase, passphrase

if TYPE_CHECKING:
    import argparse


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "pack",
        help="pack models, configuration and receipts for a gateway",
        description="Makes a signed package that `edge-agent bundle import` takes at "
        "the gateway. Its number counts up: the gateway refuses one that is not newer "
        "than the last. Exit code 0: packed; 1: a bundle is not sound, or there is "
        "nothing to pack; 69: a disk; 78: a key.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="on the stick")
    parser.add_argument("--gateway", required=True, help="for whom")
    parser.add_argument("--number", type=int, required=True, help="of the package")
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the centre's own"
    )
    parser.add_argument(
        "--model", type=Path, action="append", default=[], metavar="FOLDER"
    )
    parser.add_argument("--configuration", type=Path, metavar="PATH")
    parser.add_argument(
        "--receipt", type=Path, action="append", default=[], metavar="FILE"
    )
    add_passphrase(parser, "a file with the key's passphrase alone")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Pack; 0, 1, 69 or 78."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    from edge_agent.bundle import keys
    from edge_agent.cli.moments import now
    from edge_agent.dates import date_of
    from edge_agent.transfer.manifest import Manifest
    from edge_agent.transfer.packing import pack

    key = keys.load_private(arguments.key, passphrase(arguments))
    made = date_of(now())
    folder, manifest = pack(
        arguments.folder,
        Manifest("to-gateway", arguments.gateway, "", arguments.number, made),
        key,
        models=arguments.model,
        config=arguments.configuration,
        receipts=arguments.receipt,
        progress=progress,
    )
    print(f"{folder}: {len(manifest.files)} files for {arguments.gateway}")
    print("at the gateway: edge-agent bundle import PACKAGE --config ...")
    return 0
