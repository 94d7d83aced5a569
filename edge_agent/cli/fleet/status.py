"""`edge-agent fleet status`: which gateway runs what, and why not."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.cli.desk import add_registry, answered, open_desk
from edge_agent.clock import SystemClock
from edge_agent.registry import conducting
from edge_agent.registry.overview import overview
from edge_agent.registry.rollout import words
from edge_agent.registry.rules import rollout_of, write_time
from edge_agent.registry.standings import legible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edge_agent.registry.overview import Overview, Row
    from edge_agent.registry.registry import Desk

_REASON = 60


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "status",
        help="which gateway runs what",
        description="FOUND is what monitoring says: an accuracy below the passport's "
        "requirement, and open findings. HEARD is the age of a gateway's report "
        "by the gateway's own clock; a clock that cannot be right is said to be wrong.",
    )
    parser.add_argument("model", nargs="?", help="default: all")
    parser.add_argument("--json", action="store_true", help="for machines")
    add_registry(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; 0 also when gateways are not well: `rollout --check` judges."""
    return answered(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    import msgspec

    desk, clock = open_desk(arguments), SystemClock()
    now = clock.now() + clock.wall_offset()
    names = [arguments.model] if arguments.model else desk.models()
    found = [_overview(desk, name, now) for name in names]
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return 0
    for one in found:
        print("\n".join(_page(one)), end="\n\n")
    if not found:
        print("the registry has no model")
    return 0


def _overview(desk: Desk, name: str, now: int) -> Overview:
    listing = desk.listing(name)
    labels = conducting.labels(desk, name)
    return overview(listing, rollout_of(listing), desk.reports(name), labels, now)


def _page(one: Overview) -> Iterator[str]:
    paused = "  PAUSED" if one.paused else ""
    yield f"{one.model}  champion {one.champion or '-'}{paused}"
    if one.rollout:
        going = one.rollout
        yield f"  rollout of {going.version} at {going.percent:g} % since " + (
            write_time(going.since)
        )
        yield f"  next: {going.next}, {going.reason}"
        counts = (f"{count} {word}" for word, count in going.counts.items())
        yield f"  gateways: {', '.join(counts) or 'none'}"
    for version, why in one.halted.items():
        yield f"  {version} is halted: {why}"
    for version, states in one.versions.items():
        said = ", ".join(f"{count} {state}" for state, count in states.items())
        yield f"  {version or 'no version'}: {said}"
    if one.gateways:
        yield ""
        yield from _table(one.gateways)


@dataclass(frozen=True, slots=True)
class _Line:
    """What the table shows of a gateway; the names of the columns by default."""

    gateway: str = "GATEWAY"
    site: str = "SITE"
    version: str = "VERSION"
    state: str = "STATE"
    heard: str = "HEARD"
    found: str = "FOUND"
    next: str = "NEXT"
    standing: str = "ROLLOUT"
    reason: str = "REASON"


def _table(rows: tuple[Row, ...]) -> Iterator[str]:
    lines = [astuple(_Line()), *(astuple(_line(row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (word.ljust(width) for word, width in zip(line, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()


def _line(row: Row) -> _Line:
    heard = "wrong clock" if row.heard is None else words(max(0.0, row.heard))
    return _Line(
        row.gateway,
        row.site or "-",
        row.version or "-",
        row.state,
        heard,
        _found(row),
        f"{row.next} {row.stage}".strip() or "-",
        row.standing or "-",
        legible(row.reason, _REASON),
    )


def _found(row: Row) -> str:
    """What a person should look at; everything else is in --json."""
    breach = row.accuracy if row.accuracy.startswith("breached") else ""
    count = f"{row.findings} finding{'s' if row.findings > 1 else ''}"
    said = filter(None, (breach, count if row.findings > 0 else ""))
    return legible(", ".join(said), _REASON) or "-"
