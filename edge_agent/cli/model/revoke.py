"""`edge-agent model revoke`: a key is trusted no more."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.model.key import EX_CONFIG, add_passphrase, passphrase
from edge_agent.clock import SystemClock
from edge_agent.errors import ConfigError, ModelRejected
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    import argparse

    from edge_agent.bundle.keys import PrivateKey
    from edge_agent.bundle.revocation import RevokedKeys


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "revoke",
        help="put a key on the signed list of revoked keys",
        description="Makes the list, or the next one from it. Gateways that have it "
        "(registry: revoked) refuse whatever the key has signed or will sign. A key is "
        "revoked for good. Exit code 0: written; 1: the list there is not in order; "
        "78: a key cannot be used.",
    )
    parser.add_argument("revoked", type=Path, metavar="KEY.pub", help="key to revoke")
    parser.add_argument("--reason", required=True, help="in words; gateways show it")
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="private key that signs"
    )
    parser.add_argument(
        "--list", type=Path, required=True, metavar="FILE", help="made or extended"
    )
    parser.add_argument(
        "--trusted-key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="public key that signed the list so far, where another key signs now",
    )
    add_passphrase(parser, "a file with the signing key's passphrase alone")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the list; 0, 1 or 78."""
    try:
        lines = _revoke(arguments)
    except ConfigError as why:
        print(why, file=sys.stderr)
        return EX_CONFIG
    except ModelRejected as why:
        print(why, file=sys.stderr)
        return 1
    except OSError as why:
        print(f"cannot write {arguments.list}: {why}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def _revoke(arguments: argparse.Namespace) -> list[str]:
    from edge_agent.bundle import keys
    from edge_agent.bundle.revocation import revocation, signed_list
    from edge_agent.durable import write_whole

    gone = keys.key_id(keys.load_public(arguments.revoked))
    signer = keys.load_private(arguments.key, passphrase(arguments))
    before = _list_so_far(arguments, signer)
    day = dt.datetime.fromtimestamp(SystemClock().now() / NANOSECONDS, dt.UTC).date()
    after = before.with_one(revocation(gone, day, arguments.reason))
    write_whole(arguments.list, signed_list(after, signer))
    lines = [
        f"{arguments.list} is list {after.number}, with {len(after.keys)} revoked",
        after.keys[gone].sentence,
    ]
    if gone == keys.key_id(signer.public_key()):
        lines.append(
            "this key has revoked itself: another one must sign the next list, and "
            "every model anew"
        )
    return lines


def _list_so_far(arguments: argparse.Namespace, signer: PrivateKey) -> RevokedKeys:
    """What is on the list, which must be in order: it is signed anew with all in it."""
    from edge_agent.bundle import keys
    from edge_agent.bundle.revocation import RevokedKeys
    from edge_agent.bundle.trust import Trust

    mine = signer.public_key()
    others = [keys.load_public(path) for path in arguments.trusted_key]
    if not arguments.list.exists():
        return RevokedKeys()
    found = Trust.of([mine, *others]).with_list(arguments.list).revoked
    if entry := found.keys.get(keys.key_id(mine)):
        raise ModelRejected(
            f"{arguments.list}: the signing key is {entry.sentence}; gateways would "
            "refuse the list, sign it with another key"
        )
    return found
