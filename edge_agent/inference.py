"""The turn: drain, build rows, score, judge, hand to the journal.

Ordinary synchronous code in one thread of its own. It owns the windows and the
state of every pipeline; nobody else touches them. A bug here ends the process: the
checkpoint of the last turn is where the next one goes on.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import structlog

from edge_agent import pipeline as turning
from edge_agent.pipeline import PipelineState
from edge_agent.records import EventRecord, LossRecord, NoScore
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.clock import Clock
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.features.rows import RowBuilder
    from edge_agent.features.window import IngestCounts
    from edge_agent.inbox import Inbox
    from edge_agent.instruments import Instruments
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import Record
    from edge_agent.samples import SampleBatch
    from edge_agent.scores import Scores
    from edge_agent.stamps import ClockStep, StampCounts, Stamps

    Submit = Callable[[Sequence[Record], Mapping[str, bytes]], object]
    Observe = Callable[[Pipeline, FeatureRows, Scores], None]

log = structlog.get_logger()

#: Longest sleep between two turns: the watchdog wants to see them end.
IDLE = 1.0


@dataclass(slots=True)
class Line:
    """The pipelines on one asset type, with the windows they share."""

    builder: RowBuilder
    pipelines: Sequence[Pipeline]
    period: int = 0
    """Ns between ticks, 0 for none."""
    settle: int = 0
    """Ns after which an open row closes by itself."""
    states: list[PipelineState] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.states:
            self.states = [
                PipelineState.fresh(len(p.info.assets)) for p in self.pipelines
            ]


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
        record: sees every drained batch; for recording.
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
        record: Callable[[SampleBatch], None] | None = None,
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
        self._errors: dict[str, str] = {}
        self._fed = False
        self._pending: list[Record] = []
        self._wake = threading.Event()
        self._stopping = threading.Event()
        inbox.wake = self._wake.set

    # --- the loop -------------------------------------------------------------

    def run(self) -> None:
        """Turn until `stop`, then once more."""
        while not self._stopping.is_set():
            self._wake.wait(self._patience())
            self._wake.clear()
            self.turn(self._clock.now())
        self.turn(self._clock.now())

    def stop(self) -> None:
        """End `run` after one last turn; any thread."""
        self._stopping.set()
        self._wake.set()

    def _patience(self) -> float:
        """Seconds until something is due by itself: a tick, or an open row."""
        now = self._clock.now()
        waits = [line.period - now % line.period for line in self._lines if line.period]
        waits += [line.settle for line in self._lines if self._fed and line.settle]
        return min([wait / NANOSECONDS for wait in waits] + [IDLE])

    # --- one turn --------------------------------------------------------------

    def turn(self, now: int, batch: SampleBatch | None = None) -> int:
        """Everything that is due at agent time ``now``; returns rows scored.

        Args:
            now: agent time.
            batch: samples in order of arrival; None takes what is in the inbox.
        """
        if batch is None:
            batch = self._inbox.drain()
        records: list[Record] = [*self._take_pending(), *self._losses(now)]
        if self._record is not None and len(batch):
            self._record(batch)
        alive = self._vouched(now)
        self._fed = len(batch) > 0
        settled, found = self._stamps.settle(batch)
        records += self._stamp_events(found)
        scored = 0
        for line in self._lines:
            for position, rows in self._due(line, settled, now, alive):
                records += self._judge(line, position, rows, now)
                scored += len(rows)
        if records:
            self._submit(records, self.checkpoint())
        self.turns += 1
        return scored

    def _vouched(self, now: int) -> NDArray[np.int64]:
        """When each source was last seen alive; a recording vouches for itself."""
        if self._observe is not None:
            return np.full(len(self._inbox.tags.sources), now, np.int64)
        return self._inbox.alive_until()

    def note(self, record: EventRecord) -> None:
        """Send an event with the next turn; any thread."""
        self._pending.append(record)
        self._wake.set()

    def _take_pending(self) -> list[Record]:
        taken, self._pending = self._pending, []
        return taken

    def _due(
        self, line: Line, batch: SampleBatch, now: int, alive: NDArray[np.int64]
    ) -> Iterator[tuple[int, FeatureRows]]:
        """Rows that are due, per pipeline: one run of its model takes them all."""
        if len(self._lines) > 1:
            kind = line.builder.window.kind
            own = (batch.tag >= kind.base) & (batch.tag < kind.base + kind.size)
            batch = batch.take(own)
        turned = line.builder.advance(batch, now, alive)
        self._count_samples(turned.counts)
        for position, rows in enumerate(turned.rows):
            if len(rows):
                yield position, rows

    def _count_samples(self, counts: IngestCounts) -> None:
        for name, count in asdict(counts).items():
            if count:
                self._instruments.count("samples_total", count, result=name)

    def _judge(
        self, line: Line, position: int, rows: FeatureRows, now: int
    ) -> list[Record]:
        pipeline = line.pipelines[position]
        state, records, scores = turning.turn(pipeline, line.states[position], rows)
        line.states[position] = state
        self._count(pipeline, rows, scores)
        if self._observe is not None:
            self._observe(pipeline, rows, scores)
        if scores.error != self._errors.get(pipeline.info.pipeline, ""):
            records.append(self._model_event(pipeline, scores.error, now))
        return records

    def _count(self, pipeline: Pipeline, rows: FeatureRows, scores: Scores) -> None:
        name, none = pipeline.info.pipeline, int((scores.no_score != 0).sum())
        self._instruments.count("rows_scored_total", len(rows) - none, pipeline=name)
        if none:
            reasons = np.bincount(scores.no_score, minlength=len(NoScore))
            for why in NoScore:
                if why and reasons[why]:
                    count = int(reasons[why])
                    word = why.name.lower()
                    self._instruments.count(
                        "rows_without_score_total", count, pipeline=name, reason=word
                    )

    def _model_event(self, pipeline: Pipeline, error: str, now: int) -> EventRecord:
        """A model began to fail, or works again: logged and sent once."""
        name = pipeline.info.pipeline
        self._errors[name] = error
        if error:
            log.error("model fails", pipeline=name, error=error)
            return EventRecord(now, "model fails", name, error)
        log.info("model works again", pipeline=name)
        return EventRecord(now, "model works again", name, "scores are back")

    def _losses(self, now: int) -> list[LossRecord]:
        found = []
        for drop in self._inbox.take_overflows():
            source = self._inbox.tags.sources[drop.source]
            self._instruments.count("inbox_dropped_total", drop.count, source=source)
            log.error("samples dropped unread", source=source, count=drop.count)
            cause = "inbox full: samples came faster than turns could take them"
            found.append(
                LossRecord(
                    now, "samples", source, drop.count, drop.first, drop.last, cause
                )
            )
        return found

    def _stamp_events(self, found: StampCounts) -> list[EventRecord]:
        """Count odd stamps; a source whose clock was off by another amount is news."""
        for cause in ("future", "ancient", "set_aside"):
            if count := getattr(found, cause):
                self._instruments.count("stamps_refused_total", count, cause=cause)
        return [self._step_event(step) for step in found.steps]

    def _step_event(self, step: ClockStep) -> EventRecord:
        source = self._inbox.tags.sources[step.source]
        off, was = -step.new / NANOSECONDS, -step.old / NANOSECONDS
        log.warning("source clock is off", source=source, ahead_s=off, was_s=was)
        said = f"its clock is {off:+.1f} s against the gateway's (was {was:+.1f} s)"
        details = {"ahead_s": off, "was_s": was}
        return EventRecord(step.at, "source clock step", source, said, details)

    # --- what survives ---------------------------------------------------------

    def checkpoint(self) -> dict[str, bytes]:
        """State to go on from after a restart, by name."""
        saved = {}
        for line in self._lines:
            for pipeline, state in zip(line.pipelines, line.states, strict=True):
                name = f"alarms/{pipeline.info.pipeline}"
                saved[name] = _packed(state.alarms.to_arrays(), pipeline.info.assets)
        return saved

    def restore(self, checkpoint: Mapping[str, bytes]) -> None:
        """Go on where a checkpoint was made; what does not fit starts fresh."""
        for line in self._lines:
            for position, pipeline in enumerate(line.pipelines):
                body = checkpoint.get(f"alarms/{pipeline.info.pipeline}")
                if body is not None:
                    line.states[position] = _restored(body, pipeline)


def _packed(arrays: Mapping[str, NDArray[np.int64]], assets: Sequence[str]) -> bytes:
    plain = {name: (a.shape, a.tobytes()) for name, a in arrays.items()}
    return msgspec.msgpack.encode((tuple(assets), plain))


def _restored(body: bytes, pipeline: Pipeline) -> PipelineState:
    try:
        then, plain = msgspec.msgpack.decode(body)
        arrays = {
            name: np.frombuffer(raw, np.int64).reshape(shape)
            for name, (shape, raw) in plain.items()
        }
        return PipelineState.restored(arrays, then, pipeline.info.assets)
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as why:
        log.warning(
            "alarm state not restored", pipeline=pipeline.info.pipeline, why=str(why)
        )
        return PipelineState.fresh(len(pipeline.info.assets))
