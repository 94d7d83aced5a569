"""What somebody may do to a log who has no key of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.bundle import keys
from edge_agent.evidence import opening, signing
from edge_agent.evidence.keyring import pem
from edge_agent.evidence.line import (
    ANCHOR,
    OPENING,
    Facts,
    hash_of,
    line_of,
    parsed,
    suffix,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from edge_agent.evidence.line import Parsed

Files = dict[str, bytes]
NAME = re.compile(r"^\d{6}\.jsonl$")
FOREIGN = keys.made()


def _segments(files: Files) -> list[str]:
    return sorted(name for name in files if NAME.match(name))


def _lines(files: Files) -> list[tuple[str, bytes]]:
    return [
        (name, line)
        for name in _segments(files)
        for line in files[name].splitlines(keepends=True)
    ]


def _joined(files: Files, lines: list[tuple[str, bytes]]) -> None:
    for name in _segments(files):
        files[name] = b"".join(line for of, line in lines if of == name)


def flip(files: Files, dice: Random) -> None:
    """Change one byte."""
    name = dice.choice(_segments(files))
    body = bytearray(files[name])
    place = dice.randrange(len(body))
    body[place] ^= dice.randrange(1, 256)
    files[name] = bytes(body)


def change_number(files: Files, dice: Random) -> None:
    """Put another digit into a line, so that it is still JSON."""
    lines = _lines(files)
    place = dice.randrange(len(lines))
    name, line = lines[place]
    found = [m.start() for m in re.finditer(rb"\d", line)]
    at = dice.choice(found)
    digit = (line[at] - 48 + dice.randrange(1, 10)) % 10 + 48
    lines[place] = (name, line[:at] + bytes([digit]) + line[at + 1 :])
    _joined(files, lines)


def remove_line(files: Files, dice: Random) -> None:
    """Take one out."""
    lines = _lines(files)
    del lines[dice.randrange(len(lines))]
    _joined(files, lines)


def repeat_line(files: Files, dice: Random) -> None:
    """Put one in again somewhere."""
    lines = _lines(files)
    _, line = dice.choice(lines)
    place = dice.randrange(len(lines))
    lines.insert(place + 1, (lines[place][0], line))
    _joined(files, lines)


def swap_lines(files: Files, dice: Random) -> None:
    """Exchange two."""
    lines = _lines(files)
    one, two = dice.sample(range(len(lines)), 2)
    a, b = lines[one], lines[two]
    lines[one], lines[two] = (a[0], b[1]), (b[0], a[1])
    _joined(files, lines)


def cut_end(files: Files, dice: Random) -> None:
    """Cut some bytes off the end."""
    last = _segments(files)[-1]
    files[last] = files[last][: dice.randrange(len(files[last]))]


def cut_lines(files: Files, dice: Random) -> None:
    """Cut the last lines off, through segments."""
    lines = _lines(files)
    _joined(files, lines[: dice.randrange(len(lines))])
    for name in _segments(files):
        if not files[name]:
            del files[name]


def remove_segment(files: Files, dice: Random) -> None:
    """Remove a file."""
    del files[dice.choice(_segments(files))]


def swap_segments(files: Files, dice: Random) -> None:
    """Exchange two files, or give one another name."""
    names = _segments(files)
    if len(names) == 1:
        files["000099.jsonl"] = files.pop(names[0])
        return
    one, two = dice.sample(names, 2)
    files[one], files[two] = files[two], files[one]


def add_line(files: Files, dice: Random) -> None:
    """Put in a line that never was, with the right number and hash for its place."""
    lines = _lines(files)
    place = dice.randrange(len(lines))
    name, before = lines[place]
    lines.insert(place + 1, (name, _behind(before)))
    _joined(files, lines)


def _behind(before: bytes) -> bytes:
    said = parsed(before[:-1])
    facts = Facts(
        "event", "nothing", "gw-1", said.date, said.at, 1, 7, msgspec.Raw(b"{}")
    )
    previous = hash_of(said.previous, before[:-1])
    return line_of(said.number + 1, previous, suffix(facts)) + b"\n"


def mend_chain(files: Files, dice: Random) -> None:
    """Change a line and make all hashes behind it anew, as far as that goes."""
    _again(files, dice, signs=False)


def sign_again(files: Files, dice: Random) -> None:
    """The same, and sign it all with a key of one's own, the head too."""
    _again(files, dice, signs=True)
    _own_head(files, keys.key_id(FOREIGN.public_key()))


def forge_signatures(files: Files, dice: Random) -> None:
    """The same, and say that the gateway's key had signed it."""
    _again(files, dice, signs=True, claim=True)
    _own_head(files, signing.read(files["head.jsonl"][:1024]).key)


def _again(files: Files, dice: Random, *, signs: bool, claim: bool = False) -> None:
    lines = _lines(files)
    plain = [
        place for place, (_, line) in enumerate(lines) if b'"kind":"event"' in line
    ]
    place = dice.choice(plain) if plain else len(lines) - 1
    previous = parsed(lines[place][1][:-1]).previous
    for at in range(place, len(lines)):
        name, line = lines[at]
        said = parsed(line[:-1])
        body = bytes(said.body)
        if at == place:
            body = b'{"message":"all is well","details":{}}'
        elif signs and said.kind in {ANCHOR, OPENING}:
            body = _signed(said.kind, body, said.number - 1, previous, claim=claim)
        facts = _with(said, body)
        fresh = line_of(said.number, previous, suffix(facts))
        lines[at] = (name, fresh + b"\n")
        previous = hash_of(previous, fresh)
    _joined(files, lines)


def _with(said: Parsed, body: bytes) -> Facts:
    """The same line with another body."""
    names = ("kind", "what", "subject", "date", "at", "boot", "seq")
    outer: dict[str, Any] = {name: getattr(said, name) for name in names}
    return Facts(**outer, body=msgspec.Raw(body))


def _signed(
    kind: str, body: bytes, number: int, previous: str, *, claim: bool
) -> bytes:
    if kind == ANCHOR:
        old = signing.read(body)
        when, name = (old.date, old.at), old.key if claim else ""
        fresh = signing.signed(number, previous, when, old.gateway, FOREIGN, name)
        return msgspec.json.encode(fresh)
    said = opening.opening_of(body)
    name = said.key if claim else ""
    head = signing.signed(number, previous, ("", 0), said.gateway, FOREIGN, name)
    if claim:
        return msgspec.json.encode(msgspec.structs.replace(said, head=head))
    mine = FOREIGN.public_key()
    changed = msgspec.structs.replace(
        said, key=keys.key_id(mine), public=pem(mine), head=head
    )
    return msgspec.json.encode(changed)


def edit_anchor(files: Files, dice: Random) -> None:
    """Change an anchor's signature, or put one's own there."""
    lines = _lines(files)
    places = [at for at, (_, line) in enumerate(lines) if b'"kind":"anchor"' in line]
    if not places:
        return flip(files, dice)
    at = dice.choice(places)
    name, line = lines[at]
    said = parsed(line[:-1])
    head = signing.read(bytes(said.body))
    mine = signing.signed(
        head.number, head.hash, (head.date, head.at), head.gateway, FOREIGN
    )
    key = dice.choice([head.key, mine.key])
    body = msgspec.json.encode(msgspec.structs.replace(mine, key=key))
    facts = _with(said, body)
    lines[at] = (name, line_of(said.number, said.previous, suffix(facts)) + b"\n")
    return _joined(files, lines)


def no_heads(files: Files, _dice: Random) -> None:
    """Remove what says where it ended."""
    del files["head.jsonl"]


def own_head(files: Files, dice: Random) -> None:
    """Cut it, and write a head of one's own."""
    cut_lines(files, dice)
    _own_head(files, keys.key_id(FOREIGN.public_key()))


def _own_head(files: Files, key: str) -> None:
    lines = _lines(files)
    if not lines:
        return
    said = parsed(lines[-1][1][:-1])
    hash_ = hash_of(said.previous, lines[-1][1][:-1])
    when = (said.date, said.at)
    head = signing.signed(said.number, hash_, when, "gw-1", FOREIGN, key)
    files["head.jsonl"] = msgspec.json.encode(head).ljust(1023) + b"\n"
    files["head.jsonl"] *= 2


def add_newline(files: Files, dice: Random) -> None:
    """An empty line, or a carriage return before one ends."""
    name = dice.choice(_segments(files))
    body = files[name]
    ends = [m.start() for m in re.finditer(rb"\n", body)]
    at = dice.choice(ends)
    files[name] = body[:at] + dice.choice([b"\n", b"\r"]) + body[at:]


WAYS: list[Callable[[Files, Random], None]] = [
    flip,
    change_number,
    remove_line,
    repeat_line,
    swap_lines,
    cut_end,
    cut_lines,
    remove_segment,
    swap_segments,
    add_line,
    mend_chain,
    sign_again,
    forge_signatures,
    edit_anchor,
    no_heads,
    own_head,
    add_newline,
]
