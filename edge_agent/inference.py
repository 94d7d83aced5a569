"""The turn: drain, build rows, score, judge, hand to the journal.

Ordinary synchronous code in one thread of its own. It owns the windows and the
state of every pipeline; nobody else touches them. A bug here ends the process: the
checkpoint of the last turn is where the next one goes on. Only monitoring and labels
look after themselves (`monitors.stopped`, `evaluation.opening`): no score is worth less
for want of them.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import structlog

from edge_agent import incidents, tallies
from edge_agent.lines import restore, saved
from edge_agent.pipeline import MODELS
from edge_agent.records import RecordClass
from edge_agent.samples import NANOSECONDS, Quality
from edge_agent.seats import Seats, TakenOff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.clock import Clock
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.inbox import Inbox
    from edge_agent.instruments import Instruments
    from edge_agent.lines import Line
    from edge_agent.monitors.watch import Monitors
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import Record
    from edge_agent.samples import SampleBatch
    from edge_agent.scores import Scores
    from edge_agent.stamps import Stamps

    Submit = Callable[[Sequence[Record], Mapping[str, bytes]], object]
    Keep = Callable[[SampleBatch, NDArray[np.int64], int], None]
    Observe = Callable[[Pipeline, FeatureRows, Scores], None]

log = structlog.get_logger()
#: Longest sleep between two turns: the watchdog wants to see them end.
IDLE = 1.0
#: A turn costs half a millisecond however few rows it has: behind one of so many rows
#: the next begins this many ns after it, so that what comes meanwhile shares it.
BUSY, PACE = 16, 5_000_000
#: Ns of state that a crash may lose while nothing but scores is sent.
SAVE_EVERY = NANOSECONDS // 4


class Inference:
    """The loop's state and its one step, `turn`.

    Args:
        lines: one an asset type.
        inbox: where samples come from.
        stamps: settles source times.
        submit: takes a turn's records and checkpoint; must not block.
        clock: agent time.
        instruments: counters.
        observe: sees every row with its scores; for replay.
        record: sees every batch and sign of life; for recording.
        monitors: are handed samples and scored rows, and judge them behind the
            records; None for none.
        vouch: take every source as alive; for recordings that do not say.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        inbox: Inbox,
        stamps: Stamps,
        submit: Submit,
        clock: Clock,
        instruments: Instruments,
        *,
        observe: Observe | None = None,
        record: Keep | None = None,
        monitors: Monitors | None = None,
        vouch: bool = False,
    ) -> None:
        self.turns = 0
        self._lines = lines
        self._inbox = inbox
        self._stamps = stamps
        self._submit = submit
        self._clock = clock
        self._instruments = instruments
        self._observe = observe
        self._record = record
        self.monitors = monitors
        self._vouch = vouch
        self._news = incidents.ModelNews()
        self.seats = Seats(lines, self.awake)
        self._fed = -(2**62)
        self._moment = -(2**62)
        self._saved = 0
        self._pending: deque[Record] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        inbox.wake = self._wake.set

    # --- the loop -------------------------------------------------------------

    def run(self) -> None:
        """Turn until `stop`, then once more."""
        while not self._stopping.is_set():
            self._wake.wait(self._patience())
            self._wake.clear()
            began = self._clock.now()
            if self.turn(began) >= BUSY:
                rest = (began + PACE - self._clock.now()) / NANOSECONDS
                self._stopping.wait(max(rest, 0.0))
        self.turn(self._clock.now())

    def awake(self) -> None:
        """Turn soon; any thread."""
        self._wake.set()

    def stop(self) -> None:
        """End `run` after one last turn; any thread."""
        self._stopping.set()
        self._wake.set()

    def _patience(self) -> float:
        """Seconds until something is due by itself: a tick, or an open row."""
        now = self._clock.now()
        waits = [line.period - now % line.period for line in self._lines if line.period]
        waits += [
            line.settle
            for line in self._lines
            if line.settle and now - self._fed <= 2 * line.settle
        ]
        return min([wait / NANOSECONDS for wait in waits] + [IDLE])

    # --- one turn --------------------------------------------------------------

    def turn(self, now: int, batch: SampleBatch | None = None) -> int:
        """Everything that is due at agent time ``now``; returns rows scored.

        Args:
            now: agent time.
            batch: samples in order of arrival; None takes what is in the inbox.
        """
        # before the samples: what a source vouches for has then been pushed already
        alive = self._vouched(now)
        batch = self._in_order(self._inbox.drain() if batch is None else batch, now)
        self.seats.fill()
        names, count = self._inbox.tags.sources, self._instruments
        incidents.unread(self._inbox.take_overflows(), self._inbox.tags, count)
        records = self._take_pending()
        if self._record is not None:
            self._keep(batch, alive, now)
        if len(batch):
            self._fed = now
        settled, found = self._stamps.settle(batch)
        records += incidents.stamps(found, names, count)
        scored = 0
        for line in self._lines:
            for position, rows, watched in self._due(line, settled, now, alive):
                records += self._judge(line, position, rows, watched, now)
                scored += len(rows)
        if records:
            self._submit(records, self._checkpoint(records, now))
        self.seats.watch(self._clock)
        if self.monitors is not None:
            self._pending.extend(self.monitors.look(now, alive))
        self.turns += 1
        return scored

    def _checkpoint(self, records: Sequence[Record], now: int) -> Mapping[str, bytes]:
        """State to save with these records; empty when they need none of their own.

        An alarm and the state that remembers it are one transaction, and so are a
        drift row and what is left to count: else a crash counts it twice. Scores alone
        are saved with a state at most `SAVE_EVERY` older: encoding it each of some
        hundred turns a second would cost more than scoring.
        """
        urgent = any(record.kind < RecordClass.SCORE for record in records)
        if (
            not urgent
            and now - self._saved < SAVE_EVERY
            and not self._stopping.is_set()
        ):
            return {}
        self._saved = now
        kept = saved(self._lines, self._stamps)
        if self.monitors is not None:
            kept |= self.monitors.saved(now, last=self._stopping.is_set())
        return kept

    def restore(self, checkpoint: Mapping[str, bytes]) -> None:
        """Go on where a checkpoint was made."""
        now = self._clock.now()
        restore(self._lines, checkpoint, now, self._stamps)
        if self.monitors is not None:
            self.monitors.restore(checkpoint, now)

    def _vouched(self, now: int) -> NDArray[np.int64]:
        """When each source was last seen alive."""
        if self._vouch:
            return np.full(len(self._inbox.tags.sources), now, np.int64)
        return self._inbox.alive_until()

    def _in_order(self, batch: SampleBatch, now: int) -> SampleBatch:
        """Arrivals never go back: not within a batch, nor behind the turn before.

        A sample read before a tick and pushed after its turn has missed that tick;
        the recording must say so too, or a replay would count it.
        """
        earliest = self._moment + 1
        self._moment = max(self._moment, now)
        if not len(batch):
            return batch
        received = np.maximum.accumulate(np.maximum(batch.received, earliest))
        self._moment = max(self._moment, int(received[-1]))
        if (received == batch.received).all():
            return batch
        marks = (batch.quality == Quality.BAD) & (batch.time == batch.received)
        time = np.where(marks, received, batch.time)
        return replace(batch, time=time, received=received)

    def _keep(self, batch: SampleBatch, alive: NDArray[np.int64], now: int) -> None:
        """Record; a disk that takes no more ends the recording, not the scoring."""
        assert self._record is not None  # noqa: S101 - the caller asked
        try:
            self._record(batch, alive, now)
        except OSError as why:
            self._record = None
            log.warning("recording ended", why=str(why))

    def note(self, record: Record) -> None:
        """Send a record with the next turn; any thread."""
        self._pending.append(record)
        self._wake.set()

    def _take_pending(self) -> list[Record]:
        taken = []
        while self._pending:  # another thread may add meanwhile
            taken.append(self._pending.popleft())
        return taken

    def _due(
        self, line: Line, batch: SampleBatch, now: int, alive: NDArray[np.int64]
    ) -> Iterator[tuple[int, FeatureRows, FeatureRows | None]]:
        """Rows that are due, per pipeline: one run of its model takes them all.

        Third comes what a watching model with other features sees of them.
        """
        if len(self._lines) > 1:
            kind = line.builder.window.kind
            own = (batch.tag >= kind.base) & (batch.tag < kind.base + kind.size)
            batch = batch.take(own)
        if self.monitors is not None:
            self.monitors.samples(line.builder.window.kind.name, batch)
        turned = line.builder.advance(batch, now, alive)
        line.making = turned.making
        tallies.samples(self._instruments, turned.counts, line.builder.window.kind.name)
        for counter, name, count in line.unmade():
            tallies.unmade(self._instruments, counter, name, count)
        for position, rows in enumerate(turned.rows):
            if len(rows):
                yield position, rows, turned.beside.get(position)

    def _judge(
        self,
        line: Line,
        position: int,
        rows: FeatureRows,
        watched: FeatureRows | None,
        now: int,
    ) -> list[Record]:
        post = line.posts[position]
        name, key = post.pipeline.info.pipeline, post.key
        before = line.states[position]
        done = post.turn(before, rows, watched, self._clock)
        line.states[position] = done.state
        done.records.extend(line.evidence(position, done, now))
        tallies.explanations(self._instruments, name, before.spent, done.state.spent)
        tallies.rows(self._instruments, done.pipeline, rows, done.scores)
        if self._observe is not None:
            self._observe(done.pipeline, rows, done.scores)
        if self.monitors is not None:
            self.monitors.rows(done.pipeline, rows, done.scores, now)
        if done.off:
            self.seats.off.append(TakenOff(name, key, done.off))
            done.records.append(incidents.model_taken_off(name, done.off, now))
        # rows that could not be run, or that no model ran, say nothing about the model
        elif rows.valid.any() and (done.error or done.pipeline.fallback in MODELS):
            done.records.extend(self._news.of(name, done.error, now))
        return done.records
