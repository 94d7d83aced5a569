"""`edge-agent quarantine`: records that an output refused for good.

A running agent is asked; when none runs, the same is read from the state folder.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.cli.printing import plain
from edge_agent.errors import StoreDamaged, StoreInUse
from edge_agent.status import kept_aside

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

UNAVAILABLE = 69
_LONGEST = 300


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "quarantine", help="records that an output refused for good"
    )
    parser.add_argument("--output", default="", help="of this output only")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write all to a file, a line each"
    )
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/edge-agent"))
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/edge-agent"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print or write them; 0 also when there are some, 69 when nobody can be asked."""
    found = kept_aside.everything(
        arguments.state_dir, arguments.runtime_dir, arguments.output
    )
    try:
        if arguments.export is not None:
            print(f"{_export(arguments.export, found)} written to {arguments.export}")
        elif arguments.json:
            said = msgspec.json.encode(list(found))
            print(msgspec.json.format(said).decode())
        else:
            print("\n".join(map(plain, _page(found))))
    except (OSError, StoreInUse, StoreDamaged) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    return 0


def _export(path: Path, found: Iterable[dict[str, Any]]) -> int:
    """JSON lines; a file that is there already is never overwritten."""
    count = 0
    with path.open("xb") as file:
        for one in found:
            file.write(msgspec.json.encode(one) + b"\n")
            count += 1
    return count


def _page(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    any_ = False
    for one in found:
        any_ = True
        rows = "1 row" if one["rows"] == 1 else f"{one['rows']} rows"
        yield (
            f"{one['at']}  {one['output']}  {one['kind']}, {rows},"
            f" boot {one['boot']} seq {one['seq']}"
        )
        yield f"    {one['reason']}"
        said = msgspec.json.encode(one["content"]).decode()
        yield f"    {said[:_LONGEST]}" + (" ..." if len(said) > _LONGEST else "")
    if not any_:
        yield "nothing is in quarantine"
