"""`edge-agent model list`: what a registry holds, and how it is steered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.cli.desk import add_registry, answered, open_desk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from edge_agent.registry.registry import Desk

HEADS = ("MODEL", "ID", "VERSION", "RELEASE", "DIGEST", "CREATED", "ALIASES", "STATE")


def add_parser(below: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = below.add_parser("list", help="models of a registry and their versions")
    parser.add_argument("name", nargs="?", help="only this model")
    parser.add_argument("--json", action="store_true", help="for machines")
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print; 0, 1, 69 or 78."""
    return answered(lambda: _list(arguments))


def _list(arguments: argparse.Namespace) -> int:
    desk = open_desk(arguments)
    names = [arguments.name] if arguments.name else desk.models()
    models = [_model(desk, name) for name in names]
    if arguments.json:
        print(msgspec.json.encode(models).decode())
    elif models:
        print("\n".join(_table([HEADS, *(row for m in models for row in _rows(m))])))
    else:
        print(f"{desk.status()['where']} holds no model")
    return 0


def _model(desk: Desk, name: str) -> dict[str, Any]:
    listing = desk.listing(name)
    return {
        "model": name,
        "paused": listing.paused,
        "aliases": dict(listing.aliases),
        "halted": listing.halted,
        "tags": dict(listing.tags),
        "versions": [dict(version) for version in desk.history(name)],
    }


def _rows(model: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    from edge_agent.registry.listing import DIGEST, RELEASE, VERSION

    paused = "paused" if model["paused"] else ""
    for one in model["versions"]:
        number = one["version"]
        aliases = sorted(a for a, v in model["aliases"].items() if v == number)
        halted = model["halted"].get(number)
        yield (
            model["model"],
            number,
            one.get(VERSION, ""),
            one.get(RELEASE, ""),
            one.get(DIGEST, "")[:8],
            one["created"],
            ",".join(aliases),
            f"halted: {halted}" if halted is not None else paused,
        )
    if not model["versions"]:
        yield (model["model"], "", "", "", "", "", "", paused or "no version")


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    shown = [[_printable(cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (c.ljust(w) for c, w in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _printable(text: str) -> str:
    """What strangers wrote must not steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
