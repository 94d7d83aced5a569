"""`edge-agent bundle import`: take what the centre sent on a stick."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.bundle import answered, progress
from edge_agent.cli.bundle.export import sender_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edge_agent.transfer.incoming import Imported


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser(
        "import",
        help="take models, configuration and receipts of the centre",
        description="Takes a package of `bundle pack`: looks at all of it first, and "
        "changes nothing when anything is wrong. Models come into the registry's "
        "folder, where the agent finds them; a configuration counts from the agent's "
        "next start, and the files of before are kept. Exit code 0: taken; 1: refused; "
        "69: a disk; 78: the configuration in it is wrong, or no key is trusted.",
    )
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="its folder")
    parser.add_argument("--config", type=Path, required=True, help="file or folder")
    parser.add_argument(
        "--trust",
        type=Path,
        action="append",
        metavar="FILE",
        help="the centre's public key, instead of registry.trusted_keys",
    )
    parser.add_argument(
        "--again", action="store_true", help="although it, or a later one, was taken"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take it; 0, 1, 69 or 78."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    from edge_agent.bundle.trust import Trust
    from edge_agent.config import loading
    from edge_agent.transfer.incoming import bring

    loaded = loading.read(arguments.config)
    trust = Trust.load(arguments.trust) if arguments.trust else None
    done = bring(
        arguments.package,
        loaded,
        arguments.config,
        sender_of(loaded.config),
        trust=trust,
        again=arguments.again,
        progress=progress,
    )
    print("\n".join(_lines(done)))
    return 0


def _lines(done: Imported) -> Iterator[str]:
    yield f"package {done.number} is taken"
    for model in done.models:
        yield f"  model {model}: the agent looks at it with its next poll"
    for file in done.config:
        yield f"  configuration {file}"
    if done.config:
        kept = f"; the files of before: {done.kept}" if done.kept else ""
        yield f"  it counts from the next start: systemctl restart edge-agent{kept}"
    if done.receipts:
        yield f"  {done.receipts} objects have their receipt"
