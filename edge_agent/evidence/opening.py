"""Bodies of the log's own lines: openings, anchors, removals. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from edge_agent.dates import instant_of
from edge_agent.evidence import line
from edge_agent.evidence.line import Facts
from edge_agent.evidence.signing import Head  # noqa: TC001 - msgspec reads it

_Body = TypeVar("_Body")

#: What an opening is for.
BEGUN, NEXT, BROKEN, CHANGED = (
    "log begun",
    "next segment",
    "chain broken",
    "key changed",
)
SIGNED, REMOVED = "signed", "old segments"
FORMAT = 1


class Broken(msgspec.Struct, frozen=True):
    """Why a chain does not go on.

    Attributes:
        last: number of the last line that was found, 0 for none.
        known: of the last that was written for certain, 0 where nothing is known.
        problems: what was found; the first of them.
    """

    last: int
    known: int
    problems: list[str]


class Opening(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of an opening.

    Attributes:
        segment: number of the file it stands in.
        key, public: the key from here on.
        head: of all before, by that key; None where there is nothing before.
        broken: why the chain begins anew.
        former, lost: id of the key before and what became of it, for `CHANGED`.
    """

    format: int
    segment: int
    gateway: str
    key: str
    public: str
    head: Head | None = None
    broken: Broken | None = None
    former: str = ""
    lost: str = ""


class Removal(msgspec.Struct, frozen=True):
    """Body of a removal.

    Attributes:
        first, last: numbers of the lines that went.
        hash: of the last of them.
        stays: number of the first line that stays.
        segments: files that went.
        bytes: of them.
        why: in words.
        unsent: of the lines, how many had reached no other place.
    """

    first: int
    last: int
    hash: str
    stays: int
    segments: list[str]
    bytes: int
    why: str
    unsent: int = 0


def opening_of(body: bytes) -> Opening:
    """Inverse of `opens`.

    Raises:
        ValueError: it is none.
    """
    return _converted(body, Opening)


def removal_of(body: bytes) -> Removal:
    """Inverse of `removes`.

    Raises:
        ValueError: it is none.
    """
    return _converted(body, Removal)


def _converted(body: bytes, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as why:
        raise ValueError(str(why)) from why


def opens(what: str, opening: Opening, at: int, date: str) -> Facts:
    """An opening's line."""
    body = msgspec.Raw(msgspec.json.encode(opening))
    return Facts(line.OPENING, what, opening.gateway, date, at, 0, 0, body)


def anchors(head: Head) -> Facts:
    """An anchor's line: all of it follows from the head in it."""
    body = msgspec.Raw(msgspec.json.encode(head))
    return Facts(line.ANCHOR, SIGNED, head.gateway, head.date, head.at, 0, 0, body)


def removes(removal: Removal, gateway: str, at: int, offset: int) -> Facts:
    """A removal's line."""
    body = msgspec.Raw(msgspec.json.encode(removal))
    date = instant_of(at + offset)
    return Facts(line.REMOVAL, REMOVED, gateway, date, at, 0, 0, body)
