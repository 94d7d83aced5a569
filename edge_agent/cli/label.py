"""`edge-agent label`: say what really was, where SCADA cannot.

A verdict on an alarm, or a list of labels, goes to the running agent over its socket.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from edge_agent.labels.asking import Question

FAILED, UNAVAILABLE = 1, 69
#: Bytes of a question's lines: with the rest under the 4 KB that the socket takes.
_ROOM = 2_500
#: Bytes of a list, and seconds to wait where the agent has no room.
_LIMIT, _PAUSE, _TRIES = 64 * 2**20, 1.0, 30
_SHOWN = 50


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "label", help="say whether an alarm was right, or give labels from a CSV file"
    )
    parser.add_argument("pipeline", help="name of the pipeline")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--occurrence", metavar="ID", help="as the alarm's message has it"
    )
    what.add_argument("--csv", type=Path, metavar="FILE", help="a list of labels")
    verdict = parser.add_mutually_exclusive_group()
    verdict.add_argument(
        "--confirm", action="store_const", const="confirm", dest="verdict"
    )
    verdict.add_argument(
        "--reject", action="store_const", const="reject", dest="verdict"
    )
    parser.add_argument("--reason", default="", help="in words, for the record")
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/edge-agent"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask; 0 when it was taken, 1 when not (or not all), 69 when no agent answers."""
    if (arguments.occurrence is None) != (arguments.verdict is None):
        print("--occurrence ID goes with --confirm or --reject", file=sys.stderr)
        return 2
    try:
        if arguments.csv is None:
            return _verdict(arguments)
        return _list(arguments)
    except (OSError, TimeoutError, msgspec.DecodeError) as why:
        print(f"no agent answers in {arguments.runtime_dir}: {why}", file=sys.stderr)
        return UNAVAILABLE


def _verdict(arguments: argparse.Namespace) -> int:
    import getpass

    from edge_agent.labels.asking import Question
    from edge_agent.labels.verdicts import Verdict

    verdict = Verdict(
        arguments.occurrence,
        arguments.verdict,
        arguments.reason[:1000],
        getpass.getuser(),
    )
    said = _asked(arguments, Question(arguments.pipeline, verdict))
    if "error" in said:
        print(said["error"], file=sys.stderr)
        return FAILED
    print(said["said"], file=sys.stdout if said["done"] else sys.stderr)
    return 0 if said["done"] else FAILED


def _lines(path: Path) -> tuple[list[tuple[int, str]], str]:
    """The lines of a list and what separates cells.

    Raises:
        OSError: it cannot be read.
        TableError: it is empty or too large.
    """
    from edge_agent.config.tables import TableError, decoded, lines_of

    with path.open("rb") as file:
        raw = file.read(_LIMIT + 1)
    if len(raw) > _LIMIT:
        raise TableError(f"larger than {_LIMIT // 2**20} MiB: split it")
    return lines_of(decoded(raw))


def _list(arguments: argparse.Namespace) -> int:
    from edge_agent.config.tables import TableError

    try:
        lines, separator = _lines(arguments.csv)
    except (OSError, TableError) as why:
        print(f"{arguments.csv}: {why}", file=sys.stderr)
        return FAILED
    taken = bad = 0
    for question in _questions(arguments, lines, separator):
        said = _given(arguments, question)
        if "error" in said or not said["room"]:
            print(said.get("error", "the agent has no room now"), file=sys.stderr)
            return FAILED
        for problem in said["problems"]:
            bad += 1
            if bad <= _SHOWN:
                print(problem, file=sys.stderr)
        if not said["usable"]:
            return FAILED
        taken += said["labels"]
    if bad > _SHOWN:
        print(f"... and {bad - _SHOWN} more", file=sys.stderr)
    print(f"{taken} labels taken, {bad} lines could not be used")
    return FAILED if bad else 0


def _given(arguments: argparse.Namespace, question: Question) -> dict[str, Any]:
    """The agent's answer; where it has no room, it is asked again for a while."""
    import threading

    said = _asked(arguments, question)
    for _ in range(_TRIES):
        if "error" in said or said["room"]:
            break
        threading.Event().wait(_PAUSE)
        said = _asked(arguments, question)
    return said


def _questions(
    arguments: argparse.Namespace, lines: Sequence[tuple[int, str]], separator: str
) -> Iterator[Question]:
    from edge_agent.labels.asking import Question

    name, portion, size = str(arguments.csv), list[tuple[int, str]](), 0

    def question() -> Question:
        heading = lines[0]
        return Question(
            arguments.pipeline, None, name, heading, separator, tuple(portion)
        )

    for line in lines[1:]:
        # a question is JSON within JSON: every quote is escaped twice
        need = len(msgspec.json.encode(msgspec.json.encode(line).decode()))
        if portion and size + need > _ROOM:
            yield question()
            portion, size = [], 0
        portion.append(line)
        size += need
    yield question()


def _asked(arguments: argparse.Namespace, question: Question) -> dict[str, Any]:
    from edge_agent.status import socket

    what = msgspec.json.encode(question).decode()
    return asyncio.run(socket.inquire(arguments.runtime_dir, "label", what))
