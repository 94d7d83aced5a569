"""What libyaml says about broken YAML, in words that lead to the fix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml

    from edge_agent.config.problems import Problem
    from edge_agent.config.reading import SourceText

_EARLIER = re.compile("end of stream|expected ',' or|could not find expected ':'")
_SLIPS = (
    (
        re.compile(r"\s*(?:- )?([A-Za-z_][A-Za-z0-9_-]*):([^\s/:].*)"),
        "a space is missing after the colon",
        r"\1: \2",
    ),
    (
        re.compile(r"\s*(-)([A-Za-z_]\S*:\s.*)"),
        "a space is missing after the dash",
        r"- \2",
    ),
    (
        re.compile(r"\s*(?:- )?([A-Za-z_][A-Za-z0-9_-]*)\s*=\s*(\S.*)"),
        "a key and its value are separated by a colon, not by =",
        r"\1: \2",
    ),
)
_QUOTE = "put the whole text in single quotes"
_WORDS = {
    "mapping values are not allowed": (
        "a ':' stands where no key can be",
        "check the indentation here and above; a text with ': ' in it needs quotes",
    ),
    "could not find expected ':'": (
        "this line is no 'key: value'",
        "a key needs a colon and a space after it",
    ),
    "did not find expected key": (
        "this line does not line up with the block it belongs to",
        "give it the same indentation as the keys beside it",
    ),
    "did not find expected '-' indicator": (
        "a list goes on here without '- '",
        "begin every entry with '- ', or indent the line less",
    ),
    "block sequence entries are not allowed": (
        "'- ' stands where no list entry can be",
        "put each entry on a line of its own, below the key",
    ),
    "found unexpected end of stream": (
        "a quote is opened here and never closed",
        "close it on the same line",
    ),
    "found unknown escape character": (
        "a backslash in double quotes begins a code that does not exist",
        "use single quotes: in them a backslash is a backslash",
    ),
    "found undefined tag handle": (
        "a text cannot begin with '!' here",
        _QUOTE,
    ),
    "alphabetic or numeric character": (
        "a text cannot begin with '*' or '&' here",
        _QUOTE,
    ),
    "incompatible YAML document": ("this YAML version is not known", "remove the line"),
}


def explained(source: SourceText, error: yaml.MarkedYAMLError) -> Problem:
    """A problem from libyaml's complaint."""
    problem = error.problem or "this is not YAML"
    mark, context = error.problem_mark or error.context_mark, error.context_mark
    line, col = (mark.line, mark.column) if mark else (0, 0)
    if context and _EARLIER.search(problem) and context.line != line:
        line, col = context.line, context.column
    line = min(line, len(source.lines) - 1)
    text = source.lines[line]
    if "mapping values" in problem or "could not find expected" in problem:
        slip = _slip(source, line)
        if slip is not None:
            return slip
    said, hint = _in_words(problem, error, text, col)
    if "cannot start any token" in problem and col < len(text):
        said = f"a text cannot begin with {text[col]!r}"
        hint = f"put it in quotes: '{_rest(text, col)}'"
    return source.problem(line + 1, col + 1, said, hint)


def _slip(source: SourceText, line: int) -> Problem | None:
    """A missing space or colon, in this line or the one that it was glued to."""
    for near in (line, line - 1):
        text = source.lines[near] if near >= 0 else ""
        for pattern, said, written in _SLIPS:
            match = pattern.match(text)
            if match is not None:
                hint = f"write '{match.expand(written).strip()}'"
                return source.problem(near + 1, match.end(1) + 1, said, hint)
    return None


def _in_words(
    problem: str,
    error: yaml.MarkedYAMLError,
    text: str,
    col: int,
) -> tuple[str, str]:
    opened = re.search(r"expected ',' or '([}\]])'", problem)
    if opened:
        return _in_flow(error, opened[1], text, col)
    if "did not find expected node content" in problem:
        said = f"a value is missing before {text[col : col + 1]!r}"
        return said, f"write one, or {_QUOTE}"
    if "did not find expected key" in problem and text[col : col + 1] == ":":
        return "a key is missing before the ':'", "write key: value"
    if "did not find expected key" in problem and col:
        value = _value_before(text, col)
        if value:
            start = value[0]
            said = f"a text that begins with {start!r} ends too early here"
            return said, f"{_QUOTE}: '{value.strip()}'"
    for known, words in _WORDS.items():
        if known in problem:
            return words
    return f"this is not YAML: {problem}", ""


def _in_flow(
    error: yaml.MarkedYAMLError, close: str, text: str, col: int
) -> tuple[str, str]:
    begin = "{" if close == "}" else "["
    problem = error.problem_mark
    opened = error.context_mark
    if problem is not None and opened is not None and opened.line != problem.line:
        said = f"this '{begin}' is not closed before line {problem.line + 1}"
        return said, f"close it with '{close}'"
    value = _value_in_flow(text, col)
    if value:
        said = f"inside {begin} {close} a text with [ ] {{ }} or , must be in quotes"
        return said, f"write '{value}'"
    return f"',' or '{close}' is missing here", "inside { } and [ ] commas separate"


def _value_in_flow(text: str, col: int) -> str:
    """The node id or topic that a bracket at ``col`` cut in two."""
    if text[col : col + 1] not in set("[]{}"):
        return ""
    start = max(text.rfind(sign, 0, col) for sign in (": ", ", ", "{ ", "[ "))
    start = start + 2 if start >= 0 else max(text.rfind(c, 0, col) for c in "{[") + 1
    match = re.match(r"(?:\[[^\]]*\]|\{[^}]*\}|[^,{}\[\]])*", text[start:])
    return match[0].strip() if match else ""


def _value_before(text: str, col: int) -> str:
    match = re.match(r"""\s*(?:- )?[^:#'"]+:\s+(["'{\[].*)""", text)
    return match[1] if match and match.start(1) < col else ""


def _rest(text: str, col: int) -> str:
    return re.split(r"\s+#|[,}\]]", text[col:])[0].strip()
