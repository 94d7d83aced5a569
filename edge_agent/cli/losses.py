"""`edge-agent losses`: what was lost, how much, when and why.

A running agent is asked; when none runs, the same is read from the state folder, or
from a copy of it.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.cli.moments import local_moment, local_time
from edge_agent.cli.printing import plain
from edge_agent.dates import date_of
from edge_agent.errors import StoreDamaged, StoreInUse
from edge_agent.status.history import History, Kept
from edge_agent.store.history import NEWEST, Of, Query

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from edge_agent.store.lost import Lost

UNAVAILABLE = 69
#: More than the ring holds.
MOST = 200_000
_WIDTH = 88
_TITLES = ("COUNT", "WHAT", "OF", "FIRST", "LAST")


@dataclass(frozen=True, slots=True)
class Total:
    """All reports of one loss.

    Attributes:
        count: of those that know how many.
        unknown: reports that do not.
        first: ns UTC by the wall clock.
        last: likewise.
    """

    what: str
    subject: str
    cause: str
    count: int
    unknown: int
    first: int
    last: int

    @property
    def how_many(self) -> str:
        """In words, where the number is not all of it."""
        return _how_many(self.count, self.unknown)


def totals(rows: Iterable[Lost]) -> list[Total]:
    """Each loss once: by what, the largest first."""
    found: dict[tuple[str, str, str], Total] = {}
    for row in rows:
        key = (row.what, row.subject, row.cause)
        first, last = row.at_first + row.wall_offset, row.at_last + row.wall_offset
        old = found.get(key, Total(*key, 0, 0, first, last))
        found[key] = Total(
            *key,
            old.count + row.amount,
            old.unknown + (not row.amount),
            min(old.first, first),
            max(old.last, last),
        )
    return sorted(
        found.values(), key=lambda one: (one.what, -one.count, one.first, one.subject)
    )


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("losses", help="what was lost: how much, when and why")
    when = "tuesday, yesterday, 2026-11-20, 2026-11-20T14:00, '3 days ago', 6h"
    parser.add_argument("--since", type=local_moment, metavar="TIME", help=when)
    parser.add_argument("--until", type=local_moment, metavar="TIME", help="likewise")
    parser.add_argument(
        "--what", default="", help="samples, messages, rows, labels ... only"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/edge-agent"))
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/edge-agent"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print them; 0 also when there are some, 69 when nobody can be asked."""
    bounds = {"since": arguments.since, "until": arguments.until}
    asked: dict[str, Any] = {k: at for k, at in bounds.items() if at is not None}
    history = History(arguments.state_dir, arguments.runtime_dir, MOST)
    try:
        kept = history.read(Query(Of.LOSSES, **asked))
    except (OSError, StoreInUse, StoreDamaged) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    rows = [row for row in kept.rows if arguments.what in ("", row.what)]
    found = totals(rows)
    if arguments.json:
        said = _document(found, kept, asked)
        print(msgspec.json.format(msgspec.json.encode(said)).decode())
        return 0
    lines = [*_page(found), *_end(found, kept, arguments)]
    print("\n".join(map(plain, lines)))
    return 0


def _document(
    found: Sequence[Total], kept: Kept, asked: dict[str, Any]
) -> dict[str, Any]:
    """Times in UTC; ``count`` leaves out what ``unknown`` reports do not know."""
    known = kept.oldest != NEWEST
    return {
        "since": date_of(asked["since"]) if "since" in asked else None,
        "until": date_of(asked["until"]) if "until" in asked else None,
        "ledger_since": date_of(kept.oldest) if known else None,
        "complete": known and kept.oldest <= asked.get("since", kept.oldest),
        "damaged_rows": kept.damaged,
        "losses": [
            {
                "what": one.what,
                "subject": one.subject,
                "cause": one.cause,
                "count": one.count,
                "unknown": one.unknown,
                "first": date_of(one.first),
                "last": date_of(one.last),
            }
            for one in found
        ],
        "sums": {what: sum(of.count for of in own) for what, own in _by_what(found)},
    }


def _page(found: Sequence[Total]) -> Iterator[str]:
    if not found:
        return
    table = [_TITLES, *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for place, cells in enumerate(table):
        padded = (word.ljust(width) for word, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()
        if place:
            yield from textwrap.wrap(
                found[place - 1].cause,
                _WIDTH,
                initial_indent="    ",
                subsequent_indent="    ",
            )
    yield ""
    for what, own in _by_what(found):
        counted = _how_many(sum(o.count for o in own), sum(o.unknown for o in own))
        yield f"{what} lost in all: {counted}"


def _end(
    found: Sequence[Total], kept: Kept, arguments: argparse.Namespace
) -> Iterator[str]:
    """What nobody lost, and how far all this can be known."""
    since, oldest = arguments.since, kept.oldest
    if oldest == NEWEST:
        yield (
            "the store has no ledger of losses yet: an older agent wrote it, or none"
            " has begun; what was lost is not known"
        )
        return
    reach = f"the ledger goes back to {_spoken(oldest)}"
    short = since is not None and oldest > since
    if not found:
        what = (
            f"no {arguments.what} were lost" if arguments.what else "nothing was lost"
        )
        began = oldest if since is None or short else since
        until = f" until {_spoken(arguments.until)}" if arguments.until else ""
        yield f"{what} since {_spoken(began)}{until}; {reach}"
    else:
        yield reach
    if short:
        yield f"what was lost before that, from {_spoken(since)} on, is not known"
    if kept.damaged:
        yield f"{kept.damaged} rows of the ledger are damaged and left out"


def _by_what(found: Sequence[Total]) -> list[tuple[str, list[Total]]]:
    whats = dict.fromkeys(one.what for one in found)
    return [(what, [one for one in found if one.what == what]) for what in whats]


def _how_many(count: int, unknown: int) -> str:
    if not unknown:
        return f"{count:,}"
    return f"{count:,} + not known" if count else "not known"


def _cells(one: Total) -> tuple[str, ...]:
    return (
        *(one.how_many, one.what, one.subject or "-"),
        *(_spoken(one.first), _spoken(one.last)),
    )


def _spoken(at: int) -> str:
    """A local time to the second, with its day of the week."""
    return f"{local_time(at):%a %Y-%m-%d %H:%M:%S}"
