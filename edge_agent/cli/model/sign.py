"""`edge-agent model sign`: vouch for a bundle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.model.key import EX_CONFIG, add_passphrase, passphrase
from edge_agent.errors import ConfigError, ModelRejected

if TYPE_CHECKING:
    import argparse

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.keys import PrivateKey
    from edge_agent.bundle.signing import Signed

#: Files beside the passport that nobody wonders about.
_USUAL = {"passport.yaml", "MODEL_CARD.md"}


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "sign",
        help="sign a bundle",
        description="Signs every file of a bundle's folder and writes model.sig there "
        "(OpenSSF Model Signing). The bundle must be what its passport says; whether "
        "it scores right is for `edge-agent model verify` to see. Exit code 0: signed; "
        "1: the folder is not fit to be signed; 78: the key cannot be used.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the bundle")
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="private key (PEM)"
    )
    add_passphrase(parser, "a file with the key's passphrase alone")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Sign; 0, 1 or 78."""
    from edge_agent.bundle import keys
    from edge_agent.bundle.contents import open_bundle

    folder: Path = arguments.folder
    try:
        key = keys.load_private(arguments.key, passphrase(arguments))
        bundle = open_bundle(folder)
        signed = _sign(bundle, key)
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    except ModelRejected as why:
        print(why, file=sys.stderr)
        return 1
    except OSError as why:
        print(f"cannot sign {folder}: {why}", file=sys.stderr)
        return 1
    stated = bundle.passport
    print(f"signed {stated.name}@{stated.version}, release {stated.release}")
    print("\n".join(_lines(signed, set(stated.files) | _USUAL)))
    return 0


def _sign(bundle: Bundle, key: PrivateKey) -> Signed:
    """Sign what was looked at, or nothing."""
    from edge_agent.bundle import signing

    signed = signing.sign(bundle.path, key)
    try:
        signed.check_same(bundle)
    except ModelRejected:
        (bundle.path / signing.SIGNATURE_FILE).unlink()
        raise
    return signed


def _lines(signed: Signed, known: set[str]) -> list[str]:
    lines = [f"key id {signed.key_id}", f"{len(signed.files)} files are covered"]
    if others := sorted(set(signed.files) - known):
        lines.append(f"of these the passport does not name: {', '.join(others)}")
    return lines
