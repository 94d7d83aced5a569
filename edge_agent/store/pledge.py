"""Keeps the promise of `store.survive` in view: rates, the limit, the disk.

Used by the journal's thread, about once a minute; `told` by whoever asks.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from edge_agent.durable import write_whole
from edge_agent.records import EventRecord, RecordClass
from edge_agent.samples import NANOSECONDS
from edge_agent.store import footprint, pages, rates
from edge_agent.store.disk import written_by
from edge_agent.store.promise import (
    Promise,
    Room,
    Standing,
    judged,
    limit_of,
    sentence,
)
from edge_agent.store.rates import Rates
from edge_agent.store.wear import Wear

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.keeping import Store
    from edge_agent.store.database import Database
    from edge_agent.store.flow import Flow

log = structlog.get_logger()

#: Nanoseconds between two looks.
EVERY = 60 * NANOSECONDS
#: Nanoseconds between two times that the rates are written down.
SAVE_EVERY = 3600 * NANOSECONDS
_MOST = 1 << 16
#: Part of the limit above which it matters what pages make of what is held.
_MUCH = 16


class _Seen(NamedTuple):
    """What was measured, of which bytes made, when: replaced as one."""

    rates: Rates
    made: Sequence[int]
    at: int


class Pledge:
    """The promise, its limit and whether both hold.

    Args:
        path: the store's file; the rates lie beside it.
        settings: what is promised, and the limit if the operator gives one.
        flow: what is made.
        clock: agent time.
        tell: takes an event for the operator.
    """

    def __init__(
        self,
        path: Path,
        settings: Store,
        flow: Flow,
        clock: Clock,
        tell: Callable[[EventRecord], None],
    ) -> None:
        self._path = path
        self._survive = settings.survive
        self._chosen = settings.limit
        self._clock = clock
        self._tell = tell
        self._flow = flow
        self._wear = Wear()
        self._seen = _Seen(Rates(), [*flow.made], clock.now())
        self._saved = clock.now()
        self._held = self._reusable = 0
        self._oldest = clock.now()
        self._thread = 0
        self.promise = Promise.UNKNOWN
        self.limit = settings.limit or limit_of(0.0, 0.0, self._room(), 0)

    def begin(self) -> None:
        """Before the file is opened, in the thread that writes it."""
        self._thread = threading.get_native_id()
        with contextlib.suppress(OSError), _beside(self._path).open("rb") as file:
            known = rates.unpacked(file.read(_MOST))
            self._seen = _Seen(known, [*self._flow.made], self._clock.now())
        self._set_limit()

    def opened(self, database: Database | None) -> None:
        """The file is open, or the disk fails: check at once what is promised."""
        self._wear.note(self._clock.now(), written_by(self._thread))
        self._judge(database)

    def look(self, database: Database | None, *, last: bool = False) -> None:
        """Measure, set the limit and say what has changed, if it is time.

        Args:
            database: the store, None while the disk fails.
            last: the agent stops.
        """
        now = self._clock.now()
        if now - self._seen.at < EVERY and not last:
            return
        self._measure(now)
        self._wear.note(now, written_by(self._thread))
        self._set_limit()
        self._judge(database)
        if last or now - self._saved >= SAVE_EVERY:
            self._save(now)

    def told(self, now: int) -> dict[str, Any]:
        """For the status; any thread."""
        projected = self._projected(now)
        standing = self._standing(projected)
        date = now + self._clock.wall_offset()
        kinds = zip(RecordClass, projected.stored, strict=True)
        return {
            "promise": sentence(self.promise, standing, date),
            "promise_state": str(self.promise),
            "survive_s": self._survive,
            "limit_bytes": self.limit,
            "need_bytes": standing.need,
            "holds_for_s": standing.kept,
            "full_in_s": standing.full_in,
            "bytes_a_second": {k.name.lower(): round(rate, 1) for k, rate in kinds},
            "disk_free_bytes": standing.room.free if standing.room else None,
            "file_bytes": sum(pages.on_disk(self._path)),
            **self._wear.told(now, written_by(self._thread)),
        }

    def _measure(self, now: int) -> None:
        newest = enumerate([*self._flow.newest])
        weights = {k: footprint.weight(one) for k, one in newest if one is not None}
        measured = self._projected(now).weighed(weights)
        self._seen = _Seen(measured, [*self._flow.made], now)

    def _projected(self, now: int) -> Rates:
        """With what was made since the last look."""
        seen, made = self._seen, [*self._flow.made]
        since = [a - b for a, b in zip(made, seen.made, strict=True)]
        return seen.rates.after(since, (now - seen.at) / NANOSECONDS)

    def _set_limit(self) -> None:
        if self._chosen is None:
            rate = sum(self._seen.rates.stored) if self._seen.rates.enough else 0.0
            self.limit = limit_of(rate, self._survive, self._room(), self.limit)

    def _judge(self, database: Database | None) -> None:
        if database is None:
            return  # "store failing" was told, and what it means
        held = database.held
        # measuring takes a moment that a start has not, and matters to a full store
        full = held.bytes > self.limit // _MUCH
        part = footprint.part_of(held) if full else 1.0
        database.set_limit(int(self.limit / part))
        self._held, self._reusable = round(held.bytes * part), database.reusable()
        self._oldest = database.oldest() or self._clock.now()
        standing = self._standing(self._seen.rates)
        before, self.promise = self.promise, judged(self.promise, standing)
        broken = Promise.BROKEN in {before, self.promise}
        if before is self.promise or not broken:
            return
        said = sentence(self.promise, standing, self._wall())
        log.warning("store promise", state=str(self.promise), said=said)
        name = f"store promise {self.promise}"
        self._tell(EventRecord(self._clock.now(), name, str(self._path), said))

    def _standing(self, now: Rates) -> Standing:
        age = max(self._clock.now() - self._oldest, 0) / NANOSECONDS
        return Standing(
            self._survive,
            sum(now.stored),
            self.limit,
            self._held,
            self._room(),
            age,
            chosen=self._chosen is not None,
            measured=now.enough,
        )

    def _room(self) -> Room | None:
        try:
            found = os.statvfs(self._path.parent)
        except OSError:
            return None
        unit = found.f_frsize
        file = sum(pages.on_disk(self._path))
        return Room(found.f_bavail * unit, found.f_blocks * unit, file, self._reusable)

    def _wall(self) -> int:
        return self._clock.now() + self._clock.wall_offset()

    def _save(self, now: int) -> None:
        """A disk that refuses costs a few hours of measuring, at the next start."""
        self._saved = now
        if self._seen.rates.enough:
            with contextlib.suppress(OSError):
                write_whole(_beside(self._path), rates.packed(self._seen.rates), 0o640)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".rates")
