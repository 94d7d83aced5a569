"""`edge-agent evidence`: verify the log, hand a part of it to an auditor, read it.

Nothing is asked of a running agent: the files are read as they lie there.
"""

from __future__ import annotations

import re
import sys
import textwrap
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.bundle.keys import load_public, short
from edge_agent.cli.moments import moment, now
from edge_agent.cli.printing import plain
from edge_agent.dates import instant_of
from edge_agent.errors import ConfigError
from edge_agent.evidence import line, package, places, segments
from edge_agent.evidence.package import Asked
from edge_agent.evidence.places import Known

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edge_agent.evidence.line import Entry
    from edge_agent.evidence.report import Report

CHANGED, NOT_OVER, UNAVAILABLE = 1, 3, 69
STATE_DIR = Path("/var/lib/edge-agent")
FOLDER = "evidence"
_WIDTH = 100
_HEAD = re.compile(r"^(\d{1,18}):([0-9a-f]{64})$")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "evidence", help="the log of alarms, changes and losses: verify, export, show"
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="WHAT")
    _add_verify(parts)
    _add_export(parts)
    _add_show(parts)


def _add_verify(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parts.add_parser("verify", help="is the log as it was written?")
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="a package, or segments"
    )
    parser.add_argument("--state-dir", type=Path, default=STATE_DIR)
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        help="gateway.pub from a place you trust; without it that beside the log",
    )
    parser.add_argument(
        "--head",
        type=_known,
        metavar="NUMBER:HASH",
        help="of a line, as it was noted elsewhere",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=_verify)


def _add_export(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parts.add_parser("export", help="a package that anybody can verify")
    parser.add_argument("--state-dir", type=Path, default=STATE_DIR)
    parser.add_argument("--since", type=moment, metavar="TIME", help="7d, 2026-09-21")
    parser.add_argument("--until", type=moment, metavar="TIME")
    parser.add_argument("--alarm", default="", metavar="ID", help="its occurrence")
    parser.add_argument("--out", type=Path, required=True, help="FILE.tar or a folder")
    parser.set_defaults(run=_export)


def _add_show(parts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parts.add_parser("show", help="read it")
    parser.add_argument("--state-dir", type=Path, default=STATE_DIR)
    parser.add_argument("--since", type=moment, metavar="TIME", help="7d, 2026-09-21")
    parser.add_argument(
        "--kind", action="append", choices=line.KINDS, help="only these"
    )
    parser.add_argument("--json", action="store_true", help="the lines themselves")
    parser.set_defaults(run=_show)


def _known(typed: str) -> Known:
    found = _HEAD.match(typed)
    if found is None:
        raise ArgumentTypeError(f"{typed!r} is not NUMBER:HASH (64 hex digits)")
    return Known(int(found[1]), found[2])


# -- verify ----------------------------------------------------------------------------


def _verify(arguments: argparse.Namespace) -> int:
    """0 as it was written, 1 changed, 3 the newest lines have no signature yet."""
    paths = arguments.files or [arguments.state_dir / FOLDER]
    try:
        place = places.place_of(paths)
        keys = [load_public(path) for path in arguments.key]
        report = places.checked(place, keys, arguments.head)
    except (OSError, ConfigError) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    pinned = bool(arguments.key)
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(_document(report))).decode())
    else:
        print("\n".join(map(plain, _page(report, pinned=pinned))))
    if not report.good:
        return CHANGED
    return NOT_OVER if report.open else 0


def _document(report: Report) -> dict[str, Any]:
    return {
        "good": report.good,
        "first": {"number": report.begin, "date": report.first},
        "last": {"number": report.end, "date": report.last, "hash": report.hash},
        "entries": report.entries,
        "anchors": report.anchors,
        "signed_up_to": report.vouched,
        "keys": list(report.signers),
        "gateways": sorted(report.gateways),
        "problems": [one._asdict() for one in report.problems],
        "breaks": [one._asdict() for one in report.breaks],
        "problems_left_out": report.more,
    }


def _page(report: Report, *, pinned: bool) -> Iterator[str]:
    total = sum(report.entries.values())
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.entries.items())
    gateways = ", ".join(sorted(report.gateways)) or "no gateway"
    yield f"{gateways}: {total} entries ({kinds})"
    yield f"number {report.begin} to {report.end}, {report.first} to {report.last}"
    yield f"hash of the last: {report.hash or 'not known'}"
    yield f"{report.anchors} anchors; signed up to number {report.vouched} by:"
    for key in report.signers:
        yield f"  {key}"
    if not pinned:
        yield "the key was taken from beside the log: compare its id, or name --key"
    if report.torn:
        yield f"{report.torn} bytes at the end are no lines: being written, or torn"
    if report.end > report.vouched:
        yield f"the last {report.end - report.vouched} entries have no signature yet"
    for problem in (*report.problems, *report.breaks):
        yield f"PROBLEM {problem}"
    if report.more:
        yield f"and {report.more} more"
    yield "it is as it was written" if report.good else "IT IS NOT AS IT WAS WRITTEN"


# -- export ----------------------------------------------------------------------------


def _export(arguments: argparse.Namespace) -> int:
    """0 when the package is written and good, 1 when it shows that the log is not."""
    asked = Asked(arguments.since, arguments.until, arguments.alarm)
    folder, out = arguments.state_dir / FOLDER, arguments.out
    try:
        made = package.export(folder, asked, out, now())
        report = places.checked(places.place_of([out]), [], None)
    except (OSError, ConfigError) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    print(f"{out}: number {made.first} to {made.last}, {len(made.files)} segments")
    print(f"key {made.key}: hand its id over by another way ({short(made.key)})")
    for problem in (*report.problems, *report.breaks):
        print(plain(f"PROBLEM {problem}"))
    return 0 if report.good else CHANGED


# -- show ------------------------------------------------------------------------------


def _show(arguments: argparse.Namespace) -> int:
    since = instant_of(arguments.since) if arguments.since is not None else ""
    try:
        folder = arguments.state_dir / FOLDER
        places.place_of([folder])
        for entry in segments.entries(folder):
            if entry.date < since or entry.kind not in (arguments.kind or line.KINDS):
                continue
            if arguments.json:
                print(entry.line.decode())
            else:
                print("\n".join(map(plain, _shown(entry))))
    except BrokenPipeError:
        raise  # the reader left, as `head` does
    except (OSError, ConfigError) as why:
        print(why, file=sys.stderr)
        return UNAVAILABLE
    return 0


def _shown(entry: Entry) -> list[str]:
    head = f"{entry.number:>6} {entry.date[:19]}Z {entry.kind:8} {entry.what}"
    who = f" {entry.subject}" if entry.subject else ""
    words = textwrap.wrap(
        _words(entry),
        _WIDTH,
        initial_indent=" " * 7,
        subsequent_indent=" " * 7,
        break_on_hyphens=False,
    )
    return [head + who, *words]


def _words(entry: Entry) -> str:
    """What a person wants to know of it, from its body."""
    try:
        body = msgspec.json.decode(entry.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return ""
    body["size"], body["key"] = len(entry.body), short(str(body.get("key", "")))
    return _SENTENCES.get(entry.kind, "").format_map(_Said(body))


class _Said(dict[str, Any]):
    """What is not said is empty."""

    def __missing__(self, key: str) -> str:
        return ""


_SENTENCES = {
    line.ALARM: "{reason} (score {score}, threshold {threshold}, "
    "{model}@{model_version}, {occurrence})",
    line.WINDOW: "{size} bytes of input kept for {occurrence}",
    line.LOSS: "{count} lost: {cause}",
    line.FINDING: "{sentence} {action}",
    line.REMOVAL: "number {first} to {last} removed: {why}",
    line.EVENT: "{message}",
    line.ANCHOR: "up to number {number}, by the key {key}",
    line.OPENING: "under the key {key}",
}
