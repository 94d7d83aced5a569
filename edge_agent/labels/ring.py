"""Predictions that wait for their label, and those that have it: the newest so many.

Columns in pages of equal size; the oldest page goes as a whole when memory is full or
its rows are older than the horizon. A row has a number that is never used again, so
that what is on disk can speak of it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.labels.columns import (
    BUCKET,
    PART,
    Columns,
    State,
    empty,
    label_kinds,
    length,
    stacked,
    taken,
    wall,
    width,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge_agent.labels.columns import Kinds
    from edge_agent.samples import I64

#: Into how many pages memory is cut: what goes at once.
PAGES = 32
_FEWEST = 64
#: A restart begins a page; so many of them must not become a file each.
_MOST_PAGES = 4 * PAGES


class Page:
    """Some rows in order of arrival.

    Args:
        first: number of its first row.
        room: rows it can hold.
        kinds: columns.
        span: ns of a bucket; 0 for parts.
    """

    def __init__(self, first: int, room: int, kinds: Kinds, span: int) -> None:
        self.first, self.room, self.span = first, room, span
        self.rows = 0
        self.written = 0
        """Rows that are on disk."""
        self.newest = -(2**62)
        """Agent time of its newest row."""
        self.low, self.high = 2**62, -(2**62)
        """Wall times of its rows."""
        self._columns = empty(kinds, room)

    @property
    def left(self) -> int:
        """Rows it still has room for."""
        return self.room - self.rows

    def columns(self, begin: int = 0) -> Columns:
        """Its rows from one on; views."""
        return taken(self._columns, slice(begin, self.rows))

    def append(self, rows: Columns) -> None:
        """Add rows, not more than are `left`."""
        count = length(rows)
        for name, column in rows.items():
            self._columns[name][self.rows : self.rows + count] = column
        self.rows += count
        if count:
            self.newest = max(self.newest, int(rows["at"].max()))
            stamps = wall(rows)
            self.low = min(self.low, int(stamps.min()))
            self.high = max(self.high, int(stamps.max()))

    def unlabelled(self) -> int:
        """Rows without a label."""
        state = self._columns["state"][: self.rows]
        return int(np.count_nonzero(state == State.NONE))


class Ring:
    """The pages of a pipeline.

    Args:
        memory: bytes its rows may take.
        parts: rows are parts, else buckets.
        groups: how many a label has.
        span: ns of a bucket; 0 for parts.
    """

    def __init__(self, memory: int, *, parts: bool, groups: int, span: int = 0) -> None:
        self.predicted = PART if parts else BUCKET
        self.told = label_kinds(groups)
        self.kinds: Kinds = {**self.predicted, **self.told}
        self.capacity = max(memory // width(self.kinds), _FEWEST * 2)
        self.page_rows = max(self.capacity // PAGES, _FEWEST)
        self.pages: deque[Page] = deque()
        self.next = 0
        self.span = span

    def __len__(self) -> int:
        return sum(page.rows for page in self.pages)

    @property
    def first(self) -> int:
        """Number of the oldest row."""
        return self.pages[0].first if self.pages else self.next

    @property
    def bytes(self) -> int:
        """Memory its columns may take."""
        return sum(page.room for page in self.pages) * width(self.kinds)

    def append(self, rows: Columns) -> list[Page]:
        """Add predictions; gives the pages that had to go."""
        gone, at = [], 0
        while at < length(rows):
            page = self._open()
            part = taken(rows, slice(at, at + page.left))
            page.append(part)
            at += length(part)
            self.next += length(part)
            gone += self._full()
        return gone

    def _open(self) -> Page:
        if not self.pages or not self.pages[-1].left:
            self.begin()
        return self.pages[-1]

    def begin(self) -> Page:
        """Begin a page although the last one may have room."""
        page = Page(self.next, self.page_rows, self.kinds, self.span)
        self.pages.append(page)
        return page

    def adopt(self, first: int, rows: Columns, span: int, room: int = 0) -> None:
        """Take over a page from disk; nothing was added yet behind it."""
        page = Page(first, max(room, length(rows)), self.kinds, span)
        page.append(rows)
        page.written = page.rows
        self.pages.append(page)
        self.next = page.first + page.rows

    def widened(self) -> Page:
        """Give the last page room for as many rows as a new one has."""
        old = self.pages.pop()
        page = Page(old.first, self.page_rows, self.kinds, old.span)
        page.append(old.columns())
        page.written = page.rows
        self.pages.append(page)
        return page

    def trimmed(self) -> list[Page]:
        """Let go what is too much; gives the pages that went."""
        return self._full()

    def _full(self) -> list[Page]:
        gone = []
        while len(self.pages) > 1 and (
            sum(page.room for page in self.pages) > self.capacity
            or len(self.pages) > _MOST_PAGES
        ):
            gone.append(self.pages.popleft())
        return gone

    def forget(self, before: int) -> list[Page]:
        """Let pages go whose newest row is older than an agent time."""
        gone = []
        while self.pages and self.pages[0].rows and self.pages[0].newest < before:
            gone.append(self.pages.popleft())
        return gone

    def drop_oldest(self) -> Page | None:
        """Let the oldest page go, but not the one that is being filled."""
        return self.pages.popleft() if len(self.pages) > 1 else None

    # -- rows ------------------------------------------------------------------

    def parts(self) -> Iterator[tuple[int, Columns]]:
        """First number and columns of each page, oldest first; views."""
        for page in self.pages:
            yield page.first, page.columns()

    def between(self, low: int, high: int, since: int = 0) -> Columns:
        """Asset, wall and number of rows in a stretch of wall time.

        Args:
            low: its begin, ns.
            high: its end.
            since: number of the first row that is asked for.
        """
        kinds = {"asset": "<i4", "wall": "<i8", "row": "<i8"}
        found: list[Columns] = []
        for page in self.pages:
            begin = max(since - page.first, 0)
            if begin >= page.rows or page.low > high or page.high < low:
                continue
            columns = page.columns(begin)
            stamps = wall(columns)
            which = np.flatnonzero((stamps >= low) & (stamps <= high))
            number = which + page.first + begin
            asset = columns["asset"][which]
            found.append({"asset": asset, "wall": stamps[which], "row": number})
        return stacked(found, kinds)

    def labels(self, rows: I64) -> Columns:
        """What the labels of rows say; numbers ascending, all of them held."""
        found = empty(self.told, len(rows))
        for page, which in self._of(rows):
            columns = page.columns()
            place = rows[which] - page.first
            for name in self.told:
                found[name][which] = columns[name][place]
        return found

    def column(self, name: str, rows: I64) -> NDArray[Any]:
        """One column of rows, numbers ascending, all of them held."""
        found = np.zeros(len(rows), self.kinds[name])
        for page, which in self._of(rows):
            found[which] = page.columns()[name][rows[which] - page.first]
        return found

    def label(self, rows: I64, labels: Columns) -> None:
        """Set the labels of rows; numbers ascending, those not held are passed over."""
        for page, which in self._of(rows):
            columns = page.columns()
            place = rows[which] - page.first
            for name in labels.keys() & self.told.keys():
                columns[name][place] = labels[name][which]

    def held(self, rows: I64) -> I64:
        """Those of ascending numbers that are held."""
        which = [part for _, part in self._of(rows)]
        if not which:
            return np.zeros(0, np.int64)
        found: I64 = rows[np.concatenate([np.arange(len(rows))[w] for w in which])]
        return found

    def _of(self, rows: I64) -> Iterator[tuple[Page, slice]]:
        """Pages and which of the ascending numbers they hold."""
        for page in self.pages:
            begin, end = np.searchsorted(rows, [page.first, page.first + page.rows])
            if end > begin:
                yield page, slice(int(begin), int(end))
