"""One pipeline's predictions and labels: joined in memory, kept on disk.

Belongs to the desk's thread.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.labels import buckets, joining
from edge_agent.labels.accounts import Accounts
from edge_agent.labels.buckets import Buckets
from edge_agent.labels.columns import ANY, NO_TIME, Columns, length, taken
from edge_agent.labels.joining import Became, Pairs
from edge_agent.labels.keeping import Keeping
from edge_agent.labels.predicted import columns_of
from edge_agent.labels.ring import Ring
from edge_agent.labels.telling import Reader
from edge_agent.labels.telling import columns_of as told_of
from edge_agent.labels.verdicts import Alarms
from edge_agent.labels.waiting import GRACE, MOST, Waiting
from edge_agent.labels.words import Lexicon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.config.monitoring import Labels
    from edge_agent.instruments import Instruments
    from edge_agent.labels.predicted import Batch
    from edge_agent.labels.ring import Page
    from edge_agent.labels.telling import Label
    from edge_agent.samples import I64

_NS = 1_000_000_000
#: Disk may take so many times the memory: few rows make a long block.
DISK = 2
_DISK_BESIDE = 16 * 2**20


class Moment(NamedTuple):
    """Now: agent time, and ns from it to the wall clock."""

    now: int
    offset: int


class Book:
    """See the module.

    Args:
        pipeline: its name.
        assets: ids by position.
        settings: as configured.
        parts: a row a part (``on: cycle``), else buckets of time.
        folder: for its files alone.
        instruments: counters.
        tell: takes name and text of an event about the disk.
        model: name of its model.
    """

    def __init__(
        self,
        pipeline: str,
        assets: Sequence[str],
        settings: Labels,
        *,
        parts: bool,
        folder: Path,
        instruments: Instruments,
        tell: Callable[[str, str], None],
        model: str = "",
    ) -> None:
        self.model = model
        self._changed: list[I64] = []
        self.pipeline, self.assets, self.settings = pipeline, tuple(assets), settings
        self.parts = parts
        self.reader = Reader(settings, self.assets, parts=parts)
        self.lexicon = Lexicon(settings.groups)
        self.alarms = Alarms()
        groups = len(settings.groups)
        ring = Ring(settings.memory, parts=parts, groups=groups)
        self.seconds = 0
        if not parts:
            # a page is given up as a whole: what is held in the worst case
            sure = ring.capacity - ring.page_rows
            self.seconds = buckets.fitting(len(assets), sure, settings.horizon)
            ring.span = self.seconds * _NS
        self.ring = ring
        self._buckets = None if parts else Buckets(self.seconds)
        self.waiting = Waiting.none(groups)
        self.accounts = Accounts(pipeline, instruments)
        self.keeping = Keeping(self, folder, self._limit, tell)
        self.news = False
        """Labels changed since somebody asked."""

    @property
    def _limit(self) -> int:
        return DISK * self.settings.memory + _DISK_BESIDE

    @property
    def capacity(self) -> int:
        """Rows that are held at least, once full."""
        return self.ring.capacity - self.ring.page_rows

    @property
    def most_waiting(self) -> int:
        """Labels that may wait for their prediction."""
        return min(MOST, self.ring.capacity // 8)

    # -- predictions -----------------------------------------------------------

    def predicted(self, batches: Sequence[Batch], moment: Moment) -> None:
        """Take rows from the turn, and join the labels that waited for them."""
        parts = [columns_of(b, self.lexicon, parts=self.parts) for b in batches]
        if self._buckets is None:
            for rows in parts:
                self._append(rows)
        else:
            for rows in parts:
                self._append(self._buckets.take(rows))
            self._append(self._buckets.over(moment.now))
        self._forget(moment)
        self._retry(moment)

    def finish(self, moment: Moment) -> None:
        """The agent stops: the buckets that are open are rows too."""
        if self._buckets is not None:
            self._append(self._buckets.rest())
            self._retry(moment)

    def take_changed(self) -> I64:
        """Numbers of the rows whose label changed since the last call, ascending."""
        changed, self._changed = self._changed, []
        if not changed:
            return np.zeros(0, np.int64)
        return self.ring.held(np.unique(np.concatenate(changed)))

    def _append(self, rows: Columns) -> None:
        if length(rows):
            self._gone(self.ring.append(rows), "memory")

    def _forget(self, moment: Moment) -> None:
        before = moment.now - int(self.settings.horizon * _NS)
        self._gone(self.ring.forget(before), "horizon")

    def _gone(self, pages: Sequence[Page], cause: str) -> None:
        for page in pages:
            self.accounts.dropped(page.unlabelled(), cause)
        if pages:
            self.keeping.trim()

    def shrink(self) -> bool:
        """Give up the oldest page as the disk is full of ours; False for none left."""
        page = self.ring.drop_oldest()
        if page is not None:
            self.accounts.dropped(page.unlabelled(), "disk")
        return page is not None

    # -- labels ----------------------------------------------------------------

    def labelled(self, labels: Sequence[Label], moment: Moment) -> None:
        """Take labels in the order they came."""
        if labels:
            self.told(told_of(labels, self.lexicon, moment.now), moment)

    def told(self, told: Columns, moment: Moment) -> None:
        """Join labels; those whose prediction is not there wait for it.

        Args:
            told: columns of `columns.TOLD` and of the groups.
            moment: now.
        """
        became = self._join(told, self.ring.first)
        self.accounts.became(became)
        part, missed = told["part"], became == Became.NOTHING
        _, high = self._about(told)
        late = missed & self._too_old(told["until"], high, moment)
        ends = high + 3 * self.ring.span
        open_end = ~part & (ends >= moment.now + moment.offset - GRACE)
        wait = (missed & ~late & (part | open_end)) | (~missed & open_end)
        self.accounts.late(int(np.count_nonzero(late)))
        self.accounts.unknown(int(np.count_nonzero(missed & ~late & ~wait)))
        if wait.any():
            self._wait(taken(told, wait), ~missed[wait])
            self.keeping.waits(taken(told, wait))

    def _about(self, told: Columns) -> tuple[I64, I64]:
        return joining.stretches(told, self.ring.span)

    def _too_old(self, until: I64, high: I64, moment: Moment) -> NDArray[np.bool_]:
        """bool[n] labels whose prediction has gone already, as far as they say."""
        horizon = moment.now + moment.offset - int(self.settings.horizon * _NS)
        oldest = horizon
        if self.accounts.dropped_rows and self.ring.pages:
            oldest = max(oldest, min(page.low for page in self.ring.pages))
        old: NDArray[np.bool_] = (until != NO_TIME) & (high < oldest)
        return old

    def _wait(self, told: Columns, counted: NDArray[np.bool_]) -> None:
        if not len(self.waiting):
            self.waiting = replace(self.waiting, tried=self.ring.next)
        most = self.most_waiting
        self.waiting, replaced, over = self.waiting.joined_by(told, counted, most)
        self.accounts.said_again(replaced)
        self.accounts.unknown(over)

    def _retry(self, moment: Moment) -> None:
        """Hold those that wait against the rows that came since."""
        waiting = self.waiting
        if not len(waiting):
            return
        if waiting.tried < self.ring.next:
            became = self._join(waiting.told, waiting.tried)
            found = became != Became.NOTHING
            self.accounts.became(np.where(waiting.counted, 0, became).astype("u1"))
            self.waiting = Waiting(
                waiting.told, waiting.counted | found, self.ring.next
            ).kept(~(found & waiting.told["part"]))
        self._give_up(moment)

    def _give_up(self, moment: Moment) -> None:
        waiting = self.waiting
        _, high = self._about(waiting.told)
        over = waiting.given_up(moment.now, moment.offset, high + 3 * self.ring.span)
        if over.any():
            self.accounts.unknown(int(np.count_nonzero(over & ~waiting.counted)))
            self.waiting = waiting.kept(~over)

    # -- joining ---------------------------------------------------------------

    def _join(self, told: Columns, since: int) -> NDArray[np.uint8]:
        """Join labels to rows from a number on; uint8[labels], `Became`."""
        became = np.zeros(length(told), np.uint8)
        by_part = self._by_part(told, since)
        done = 0
        for pairs, end in self._by_time(told, since):
            mine = (by_part.told >= done) & (by_part.told < end)
            both = Pairs(
                np.concatenate([by_part.row[mine], pairs.row]),
                np.concatenate([by_part.told[mine], pairs.told]),
            )
            np.maximum(became, self._apply(both, told), out=became)
            done = end
        rest = by_part.told >= done
        left = Pairs(by_part.row[rest], by_part.told[rest])
        return np.maximum(became, self._apply(left, told))

    def _by_part(self, told: Columns, since: int) -> Pairs:
        if not self.parts or not told["part"].any():
            return Pairs.none()
        pages = [
            (first, rows)
            for first, rows in self.ring.parts()
            if first + length(rows) > since
        ]
        found = joining.by_part(pages, told)
        self.accounts.collided(found.collisions)
        new = found.row >= since
        return Pairs(found.row[new], found.told[new])

    def _by_time(self, told: Columns, since: int) -> Iterable[tuple[Pairs, int]]:
        which = np.flatnonzero(
            ~told["part"] & (told["asset"] != ANY) & (told["since"] != NO_TIME)
        )
        if not len(which):
            return []
        stretch = taken(told, which)
        low, high = self._about(stretch)
        rows = self.ring.between(int(low.min()), int(high.max()), since)
        ends = np.append(which, length(told))
        return (
            (Pairs(pairs.row, which[pairs.told]), int(ends[end]))
            for pairs, end in joining.by_time(rows, low, high, stretch["asset"])
        )

    def _apply(self, pairs: Pairs, told: Columns) -> NDArray[np.uint8]:
        rows = np.unique(pairs.row)
        if not len(rows):
            return np.zeros(length(told), np.uint8)
        before = self.ring.labels(rows)
        after, changed, became = joining.applied(pairs, told, before, rows)
        rows, after = rows[changed], taken(after, changed)
        if len(rows):
            ago = told["at"][after["told"]] - self.ring.column("at", rows)
            after["delay"] = np.clip(ago // _NS, -(2**31), 2**31 - 1).astype(np.int32)
            self.ring.label(rows, after)
            self.keeping.labelled(rows)
            self._changed.append(rows)
            self.news = True
        return became
