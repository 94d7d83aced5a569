"""YAML text as a tree in which everything knows its place.

A subset of YAML 1.2: blocks, lists and plain values. Anchors, tags, merge keys and
several documents in one file are refused with a reason, and so is a key that is
there twice, which YAML readers take silently. The tree is built from libyaml's
events, not by `yaml.compose`: that one recurses in C and a file of 100,000
brackets ends the process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import yaml

from edge_agent.config.scalars import NOTHING
from edge_agent.config.syntax import explained

if TYPE_CHECKING:
    from edge_agent.config.problems import Loc, Problem
    from edge_agent.config.reading import SourceText

DEPTH = 20
_CURLY = frozenset("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, counted from 1, and how much of the line is meant."""

    source: SourceText
    line: int
    col: int
    length: int = 1

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem at this place."""
        return self.source.problem(
            self.line, self.col, message, hint, length=self.length
        )

    def __str__(self) -> str:
        """``file:line:col``."""
        return f"{self.source.name}:{self.line}:{self.col}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as the text in the file."""

    mark: Mark
    text: str
    quoted: bool

    @property
    def value(self) -> str | None:
        """The text, or None where nothing (or ``null``) is written."""
        return None if not self.quoted and self.text in _NULLS else self.text


@dataclass(slots=True)
class Block:
    """Keys and values, in order; ``keys`` holds where each key stands."""

    mark: Mark
    flow: bool = False
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)


@dataclass(slots=True)
class Items:
    """A list."""

    mark: Mark
    flow: bool = False
    items: list[Node] = field(default_factory=list)


Node = Scalar | Block | Items


def plain(node: Node) -> object:
    """The tree as dicts, lists and texts; NOTHING where a value is left out."""
    match node:
        case Scalar():
            return node.value if node.text or node.quoted else NOTHING
        case Block():
            return {key: plain(value) for key, value in node.items.items()}
        case Items():
            return [plain(value) for value in node.items]


def at(node: Node, loc: Loc) -> Node | None:
    """The node a path of keys leads to, or None."""
    for part in loc:
        match node, part:
            case Block(), str() if part in node.items:
                node = node.items[part]
            case Items(), int() if part < len(node.items):
                node = node.items[part]
            case _:
                return None
    return node


class Refusal(Exception):
    """The rest of the file cannot be understood."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(source: SourceText) -> tuple[Node | None, list[Problem]]:
    """The tree of a file (None if it is empty or broken), and its problems."""
    builder = _Builder(source)
    try:
        for event in yaml.parse(source.text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        fatal = explained(source, error)
        sure = [p for p in builder.problems if p.line < fatal.line - 1]
        return None, [*sure, fatal]
    except Refusal as refusal:
        builder.problems.append(refusal.problem)
        return None, builder.problems
    return builder.root, builder.problems


class _Builder:
    """Takes libyaml's events and grows the tree."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[tuple[Block | Items, Scalar | None]] = []
        self._key: Scalar | None = None
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """One event."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._start(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.AliasEvent():
                said = f"'*{event.anchor}' is a YAML alias, which is not allowed here"
                hint = "write the value out; a text that begins with * needs quotes"
                raise Refusal(self._mark(event).problem(said, hint))
            case yaml.DocumentStartEvent():
                self._document(event)
            case _:
                pass

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            said = "a second document begins here (---); a file holds one"
            raise Refusal(self._mark(event, 3).problem(said, "remove the line"))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text: str = event.value
        quoted = event.style is not None and event.style != ""
        mark = self._mark(event, max(1, len(text)) if not quoted else None)
        node = Scalar(mark, text, quoted)
        self._refuse_decorated(event, mark)
        if quoted and not text.isprintable():
            self._escaped(node)
        elif not quoted and text[:1] in _CURLY:
            said = f"{text[0]} is a typographic quote and part of the text here"
            hint = "use the plain ' of the keyboard, or no quotes"
            self.problems.append(mark.problem(said, hint))
        elif not quoted and text and _span(event)[0].line != _span(event)[1].line:
            self._several_lines(node)
        self._place(node)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        mark = self._mark(event, 1)
        if len(self._open) >= DEPTH:
            said = f"blocks are nested deeper than {DEPTH} levels"
            raise Refusal(mark.problem(said))
        flow = bool(event.flow_style)
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = Block(mark, flow) if mapping else Items(mark, flow)
        self._refuse_decorated(event, mark)
        self._place(node)
        self._open.append((node, self._key))
        self._key = None

    def _end(self) -> None:
        _, self._key = self._open.pop()

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        holder = self._open[-1][0]
        if isinstance(holder, Items):
            holder.items.append(node)
        elif self._key is None:
            self._key = self._as_key(node)
        else:
            self._put(holder, self._key, node)
            self._key = None

    def _as_key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            said = "a block or list cannot be a key"
            hint = "a text that begins with { or [ must stand in quotes"
            raise Refusal(node.mark.problem(said, hint))
        return node

    def _put(self, holder: Block, key: Scalar, node: Node) -> None:
        if key.text == "<<" and not key.quoted:
            said = "merge keys (<<) are not allowed"
            self.problems.append(key.mark.problem(said, "write the values out"))
        elif key.value is None:
            self.problems.append(key.mark.problem("a key is missing before the ':'"))
        elif key.text in holder.items:
            first = holder.keys[key.text]
            said = f"key {key.text!r} is there twice, first in line {first.line}"
            self.problems.append(key.mark.problem(said, "remove or rename one"))
        else:
            holder.items[key.text] = node
            holder.keys[key.text] = key.mark

    def _refuse_decorated(self, event: yaml.NodeEvent, mark: Mark) -> None:
        if event.anchor is not None:
            said = f"'&{event.anchor}' is a YAML anchor, which is not allowed here"
            hint = "remove it; a text that begins with & needs quotes"
            raise Refusal(mark.problem(said, hint))
        tag = getattr(event, "tag", None)
        if tag is not None:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            said = f"{short!r} is a YAML tag, which is not allowed here"
            hint = "remove it; a text that begins with ! needs quotes"
            raise Refusal(mark.problem(said, hint))

    def _several_lines(self, node: Scalar) -> None:
        first = self.source.lines[node.mark.line - 1][node.mark.col - 1 :]
        said = "this text goes on in the next line"
        hint = "each line needs 'key: value' with a space after the colon"
        mark = Mark(self.source, node.mark.line, node.mark.col, len(first.rstrip()))
        self.problems.append(mark.problem(said, hint))

    def _escaped(self, node: Scalar) -> None:
        said = "backslashes in double quotes made control characters of this text"
        hint = "put it in single quotes"
        self.problems.append(node.mark.problem(said, hint))

    def _mark(self, event: yaml.Event, length: int | None = None) -> Mark:
        start, end = _span(event)
        if length is None:
            same = start.line == end.line
            length = end.column - start.column if same else 1
        return Mark(self.source, start.line + 1, start.column + 1, max(1, length))


def _span(event: yaml.Event) -> tuple[yaml.Mark, yaml.Mark]:
    return cast("tuple[yaml.Mark, yaml.Mark]", (event.start_mark, event.end_mark))
