"""What `edge-agent label` asks of the running agent over its socket.

A question is at most 4 KB: a long list comes in pieces, each with its heading. What
stands in it goes straight into labels: no file is made of it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from edge_agent.errors import ConfigError
from edge_agent.labels import sheets
from edge_agent.labels.verdicts import Verdict, VerdictRefused

if TYPE_CHECKING:
    from edge_agent.labels.desk import LabelDesk

#: Seconds the desk may take for an answer.
PATIENCE = 4.0


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """A verdict, or lines of a list.

    Attributes:
        pipeline: whose.
        verdict: on one of its alarms.
        file: name of the list, for messages.
        heading: number and text of its first line, and what separates cells.
        separator: of cells.
        lines: number and text of each.
    """

    pipeline: str
    verdict: Verdict | None = None
    file: str = ""
    heading: tuple[int, str] = (1, "")
    separator: Annotated[str, msgspec.Meta(max_length=1)] = ";"
    lines: tuple[tuple[int, str], ...] = ()


_decode = msgspec.json.Decoder(Question).decode


def answer(desk: LabelDesk, what: str) -> dict[str, Any]:
    """Answer a question; may block for `PATIENCE`.

    Args:
        desk: takes verdicts and labels.
        what: JSON of a `Question`.

    Raises:
        ConfigError: there is no such pipeline, or it is no question.
        VerdictRefused: the desk does not answer.
    """
    try:
        question = _decode(what)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ConfigError("not a question about labels") from None
    if question.pipeline not in desk.books:
        known = ", ".join(desk.books) or "none"
        raise ConfigError(
            f"no labels are kept for a pipeline {question.pipeline!r}; there is:"
            f" {known}"
        )
    if question.verdict is not None:
        return _verdict(desk, question.pipeline, question.verdict)
    return _lines(desk, question)


def _verdict(desk: LabelDesk, pipeline: str, verdict: Verdict) -> dict[str, Any]:
    told, said = threading.Event(), dict[str, Any]()

    def take(taken: bool, message: str) -> None:
        said.update(done=taken, said=message)
        told.set()

    desk.verdict(pipeline, verdict, take)
    if not told.wait(PATIENCE):
        raise VerdictRefused("the agent is busy; ask again")
    return said


def _lines(desk: LabelDesk, question: Question) -> dict[str, Any]:
    reader = desk.books[question.pipeline].reader
    lines = [question.heading, *question.lines]
    sheet = sheets.read_lines(
        question.file[:200], lines, question.separator, reader, None
    )
    for cause, count in sheet.causes.items():
        desk.refused(question.pipeline, cause, count)
    taken = not sheet.labels or desk.labelled(question.pipeline, sheet.labels)
    return {
        "labels": len(sheet.labels) if taken else 0,
        "usable": sheet.usable,
        "room": taken,
        "problems": [str(problem) for problem in sheet.problems],
    }
