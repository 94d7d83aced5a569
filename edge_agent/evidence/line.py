"""One line of the log: its bytes, its hash, and back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Before the first line there is none.
NOTHING = "0" * 64
#: Bytes of a line at most; a window that would be longer is left out and said so.
MOST = 8 << 20
ALARM, WINDOW, EVENT, LOSS, FINDING = "alarm", "window", "event", "loss", "finding"
OPENING, ANCHOR, REMOVAL = "opening", "anchor", "removal"
KINDS = (ALARM, WINDOW, EVENT, LOSS, FINDING, OPENING, ANCHOR, REMOVAL)

_ENCODE = msgspec.json.Encoder(enc_hook=str).encode


class Facts(msgspec.Struct, frozen=True):
    """What a line says, before it has a place.

    Attributes:
        kind: one of `KINDS`.
        what: short name.
        subject: whom it is about.
        date: wall clock, ISO 8601 in UTC.
        at: agent time, ns.
        boot, seq: name the record; 0 for the log's own lines.
        body: JSON.
    """

    kind: str
    what: str
    subject: str
    date: str
    at: int
    boot: int
    seq: int
    body: msgspec.Raw


class Parsed(msgspec.Struct, frozen=True):
    """A line as it was read."""

    number: int
    previous: str
    kind: str
    what: str
    subject: str
    date: str
    at: int
    boot: int
    seq: int
    body: msgspec.Raw


class Entry(msgspec.Struct, frozen=True):
    """A line of the log for those who read it.

    Attributes:
        number: of the line; none is left out.
        previous: hash of the line before.
        hash: its own.
        kind, what, subject, date, at, boot, seq: as in the line.
        body: JSON.
        line: its bytes without the newline.
        file: name of the segment.
        place: line within it, from 1.
    """

    number: int
    previous: str
    hash: str
    kind: str
    what: str
    subject: str
    date: str
    at: int
    boot: int
    seq: int
    body: bytes
    line: bytes
    file: str
    place: int


_parse = msgspec.json.Decoder(Parsed).decode


def encoded(body: Mapping[str, Any]) -> msgspec.Raw:
    """A body of plain values as JSON; NaN is null."""
    return msgspec.Raw(_ENCODE(body))


def parsed(line: bytes) -> Parsed:
    """What a line says.

    Raises:
        ValueError: it is no line of a log.
    """
    try:
        return _parse(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as why:
        raise ValueError(str(why)) from why


def entry(line: bytes, file: str, place: int) -> Entry:
    """A line for those who read it.

    Raises:
        ValueError: it is no line of a log.
    """
    said = parsed(line)
    return Entry(
        said.number,
        said.previous,
        hash_of(said.previous, line),
        said.kind,
        said.what,
        said.subject,
        said.date,
        said.at,
        said.boot,
        said.seq,
        bytes(said.body),
        line,
        file,
        place,
    )


def hash_of(previous: str, line: bytes) -> str:
    """Of a line without its newline."""
    digest = hashlib.sha256(previous.encode("utf-8", "surrogatepass"))
    digest.update(line)
    return digest.hexdigest()


def suffix(facts: Facts) -> bytes:
    """The part of a line that does not depend on its place, with its beginning cut."""
    return _ENCODE(facts)[1:]


def line_of(number: int, previous: str, ending: bytes) -> bytes:
    """A line, without its newline.

    Args:
        number: its place.
        previous: hash of the line before.
        ending: see `suffix`.
    """
    return b'{"number":%d,"previous":"%b",%b' % (number, previous.encode(), ending)


def ending_of(line: bytes) -> bytes:
    """What `suffix` gave for a line."""
    return line[line.find(b'"kind":') :]
