"""A book on disk: what is written when, and how it is found again.

Each page of the ring has a file. Labels of any page go to the newest file; a file goes
with its page, and what it says of older rows was lost before. A file whose page is full
is written again in its shortest form. A file can be read alone: it begins with how to
read it and with the alarms and waiting labels of that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.labels import blocks
from edge_agent.labels.blocks import Kind
from edge_agent.labels.columns import State, length, waiting_kinds
from edge_agent.labels.ring import PAGES
from edge_agent.labels.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.labels.book import Book
    from edge_agent.labels.columns import Columns
    from edge_agent.labels.ring import Page
    from edge_agent.samples import I64

#: Ns between two writes of predictions; what is written survives a kill at once, and a
#: power cut after so many ns: predictions, and labels.
WRITE, SYNC, SOON = 5_000_000_000, 60_000_000_000, 5_000_000_000
_FAR = 2**62


class Keeping:
    """The disk's side of a book.

    Args:
        book: whose.
        folder: for its files alone.
        limit: bytes all of them may take.
        tell: takes name and text of an event about the disk.
    """

    def __init__(
        self, book: Book, folder: Path, limit: int, tell: Callable[[str, str], None]
    ) -> None:
        self.segments = Segments(folder, tell)
        self.limit = limit
        self._book = book
        self._files: dict[int, int] = {}
        """Number of a page's file by the page's first row."""
        self._current: Page | None = None
        self._labelled: list[I64] = []
        self._waits: list[Columns] = []
        self._complete: Page | None = None
        """Its file can be packed."""
        self._outside: list[I64] = []
        """Rows of older pages whose labels the newest file holds."""
        self._packable: list[I64] = []
        self._words = 0
        self._wrote, self._sync_by = -_FAR, _FAR

    # -- what must be written ------------------------------------------------------

    def labelled(self, rows: I64) -> None:
        """The labels of these rows changed."""
        self._labelled.append(rows)
        if len(self._labelled) > PAGES:
            self._labelled = [self._rows()]

    def waits(self, told: Columns) -> None:
        """These labels wait for their prediction from now on."""
        self._waits.append(told)
        if len(self._waits) > PAGES:
            self._waits = [self._new_waits()]

    def _new_waits(self) -> Columns:
        told = {name: [w[name] for w in self._waits] for name in self._waits[0]}
        most = self._book.most_waiting
        return {name: np.concatenate(parts)[-most:] for name, parts in told.items()}

    def _rows(self) -> I64:
        """Rows whose labels must be written: numbers, ascending."""
        if not self._labelled:
            return np.zeros(0, np.int64)
        rows = np.unique(np.concatenate(self._labelled))
        return rows[rows >= self._book.ring.first]

    @property
    def urgent(self) -> bool:
        """Something that cannot be had again waits to be written."""
        changed = bool(self._book.alarms.changed)
        return bool(self._labelled) or bool(self._waits) or changed

    # -- writing -------------------------------------------------------------------

    def write(self, now: int, *, force: bool = False) -> bool:
        """Write what is due; True when all there is survives a power cut.

        Args:
            now: agent time.
            force: write and sync all there is.
        """
        urgent = self.urgent
        if force or urgent or now - self._wrote >= WRITE:
            if not force and not self.segments.ready(now):
                return False
            self._wrote = now
            if not self._written(now):
                return False
            if self.segments.unsynced:
                self._sync_by = min(self._sync_by, now + (SOON if urgent else SYNC))
        if force or now >= self._sync_by:
            self._sync_by = _FAR
            if not self.segments.sync(now):
                self._doubt()
                return False
            self._pack()
        self.trim()
        return not self.segments.unsynced

    def _written(self, now: int) -> bool:
        ring = self._book.ring
        if not ring.pages or (
            ring.pages[-1].first in self._files and ring.pages[-1] is not self._current
        ):
            if not self.urgent:  # all there is was read from the disk
                return True
            ring.begin()
        for page in list(ring.pages):
            last = page is ring.pages[-1]
            if page.written == page.rows and not last:
                continue
            if page is not self._current:
                self._turn_to(page)
            if not self._append(page, now, last=last):
                return False
        return True

    def _turn_to(self, page: Page) -> None:
        """Begin the file of a page; the one before is complete."""
        self._pack()
        self._complete = self._current
        self._files[page.first] = self.segments.begin()
        self._packable, self._outside = self._outside, []
        self._current, self._words = page, -1

    def _append(self, page: Page, now: int, *, last: bool) -> bool:
        """Write what a page lacks, and behind the last page what changed of all."""
        book, begun = self._book, not self.segments.sizes[self.segments.number]
        if begun and not page.rows and not self.urgent:
            return True
        chunk, words = [], len(book.lexicon)
        if words != self._words:
            chunk.append(self._meta(page))
        if page.rows > page.written:
            rows = page.columns(page.written)
            body = blocks.packed(rows, book.ring.predicted, page.first + page.written)
            chunk.append(blocks.sealed(Kind.PREDICTED, body))
        labelled = self._rows() if last else np.zeros(0, np.int64)
        if len(labelled):
            chunk.append(self._labels(labelled))
        if begun or last:
            chunk += self._beside(begun=begun)
        if chunk and not self.segments.append(b"".join(chunk), now):
            return False
        page.written, self._words = page.rows, words
        if last:
            self._noted(page, labelled)
        return True

    def _beside(self, *, begun: bool) -> list[bytes]:
        """Waiting labels and alarms: all at the head of a file, else what is new."""
        book, chunk = self._book, []
        waits = book.waiting.told if begun else self._new_waits() if self._waits else {}
        if waits and length(waits):
            kinds = waiting_kinds(len(book.settings.groups))
            chunk.append(blocks.sealed(Kind.WAITING, blocks.packed(waits, kinds)))
        alarms = book.alarms.all() if begun else list(book.alarms.changed.values())
        if alarms:
            chunk.append(blocks.sealed(Kind.ALARMS, blocks.written(alarms)))
        return chunk

    def _noted(self, page: Page, labelled: I64) -> None:
        """All that had changed is written."""
        self._labelled, self._waits = [], []
        self._book.alarms.changed = {}
        if len(labelled):
            self._outside.append(labelled[labelled < page.first])
        if self.segments.sizes[self.segments.number] <= self._too_long:
            return
        if page.rows:
            self._book.ring.begin()
        else:  # nothing but labels: the next go to another file
            self._leave(page)

    def _leave(self, page: Page) -> None:
        del self._files[page.first]
        self._current = None

    @property
    def _too_long(self) -> int:
        return self.limit // PAGES

    def _doubt(self) -> None:
        """The disk may have forgotten what it took: all of this page once more."""
        page = self._current
        if page is None:
            return
        rows = page.first + np.arange(page.rows)
        page.written = 0
        named = self._book.ring.labels(rows)["state"] != State.NONE
        self._labelled += [rows[named], *self._outside]
        self._leave(page)

    def _meta(self, page: Page) -> bytes:
        book = self._book
        meta = {
            "format": 1,
            "parts": book.parts,
            "span": page.span,
            "assets": list(book.assets),
            "groups": list(book.settings.groups),
            "words": book.lexicon.saved(),
        }
        return blocks.sealed(Kind.META, blocks.written(meta))

    def _labels(self, rows: I64) -> bytes:
        ring = self._book.ring
        columns = {"row": rows, **ring.labels(rows)}
        body = blocks.packed(columns, {"row": "<i8", **ring.told})
        return blocks.sealed(Kind.LABELLED, body)

    def _pack(self) -> None:
        """Write a file again whose page is full: long blocks, each label once."""
        page, self._complete = self._complete, None
        number = None if page is None else self._files.get(page.first)
        if page is None or number is None or page.written < page.rows or not page.rows:
            return
        ring = self._book.ring
        rows = page.first + np.arange(page.rows)
        rows = rows[ring.labels(rows)["state"] != State.NONE]
        outside = self._packable or [np.zeros(0, np.int64)]
        others = ring.held(np.unique(np.concatenate(outside)))
        body = blocks.packed(page.columns(), ring.predicted, page.first)
        chunk = [self._meta(page), blocks.sealed(Kind.PREDICTED, body)]
        named = np.concatenate([others, rows])
        if len(named):
            chunk.append(self._labels(named))
        self.segments.pack(number, b"".join(chunk))

    # -- bounds ----------------------------------------------------------------------

    def trim(self) -> None:
        """Remove the files of pages that have gone; make room where all is too much."""
        self._remove()
        while self.segments.bytes > self.limit and self._book.shrink():
            self._remove()

    def _remove(self) -> None:
        ring = self._book.ring
        held = {page.first for page in ring.pages}
        self._files = {f: n for f, n in self._files.items() if f in held}
        oldest = min(self._files.values(), default=None)
        if oldest is None:
            return
        for number in [n for n in self.segments.sizes if n < oldest]:
            self.segments.drop(number)

    # -- reading back ------------------------------------------------------------------

    def adopted(self, first: int, number: int) -> None:
        """A page was read from a file."""
        self._files[first] = number

    def resume(self, page: Page, end: int) -> None:
        """Go on writing the file of the last page behind its last whole block."""
        self._current, self._words = page, -1
        self.segments.resume(end)

    def close(self) -> None:
        """Close the file."""
        self.segments.close()
