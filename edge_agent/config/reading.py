"""From a file to its text, or to what keeps it from being read."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.config.problems import Problem

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1_000_000
_WIDE = 100
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # where YAML sees lines end
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SECRET = re.compile(
    r"(?i)((?:password|passwd|pwd|secret|token)['\"]?\s*[:=]\s*)"
    r"('[^']*'?|\"[^\"]*\"?|[^\s,}#][^,}]*)"
)


@dataclass(frozen=True, slots=True, eq=False)
class SourceText:
    """One file of the operator.

    Attributes:
        name: the file as the operator names it.
        path: where it is.
        home: the folder its relative paths count from, lists (CSV) excepted.
        text: its content.
        lines: its lines, for excerpts.
    """

    name: str
    path: Path
    home: Path
    text: str
    lines: list[str] = field(repr=False)

    def problem(
        self, line: int, col: int, message: str, hint: str = "", *, length: int = 1
    ) -> Problem:
        """A problem in this file, with its excerpt."""
        shown = self.lines[line - 1] if line <= len(self.lines) else ""
        excerpt = excerpted(shown, line, col, length)
        return Problem(self.name, line, col, message, hint, excerpt)


def excerpted(text: str, line: int, col: int, length: int) -> str:
    """The line and a caret under the mistake; passwords are starred out."""
    text = _SECRET.sub(lambda m: m[1] + "*" * len(m[2]), text)
    text = _USERINFO.sub(lambda m: "*" * len(m[0]), text)
    text = re.sub(r"[\t\x00-\x1f\x7f]", " ", text)
    start = max(0, col - 1 - _WIDE // 2) if len(text) > _WIDE else 0
    lead, tail = "..." if start else "", "..." if len(text) > start + _WIDE else ""
    seen = lead + text[start : start + _WIDE] + tail
    at = col - 1 - start + len(lead)
    carets = "^" * max(1, min(length, len(seen) - at))
    return f"{line:>5} | {seen.rstrip()}\n{'':>5} | {'':{at}}{carets}".rstrip()


def read_text(
    name: str, path: Path, home: Path
) -> tuple[SourceText | None, list[Problem]]:
    """The text of a file that can be YAML at all, and what is wrong with it."""
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT + 1)
    except OSError as error:
        return None, [Problem(name, 0, 0, *unreadable(error))]
    if len(raw) > LIMIT:
        hint = "split it into conf.d/*.yaml, or put tag lists into a CSV (tags_csv)"
        return None, [Problem(name, 0, 0, "is larger than 1 MB", hint)]
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None, [_encoding(name, "is saved as UTF-16")]
    if raw.startswith(codecs.BOM_UTF8):
        return None, [_encoding(name, "begins with a byte-order mark (UTF-8 with BOM)")]
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return None, [_not_utf8(name, path, raw, error.start)]
    source = SourceText(name, path, home, text, _BREAK.split(text))
    problems = _unwanted(source)
    return (None if problems else source), problems


def unreadable(error: OSError) -> tuple[str, str]:
    """Why a file or folder cannot be read, and what to do."""
    hint = ""
    if isinstance(error, FileNotFoundError):
        hint = "name a file, or a folder with agent.yaml in it"
    if isinstance(error, PermissionError):
        hint = "the agent's user must be allowed to read it"
    return f"cannot be read: {(error.strerror or str(error)).lower()}", hint


def _encoding(name: str, what: str) -> Problem:
    return Problem(name, 1, 1, what, "save it as UTF-8 without a byte-order mark")


def _not_utf8(name: str, path: Path, raw: bytes, at: int) -> Problem:
    line = raw.count(b"\n", 0, at) + 1
    begin = raw.rfind(b"\n", 0, at) + 1
    col = len(raw[begin:at].decode(errors="replace")) + 1
    likely = raw[at : at + 1].decode("cp1252", "replace")
    text = raw.decode("cp1252", "replace")
    source = SourceText(name, path, path.parent, text, _BREAK.split(text))
    said = f"is not UTF-8: byte 0x{raw[at]:02X} (in Windows-1252 it is {likely!r})"
    return source.problem(line, col, said, "save the file as UTF-8")


def _unwanted(source: SourceText) -> list[Problem]:
    for number, text in enumerate(source.lines, 1):
        tab = text.find("\t")
        if tab >= 0 and not text.lstrip().startswith("#"):
            more = sum("\t" in other for other in source.lines[number:])
            plural = "lines have" if more > 1 else "line has"
            hint = f"{more} more {plural} one" if more else ""
            said = "a TAB stands here: use spaces, not TAB"
            return [source.problem(number, tab + 1, said, hint)]
    for number, text in enumerate(source.lines, 1):
        match = _CONTROL.search(text)
        if match is not None:
            said = f"an invisible character (0x{ord(match[0]):02X}) stands here"
            return [source.problem(number, match.start() + 1, said, "delete it")]
    return []
