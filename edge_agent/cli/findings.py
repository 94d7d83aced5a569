"""`edge-agent findings`: what monitoring found, and whether it is still so.

A running agent is asked; when none runs, the same is read from the state folder.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.cli.moments import moment
from edge_agent.cli.printing import plain
from edge_agent.dates import date_of
from edge_agent.errors import StoreDamaged, StoreInUse
from edge_agent.records import FindingState
from edge_agent.status.history import History, Kept
from edge_agent.store.findings import Finding, evidence_of
from edge_agent.store.history import Of, Query

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

UNAVAILABLE = 69
_WIDTH = 88
_TITLES = (
    *("SINCE", "UNTIL", "PIPELINE", "ASSET", "TAG", "WHAT", "CAUSE", "STRENGTH"),
)


@dataclass(frozen=True, slots=True)
class _Episode:
    """A finding, with its end where it has one."""

    newest: Finding
    open: bool


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "findings", help="what monitoring found: drift, sensors, accuracy"
    )
    parser.add_argument("--pipeline", default="", help="of this pipeline only")
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="7d, 12h, 2026-09-21 or 2026-09-21T14:00Z; what is open is always shown",
    )
    parser.add_argument("--open", action="store_true", help="only what is still so")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/edge-agent"))
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/edge-agent"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print them; 0 also when there are some, 69 when nobody can be asked."""
    history = History(arguments.state_dir, arguments.runtime_dir)
    try:
        still, past = _kept(history, arguments)
    except (OSError, StoreInUse, StoreDamaged) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    episodes = _episodes(still.rows, past.rows)
    if arguments.json:
        said = [_document(one) for one in episodes]
        print(msgspec.json.format(msgspec.json.encode(said)).decode())
        return 0
    print("\n".join(map(plain, _page(episodes))))
    if past.cut:
        print("older ones are left out: say --since")
    if damaged := max(still.damaged, past.damaged):
        print(f"{damaged} rows of the store are damaged and left out")
    return 0


def _kept(history: History, arguments: argparse.Namespace) -> tuple[Kept, Kept]:
    """Transitions that are open, and all that are asked for."""
    asked: dict[str, Any] = {"pipeline": arguments.pipeline}
    still = history.read(Query(Of.FINDINGS, open=True, **asked))
    if arguments.open:
        return still, still
    if arguments.since is not None:
        asked["since"] = arguments.since
    return still, history.read(Query(Of.FINDINGS, **asked))


def _episodes(still: Sequence[Finding], past: Sequence[Finding]) -> list[_Episode]:
    """Each finding once, the newest first."""
    opened = {one.episode for one in still}
    newest: dict[str, Finding] = {}
    for one in sorted([*still, *past], key=lambda one: one.id):
        newest[one.episode] = one
    ordered = sorted(newest.values(), key=lambda one: one.id, reverse=True)
    return [_Episode(one, one.episode in opened) for one in ordered]


def _until(episode: _Episode) -> str:
    one = episode.newest
    if episode.open:
        return "open"
    # the row that opened it may be all that is left of it
    closed = one.state == FindingState.CLOSED
    return date_of(one.at + one.wall_offset) if closed else "not known"


def _document(episode: _Episode) -> dict[str, Any]:
    one = episode.newest
    return {
        "episode": one.episode,
        "id": one.event,
        "open": episode.open,
        "since": date_of(one.since + one.wall_offset),
        "until": "" if episode.open else _until(episode),
        "pipeline": one.pipeline,
        "asset": one.asset,
        "tag": one.tag,
        "context": one.context,
        "what": one.what,
        "cause": one.cause,
        "strength": one.strength,
        "sentence": one.sentence,
        "action": one.action,
        "evidence": evidence_of(one),
        "model": one.model,
        "model_version": one.model_version,
        "configuration_sha256": one.configuration,
    }


def _page(episodes: Sequence[_Episode]) -> Iterator[str]:
    if not episodes:
        yield "nothing was found"
        return
    table = [_TITLES, *map(_cells, episodes)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for place, cells in enumerate(table):
        padded = (word.ljust(width) for word, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()
        if place:
            yield from _words(episodes[place - 1].newest)


def _cells(episode: _Episode) -> tuple[str, ...]:
    one = episode.newest
    strength = "-" if one.strength is None else f"{one.strength:.3g}"
    words = (one.pipeline, one.asset, one.tag, one.what, one.cause)
    shown = (word or "-" for word in words)
    since = date_of(one.since + one.wall_offset)
    return (since, _until(episode), *shown, strength)


def _words(one: Finding) -> list[str]:
    said = " ".join(filter(None, (one.sentence, one.action)))
    where = f" ({one.context})" if one.context else ""
    return textwrap.wrap(
        said + where, _WIDTH, initial_indent="    ", subsequent_indent="    "
    )
