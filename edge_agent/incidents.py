"""What a turn has to tell besides scores: logged once, and sent as a record."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from edge_agent.losses import OTHERS
from edge_agent.records import EventRecord
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.clock import Clock
    from edge_agent.inbox import Overflow
    from edge_agent.instruments import Instruments
    from edge_agent.samples import TagTable
    from edge_agent.stamps import ClockStep, StampCounts

log = structlog.get_logger()

ABSENT = (
    "the agent did not run: what changed meanwhile was not seen, but for what a broker"
    " kept for it"
)
INBOX_FULL = "inbox full: samples came faster than turns could take them"


class Told:
    """Events from before there is a turn to send them with, and from then on.

    Args:
        first: what is told already.
    """

    def __init__(self, first: Iterable[EventRecord]) -> None:
        self._kept = list(first)
        self._lock = threading.Lock()
        self._to: Callable[[EventRecord], None] | None = None

    def __call__(self, event: EventRecord) -> None:
        """Tell; any thread."""
        with self._lock:
            if self._to is None:
                self._kept.append(event)
            else:
                self._to(event)

    def pass_on(self, to: Callable[[EventRecord], None]) -> None:
        """From now on events go there, those kept so far first."""
        with self._lock:
            for event in self._kept:
                to(event)
            self._kept, self._to = [], to


class ModelNews:
    """Which models fail: told when that begins, and when it is over."""

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def of(self, name: str, error: str, now: int) -> list[EventRecord]:
        """What is new of a pipeline's model.

        Args:
            name: of the pipeline.
            error: what its call said, empty where it worked.
            now: agent time, ns.
        """
        if bool(error) == (name in self._failing):
            return []
        if error:
            self._failing.add(name)
            return [model_fails(name, error, now)]
        self._failing.discard(name)
        return [model_works(name, now)]


def model_fails(pipeline: str, error: str, now: int) -> EventRecord:
    """A model began to fail."""
    log.error("model fails", pipeline=pipeline, error=error)
    return EventRecord(now, "model fails", pipeline, error)


def model_works(pipeline: str, now: int) -> EventRecord:
    """A model that failed gives scores again."""
    log.info("model works again", pipeline=pipeline)
    return EventRecord(now, "model works again", pipeline, "scores are back")


def model_taken_off(pipeline: str, reason: str, now: int) -> EventRecord:
    """A model failed for good; what scores instead is in every state."""
    log.error("model taken off", pipeline=pipeline, reason=reason)
    return EventRecord(now, "model taken off", pipeline, f"the model {reason}")


def absent(last_seen: int, clock: Clock, instruments: Instruments) -> None:
    """Nobody looked while the agent did not run.

    Args:
        last_seen: when it wrote last, ns by the wall clock; 0 for never before.
        clock: agent time.
        instruments: told.
    """
    now, offset = clock.now(), clock.wall_offset()
    if 0 < last_seen < now + offset:
        instruments.losses.add(
            "samples", "all sources", ABSENT, 0, first=last_seen - offset, last=now
        )


def unread(drops: Iterable[Overflow], tags: TagTable, instruments: Instruments) -> None:
    """Samples the inbox could not hold: counted, logged, told to the ledger."""
    counts: dict[str, int] = {}
    for drop in drops:
        source = tags.sources[drop.source]
        counts[source] = counts.get(source, 0) + drop.count
        name = tags.name(drop.tag) if drop.tag >= 0 else f"{source}: {OTHERS}"
        instruments.losses.add(
            "samples", name, INBOX_FULL, drop.count, first=drop.first, last=drop.last
        )
    for source, count in counts.items():
        instruments.count("inbox_dropped_total", count, source=source)
        log.error("samples dropped unread", source=source, count=count)


def stamps(
    found: StampCounts, sources: Sequence[str], instruments: Instruments
) -> list[EventRecord]:
    """Odd stamps, counted; a source whose clock was off by another amount is news."""
    for cause in ("future", "ancient", "set_aside"):
        if count := getattr(found, cause):
            instruments.count("stamps_refused_total", count, cause=cause)
    return [clock_step(step, sources[step.source]) for step in found.steps]


def clock_step(step: ClockStep, source: str) -> EventRecord:
    """A clock is off by another amount than before: a source's, or one asset's."""
    source = f"{source}/{step.asset}" if step.asset else source
    off, was = -step.new / NANOSECONDS, -step.old / NANOSECONDS
    log.warning("source clock is off", source=source, ahead_s=off, was_s=was)
    said = f"its clock is {off:+.1f} s against the gateway's (was {was:+.1f} s)"
    details = {"ahead_s": off, "was_s": was}
    return EventRecord(step.at, "source clock step", source, said, details)
