"""Where sources leave samples and the turn picks them up.

Bounded: when full the oldest chunk goes, counted by tag with its time range.
Pushed from the event loop in bulk, drained once per turn from the turn's thread;
a deque's append and popleft are atomic under the interpreter lock, the lock here
only guards the bound.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.samples import Quality, SampleBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.samples import F64, I32, I64, U8, TagTable


#: Tags of an overflow that are told apart.
APART = 100
_NEVER = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class _Chunk:
    tag: I32
    time: I64
    value: F64
    quality: U8
    received: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overflow:
    """Samples of one tag dropped unread.

    Attributes:
        source: position in the tag table's sources.
        tag: index in the tag table; -1 for all others of the source.
        count: samples.
        first: agent time of arrival of the first, ns.
        last: of the last.
    """

    source: int
    tag: int
    count: int
    first: int
    last: int


class Inbox:
    """Bounded hand-over of samples, and of each source's sign of life.

    Args:
        tags: the tag table.
        limit: samples held at most.
        wake: called after a push, from the pushing thread; must be cheap.
    """

    def __init__(
        self,
        tags: TagTable,
        *,
        limit: int = 1_000_000,
        wake: Callable[[], None] | None = None,
    ) -> None:
        self.tags = tags
        self.limit = limit
        self.wake = wake or (lambda: None)
        self._chunks: deque[_Chunk] = deque()
        self._held = 0
        self._latest = _NEVER
        self._lock = Lock()
        self._dropped = np.zeros(len(tags), np.int64)
        self._span = np.zeros((2, len(tags)), np.int64)
        self._overflowed = False
        self._is_text = tags.is_text
        self._alive = np.full(len(tags.sources), _NEVER, np.int64)
        numeric = np.flatnonzero(~self._is_text).astype(np.int32)
        self._numeric = [
            numeric[tags.source[numeric] == source]
            for source in range(len(tags.sources))
        ]

    def push(
        self,
        tag: I32,
        time: I64,
        value: F64,
        quality: U8,
        received: int,
        texts: Sequence[str] = (),
    ) -> None:
        """Append samples that arrived together at agent time ``received``.

        Sources read the time before they decode, so one may push behind another what
        it read before it: then it counts as received together with the other's.

        Args:
            tag: int32[n].
            time: int64[n], ns.
            value: float64[n]; for a text tag the index into ``texts``.
            quality: uint8[n].
            received: agent time of arrival, ns.
            texts: strings of this push.
        """
        if len(tag) == 0:
            return
        with self._lock:
            at = self._latest = max(self._latest, received)
            self._append(_Chunk(tag, time, value, quality, at, tuple(texts)))
        self.wake()

    def alive(self, source: int, at: int) -> None:
        """A source vouches that its link was up at agent time ``at``.

        A tag that reports only changes is then known to be unchanged, not stale.
        """
        self._alive[source] = max(int(self._alive[source]), at)

    def lost(self, source: int, at: int) -> None:
        """A source's link went down: its tags are unknown until they report again.

        Each of them gets a BAD sample. Without it a tag that reports only changes
        would be taken as unchanged over the gap: a window across it would hold a
        value nobody saw.

        Args:
            source: position in the tag table's sources.
            at: agent time.
        """
        if self._alive[source] == _NEVER:
            return  # it never was up: nothing of it is held
        tags = self._numeric[source]
        count = len(tags)
        if count == 0:
            return
        bad = np.full(count, Quality.BAD, np.uint8)
        with self._lock:
            # stamp and arrival stay equal: that is how `stamps` knows the mark
            at = self._latest = max(self._latest, at)
            times, values = np.full(count, at), np.full(count, np.nan)
            self._append(_Chunk(tags, times, values, bad, at, ()))
        self.wake()

    def drain(self) -> SampleBatch:
        """Everything pushed since the last call, in order of arrival."""
        with self._lock:
            chunks = list(self._chunks)
            self._chunks.clear()
            self._held = 0
        return self._joined(chunks)

    def alive_until(self) -> I64:
        """int64[sources] agent time at which each source was last seen alive."""
        return self._alive.copy()

    def take_overflows(self) -> list[Overflow]:
        """Drops since the last call, by tag; of many tags the fullest `APART`."""
        if not self._overflowed:
            return []
        with self._lock:
            self._overflowed = False
            dropped, self._dropped = self._dropped, np.zeros_like(self._dropped)
            span, self._span = self._span, np.zeros_like(self._span)
        tags = np.flatnonzero(dropped)
        tags = tags[np.argsort(-dropped[tags], kind="stable")]
        found = [
            Overflow(int(self.tags.source[tag]), tag, int(dropped[tag]), *map(int, at))
            for tag, at in zip(tags[:APART].tolist(), span.T[tags[:APART]], strict=True)
        ]
        return found + self._rest(tags[APART:], dropped, span)

    def __len__(self) -> int:
        """Samples waiting."""
        return self._held

    def _append(self, chunk: _Chunk) -> None:
        self._chunks.append(chunk)
        self._held += len(chunk.tag)
        while self._held > self.limit and len(self._chunks) > 1:
            self._drop(self._chunks.popleft())

    def _drop(self, chunk: _Chunk) -> None:
        self._held -= len(chunk.tag)
        fresh = chunk.tag[self._dropped[chunk.tag] == 0]
        self._span[0, fresh] = chunk.received
        self._span[1, chunk.tag] = chunk.received
        np.add.at(self._dropped, chunk.tag, 1)
        self._overflowed = True

    def _rest(self, tags: I64, dropped: I64, span: I64) -> list[Overflow]:
        """One entry a source for tags that are not told apart."""
        found = []
        owners = self.tags.source[tags]
        for source in np.unique(owners).tolist():
            own = tags[owners == source]
            first, last = int(span[0, own].min()), int(span[1, own].max())
            found.append(Overflow(source, -1, int(dropped[own].sum()), first, last))
        return found

    def _joined(self, chunks: list[_Chunk]) -> SampleBatch:
        if not chunks:
            return SampleBatch.of([], [], [])
        if len(chunks) == 1:
            one = chunks[0]
            received = np.full(len(one.tag), one.received, np.int64)
            return SampleBatch(
                one.tag, one.time, one.value, one.quality, received, one.texts
            )
        texts: list[str] = []
        values: list[F64] = []
        for chunk in chunks:
            value = chunk.value
            if chunk.texts and texts:
                value = np.where(self._is_text[chunk.tag], value + len(texts), value)
            values.append(value)
            texts.extend(chunk.texts)
        counts = [len(c.tag) for c in chunks]
        return SampleBatch(
            np.concatenate([c.tag for c in chunks]),
            np.concatenate([c.time for c in chunks]),
            np.concatenate(values),
            np.concatenate([c.quality for c in chunks]),
            np.repeat(np.array([c.received for c in chunks], np.int64), counts),
            tuple(texts),
        )
