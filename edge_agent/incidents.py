"""What a turn has to tell besides scores: logged once, and sent as a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge_agent.records import EventRecord, LossRecord
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from edge_agent.inbox import Overflow
    from edge_agent.stamps import ClockStep

log = structlog.get_logger()


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


def unread(drop: Overflow, source: str, now: int) -> LossRecord:
    """Samples the inbox could not hold."""
    log.error("samples dropped unread", source=source, count=drop.count)
    cause = "inbox full: samples came faster than turns could take them"
    return LossRecord(now, "samples", source, drop.count, drop.first, drop.last, cause)


def clock_step(step: ClockStep, source: str) -> EventRecord:
    """A clock is off by another amount than before: a source's, or one asset's."""
    source = f"{source}/{step.asset}" if step.asset else source
    off, was = -step.new / NANOSECONDS, -step.old / NANOSECONDS
    log.warning("source clock is off", source=source, ahead_s=off, was_s=was)
    said = f"its clock is {off:+.1f} s against the gateway's (was {was:+.1f} s)"
    details = {"ahead_s": off, "was_s": was}
    return EventRecord(step.at, "source clock step", source, said, details)
