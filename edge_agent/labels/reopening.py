"""Reading a book's files at start: rows, labels, alarms and what waited.

Nothing in a file is trusted further than its checksum: numbers that point nowhere are
set to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
import structlog

from edge_agent.labels import blocks, joining
from edge_agent.labels.blocks import Kind
from edge_agent.labels.columns import (
    ANY,
    BUCKET,
    PART,
    Columns,
    State,
    label_kinds,
    length,
    stacked,
    taken,
    waiting_kinds,
)
from edge_agent.labels.verdicts import Episode
from edge_agent.labels.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.labels.blocks import Block
    from edge_agent.labels.book import Book
    from edge_agent.labels.columns import Kinds
    from edge_agent.samples import I64

log = structlog.get_logger()
_FARTHEST = 2**62


class _Meta(msgspec.Struct):
    """How the blocks behind it are to be read."""

    format: int
    parts: bool
    span: Annotated[int, msgspec.Meta(ge=0)]
    assets: list[str]
    groups: list[str]
    words: dict[str, list[str]]


@dataclass(slots=True)
class _File:
    """What one file gave.

    Attributes:
        rows: first number and columns of each block, translated.
        labels: of rows by number.
        waiting: labels that waited, some of which found their prediction since.
        unsettled: first row of a block behind which nothing came.
    """

    span: int = 0
    rows: list[tuple[int, Columns]] = field(default_factory=list)
    labels: list[Columns] = field(default_factory=list)
    alarms: list[Episode] = field(default_factory=list)
    waiting: list[Columns] = field(default_factory=list)
    unsettled: int = _FARTHEST
    bad: int = 0


def reopen(book: Book) -> None:
    """Fill a fresh book with what its files hold; never raises for what is in them."""
    keeping, last = book.keeping, _File()
    labels: list[Columns] = []
    ends: dict[int, int] = {}
    for number, found in keeping.segments.read():
        last = _read(book, found)
        ends = {number: found[-1].end if found else 0}
        labels += last.labels
        book.alarms.learn(last.alarms)
        _adopt(book, number, last)
        if last.bad:
            log.warning("labels unreadable", pipeline=book.pipeline, blocks=last.bad)
    for block in labels:
        _apply(book, block)
    book.alarms.changed = {}
    book.accounts.torn(keeping.segments.torn)
    if last.waiting:
        _wait(book, last)
    _resume(book, ends)
    keeping.trim()


def _read(book: Book, found: Sequence[Block]) -> _File:
    file, reader = _File(), _Reading(book)
    for block in found:
        try:
            reader.take(block, file)
        except (ValueError, msgspec.MsgspecError, IndexError):
            file.bad += 1
    return file


class _Reading:
    """Translates one file's numbers to those of now."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._meta: _Meta | None = None
        self._assets = np.zeros(1, np.int32)
        self._words: dict[str, NDArray[Any]] = {}

    def take(self, block: Block, file: _File) -> None:
        """Read a block.

        Raises:
            ValueError: it is not what it says.
        """
        if block.kind is Kind.META:
            self._learn(blocks.read(block.body, _Meta), file)
            return
        if self._meta is None or self._meta.parts != self._book.parts:
            raise ValueError("nothing says how to read it")
        file.unsettled = _FARTHEST
        kinds: Kinds
        if block.kind is Kind.PREDICTED:
            kinds = PART if self._book.parts else BUCKET
            first, rows = blocks.unpacked(block.body, kinds)
            file.unsettled = first
            file.rows.append((first, self._row(rows)))
        elif block.kind is Kind.LABELLED:
            kinds = {"row": "<i8", **label_kinds(len(self._meta.groups))}
            file.labels.append(self._told(blocks.unpacked(block.body, kinds)[1]))
        elif block.kind is Kind.WAITING:
            kinds = waiting_kinds(len(self._meta.groups))
            waiting = self._told(blocks.unpacked(block.body, kinds)[1])
            named = waiting["asset"] != ANY
            where = self._places(self._assets, waiting["asset"], -1)
            waiting["asset"] = np.where(named, where, waiting["asset"]).astype("<i4")
            file.waiting.append(taken(waiting, ~named | (where >= 0)))
        else:
            file.alarms += blocks.read(block.body, list[Episode])

    def _learn(self, meta: _Meta, file: _File) -> None:
        if meta.format != 1:
            raise ValueError("written by a newer agent")
        now = {name: place for place, name in enumerate(self._book.assets)}
        places = [now.get(name, -1) for name in meta.assets]
        self._assets = np.array([*places, -1], np.int32)
        translated = self._book.lexicon.translated(meta.words)
        self._words = {n: np.array([*w, 0]) for n, w in translated.items()}
        self._meta, file.span = meta, meta.span

    def _row(self, rows: Columns) -> Columns:
        rows["asset"] = self._places(self._assets, rows["asset"], -1)
        for name, kind in (
            ("word", "class"),
            ("context", "context"),
            ("version", "version"),
        ):
            rows[name] = self._word(kind, rows[name])
        return rows

    def _told(self, told: Columns) -> Columns:
        """With the groups of now, by their names."""
        assert self._meta is not None  # noqa: S101 - the caller looked
        told["label"] = self._word("class", told["label"])
        before = self._meta.groups
        columns = {k: v for k, v in told.items() if not _is_group(k)}
        for place, name in enumerate(self._book.settings.groups):
            column = np.zeros(length(told), np.uint16)
            if name in before:
                old = told[f"g{before.index(name)}"]
                column = self._word(f"group {name}", old).astype(np.uint16)
            columns[f"g{place}"] = column
        return columns

    def _word(self, kind: str, column: NDArray[Any]) -> NDArray[Any]:
        table = self._words.get(kind, np.zeros(1, np.int64))
        return self._places(table, column, 0).astype(column.dtype)

    @staticmethod
    def _places(table: NDArray[Any], column: NDArray[Any], other: int) -> NDArray[Any]:
        known = (column >= 0) & (column < len(table) - 1)
        return np.where(known, table[np.where(known, column, -1)], other).astype(
            column.dtype
        )


def _is_group(name: str) -> bool:
    return name[0] == "g" and name[1:].isdecimal()


def _adopt(book: Book, number: int, file: _File) -> None:
    """Make pages of a file's rows, one for each run of numbers without a hole."""
    ring, runs = book.ring, list[tuple[int, list[Columns]]]()
    expected = -1
    for first, rows in file.rows:
        least = ring.next if not runs else expected
        skip = max(least - first, 0)
        if not 0 <= first < _FARTHEST or skip >= length(rows):
            continue
        begin = first + skip
        if not runs or begin != expected:
            runs.append((begin, []))
        runs[-1][1].append(taken(rows, slice(skip, None)))
        expected = first + length(rows)
    for first, parts in runs:
        columns = {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
        ring.adopt(first, columns, file.span)
        book.keeping.adopted(first, number)
    for _ in ring.trimmed():
        book.accounts.dropped_rows = True


def _apply(book: Book, block: Columns) -> None:
    rows: I64 = block["row"]
    if (np.diff(rows) <= 0).any():
        return
    book.ring.label(rows, {n: c for n, c in block.items() if n != "row"})
    book.news = True


def _wait(book: Book, file: _File) -> None:
    """Go on waiting; a crash may have torn a row from its label."""
    told = stacked(file.waiting, waiting_kinds(len(book.settings.groups)))
    tried = min(file.unsettled, book.ring.next)
    none = Waiting.none(len(book.settings.groups))
    waiting, _, _ = none.joined_by(told, np.zeros(length(told), bool))
    pairs = joining.by_part(book.ring.parts(), waiting.told) if book.parts else None
    if pairs is not None and len(pairs.row):
        order = np.argsort(pairs.row, kind="stable")
        rows, found = pairs.row[order], pairs.told[order]
        labelled = book.ring.column("state", rows) != State.NONE
        settled = np.zeros(len(waiting), bool)
        settled[found[labelled]] = True
        waiting = waiting.kept(~settled)
    book.waiting = Waiting(waiting.told, waiting.counted, tried)


def _resume(book: Book, ends: dict[int, int]) -> None:
    """Go on in the last file where its page is far from full."""
    ring = book.ring
    page = ring.pages[-1] if ring.pages else None
    if page is None or not ends or page.rows > ring.page_rows // 2:
        return
    if page.span != ring.span:
        return
    (end,) = ends.values()
    widened = ring.widened()
    book.keeping.resume(widened, end)
