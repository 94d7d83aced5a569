"""From a publish response's columns to samples in the inbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.config.schema import TimePolicy
from edge_agent.inbox import APART
from edge_agent.losses import OTHERS
from edge_agent.samples import Quality
from edge_agent.sources.opcua.columns import NO_TIME, Columns
from edge_agent.stamps.guard import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.config.plant import Binding
    from edge_agent.inbox import Inbox
    from edge_agent.instruments import Instruments
    from edge_agent.samples import F64, I64, U8

# ufuncs' reduce instead of any, all, max: half the price where a message is short
_GOOD, _UNCERTAIN, _BAD = (int(q) for q in Quality)

#: InfoType = DataValue and Overflow: the server's queue of this item ran over. The
#: severity stays Good and asyncua's names do not tell.
OVERFLOW = 0x480

#: BadNodeIdUnknown, BadNodeIdInvalid: the node was deleted under its item, by a
#: download to the PLC. The item may stay dead when the node is back.
NODE_GONE = (0x80340000, 0x80330000)

QUEUE_OVERFLOW = (
    "the server's queue of this item ran over; one is counted each time it says so,"
    " more may be gone: raise queue, or publishing closer to sampling"
)

RUNNING = 0
"""ServerState of a server that works as it should."""


@dataclass(frozen=True, slots=True)
class Gap:
    """When nobody saw a source's values.

    Attributes:
        lost: agent time at which the last session ended.
        opened: agent time at which this one began.
    """

    lost: int
    opened: int

    def behind(self, received: int, sent: int) -> int:
        """The end of the gap on the axis of the source's stamps.

        Args:
            received: agent time of a message's arrival.
            sent: the server's clock when it sent it, or `NO_TIME`.
        """
        off = 0 if sent == NO_TIME else sent - received
        if abs(off) > TOLERANCE:
            return self.opened + off  # `stamps` moves its stamps as a whole
        return max(self.opened + off, self.lost + 1)


class Intake:
    """Turns handles into tags and status codes into quality, one message at a time.

    A client handle is the position of its binding; one more stands for the server's
    own state.

    Args:
        name: of the source.
        bindings: its tags.
        policy: which stamp a sample carries.
        inbox: where samples go.
        instruments: what is counted.
        gap: where the source was not seen before this session, if it ever was.

    Attributes:
        state: ServerState last heard, `RUNNING` until told otherwise.
        seen: bool[n + 1] which items have had a value.
        gone: handles whose node the server says does not exist any more.
        samples: samples pushed so far.
        overflows: samples before which the server dropped others.
    """

    def __init__(
        self,
        name: str,
        bindings: Sequence[Binding],
        policy: TimePolicy,
        inbox: Inbox,
        instruments: Instruments,
        *,
        gap: Gap | None = None,
    ) -> None:
        self.state = RUNNING
        self.state_handle = len(bindings)
        self.seen = np.zeros(len(bindings) + 1, bool)
        self.gone: set[int] = set()
        self.samples = self.overflows = 0
        self._tags = np.array([b.tag for b in bindings], np.int32)
        self._is_text = np.array([b.text for b in bindings], bool)
        self._any_text = bool(self._is_text.any())
        self._name, self._policy = name, policy
        self._inbox, self._instruments = inbox, instruments
        stamped = policy in {TimePolicy.SOURCE, TimePolicy.SERVER}
        self._gap = gap if stamped else None
        # texts are events: a part id stated anew would be a part that came twice
        self._stated = self._is_text.copy()

    def take(self, columns: Columns, received: int, sent: int = NO_TIME) -> None:
        """Push notifications.

        Args:
            columns: the notifications.
            received: agent time of their arrival.
            sent: the server's time when it sent them, where it says so.
        """
        columns = self._ours(columns)
        if not len(columns):
            return
        self.seen[columns.handle] = True
        value, quality = self._judged(columns)
        texts: Sequence[str] = columns.texts
        if self._any_text or columns.text is not None:
            value, quality, texts = self._matched(columns, value, quality)
        times = self._times(columns, received)
        if self._gap is not None:
            stated = self._gap.behind(received, sent)
            times = self._restated(columns.handle, times, quality, stated)
        self._inbox.push(
            self._tags[columns.handle],
            times,
            value,
            quality,
            received,
            texts,
        )
        self.samples += len(columns)
        self._count("opcua_notifications_total", len(columns))

    def _ours(self, columns: Columns) -> Columns:
        """What belongs to tags; the server's state is taken out."""
        own = self.state_handle
        if np.maximum.reduce(columns.handle, initial=0) < own:
            return columns
        for position in np.flatnonzero(columns.handle == own):
            self.seen[own] = True
            value = columns.value[position]
            good = columns.status[position] >> 30 == _GOOD
            if good and not np.isnan(value):
                self.state = int(value)
        self._count("opcua_unknown_items_total", int((columns.handle > own).sum()))
        keep = columns.handle < own
        return Columns(
            columns.handle[keep],
            columns.value[keep],
            columns.status[keep],
            columns.source[keep],
            columns.server[keep],
            columns.texts,
            None if columns.text is None else columns.text[keep],
        )

    def _judged(self, columns: Columns) -> tuple[F64, U8]:
        """Values and their quality: severity, overflow, server state, not a number."""
        value, status = columns.value, columns.status
        quality = np.zeros(len(columns), np.uint8)
        if np.bitwise_or.reduce(status):
            quality = np.minimum(status >> 30, _BAD).astype(np.uint8)
            overflow = status & OVERFLOW == OVERFLOW
            if overflow.any():
                self._overflowed(columns.handle[overflow])
                quality[overflow] = np.maximum(quality[overflow], _UNCERTAIN)
        if self.state != RUNNING:
            quality = np.maximum(quality, np.uint8(_UNCERTAIN))
        finite = np.isfinite(value)
        if not np.logical_and.reduce(finite):
            strange = ~finite & (quality != _BAD)
            self._count("opcua_not_a_number_total", int(strange.sum()))
            quality[~finite] = _BAD
        bad = quality == _BAD
        if np.logical_or.reduce(bad):
            value = np.where(bad, np.nan, value)
            self.gone.update(columns.handle[np.isin(status, NODE_GONE)].tolist())
        return value, quality

    def _overflowed(self, handles: NDArray[np.uint32]) -> None:
        """The server tells that it dropped values before these, not how many."""
        self.overflows += len(handles)
        self._count("opcua_queue_overflows_total", len(handles))
        items, counts = np.unique(handles, return_counts=True)
        fullest = np.argsort(-counts, kind="stable")
        lose = self._instruments.losses.add
        for place in fullest[:APART].tolist():
            name = self._inbox.tags.name(int(self._tags[items[place]]))
            lose("samples", name, QUEUE_OVERFLOW, int(counts[place]))
        if rest := int(counts[fullest[APART:]].sum()):
            lose("samples", f"{self._name}: {OTHERS}", QUEUE_OVERFLOW, rest)

    def _matched(
        self, columns: Columns, value: F64, quality: U8
    ) -> tuple[F64, U8, list[str]]:
        """Strings only for text tags, numbers only for the others.

        A number for a text tag (a part counter) is written out; a string for a
        number's tag is no value.
        """
        texts, wanted = list(columns.texts), self._is_text[columns.handle]
        found = columns.text_mask()
        strange = found & ~wanted
        if strange.any():
            value = np.where(strange, np.nan, value)
            quality[strange] = _BAD
            self._count("opcua_wrong_type_total", int(strange.sum()))
        written = wanted & ~found & ~np.isnan(value)
        if written.any():
            value = value.copy()
            for position in np.flatnonzero(written):
                texts.append(_written(float(value[position])))
                value[position] = len(texts) - 1
        return value, quality, texts

    def _times(self, columns: Columns, received: int) -> I64:
        if self._policy is TimePolicy.RECEIVE:
            return np.full(len(columns), received, np.int64)
        times = columns.server
        if self._policy is not TimePolicy.SERVER:
            times = columns.source
            if np.minimum.reduce(times) == NO_TIME:
                times = np.where(times == NO_TIME, columns.server, times)
        if np.minimum.reduce(times) == NO_TIME:
            times = np.where(times == NO_TIME, received, times)
        return times

    def _restated(
        self, handle: NDArray[np.uint32], times: I64, quality: U8, stated: int
    ) -> I64:
        """Times of values, those that were not changed over a gap put behind it.

        Such a value comes with the stamp of its last change: by that the gap would be
        newest, and its tag BAD until it changes, which a setpoint may not do for weeks.
        """
        first = np.flatnonzero(~self._stated[handle] & (quality != _BAD))
        if len(first) == 0:
            return times
        self._stated[handle[first]] = True
        # of several values of an item, the newest holds now; the others held before
        _, newest = np.unique(handle[first][::-1], return_index=True)
        place = first[len(first) - 1 - newest]
        moved = times.copy()
        moved[place] = np.maximum(times[place], stated)
        return moved

    def _count(self, name: str, amount: int) -> None:
        if amount:
            self._instruments.count(name, amount, source=self._name)


def _written(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)
