"""`edge-agent bundle take`: put a gateway's package into the centre's archive."""

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
        "take",
        help="put a gateway's package into the centre's archive",
        description="Checks a package of `bundle export` whole, puts its objects into "
        "the archive and writes a receipt, which goes back with `bundle pack`. The "
        "same package again changes nothing. Exit code 0: taken; 1: refused, nothing "
        "was taken; 69: a disk; 78: a key or the archive.",
    )
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="its folder")
    parser.add_argument("--archive", type=Path, required=True, help="a folder")
    parser.add_argument(
        "--gateway-key",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="gateway.pub of a gateway that is trusted; several may be given",
    )
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the centre's own"
    )
    parser.add_argument(
        "--receipt", type=Path, required=True, metavar="FOLDER", help="written there"
    )
    add_passphrase(parser, "a file with the key's passphrase alone")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take it; 0, 1, 69 or 78."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    from edge_agent.bundle import keys
    from edge_agent.cli.moments import now
    from edge_agent.dates import date_of
    from edge_agent.durable import write_whole
    from edge_agent.transfer import taking

    trusted = {}
    for path in arguments.gateway_key:
        public = keys.load_public(path)
        trusted[keys.key_id(public)] = public
    key = keys.load_private(arguments.key, passphrase(arguments))
    put = partial(_put, arguments.archive)
    manifest, digest, new = taking.take(arguments.package, trusted, put, progress)
    made = date_of(now())
    arguments.receipt.mkdir(parents=True, exist_ok=True)
    file = arguments.receipt / f"{manifest.gateway}-{manifest.number:06d}.receipt"
    write_whole(file, taking.receipt(manifest, digest, made, key))
    known = len(manifest.files) - new
    print(f"package {manifest.number} of {manifest.gateway}: {new} objects are new")
    if known:
        print(f"{known} were there already")
    print(f"its receipt: {file}; send it with edge-agent bundle pack")
    return 0


def _put(archive: Path, name: str, text: bytes) -> bool:
    """An object in a folder; True where it was not there."""
    from edge_agent.durable import write_below

    archive.mkdir(parents=True, exist_ok=True)
    if (archive / name).is_file():
        return False
    write_below(archive, name.split("/"), text)
    return True
