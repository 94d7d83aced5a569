"""What the life of models tells SCADA, the centre and the log: changes only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.records import EventRecord

if TYPE_CHECKING:
    from edge_agent.comparison import Comparison
    from edge_agent.registry.lifecycle import Life, Version
    from edge_agent.registry.orders import Order

log = structlog.get_logger()


def activated(pipeline: str, life: Life, compared: Comparison, now: int) -> EventRecord:
    """A version took over."""
    active, former = life.active, life.previous
    assert active is not None  # noqa: S101 - the caller just activated it
    log.info("model activated", pipeline=pipeline, **facts(active))
    before = f" after {former.shown}" if former else ""
    said = f"{active.shown} ({active.digest[:8]}){before}"
    details = facts(active) | (compared.told() if compared.rows else {})
    return EventRecord(now, "model activated", pipeline, said, details)


def missing(pipeline: str, why: str, now: int) -> EventRecord:
    """No version of a pipeline's model can be had."""
    log.error("model missing: pipeline gives no score", pipeline=pipeline, why=why)
    return EventRecord(now, "model missing", pipeline, why)


def watched(pipeline: str, version: Version, now: int) -> EventRecord:
    """A version begins to score beside the active one."""
    log.info("model watched", pipeline=pipeline, **facts(version))
    said = f"{version.shown} scores beside the active version; nobody acts on it"
    return EventRecord(now, "model watched", pipeline, said, facts(version))


def compared(
    pipeline: str, version: Version, found: Comparison, now: int
) -> EventRecord:
    """How a watched version compares, once an hour and at its end."""
    told = found.told()
    said = (
        f"{version.shown}: {told['rows']} rows in {told['hours']} h, differs over "
        f"{found.disagreement:.2%}"
    )
    return EventRecord(now, "models compared", pipeline, said, facts(version) | told)


def refused(pipeline: str, version: Version, reason: str, now: int) -> EventRecord:
    """A version will not score here."""
    log.warning("model refused", pipeline=pipeline, why=reason, **facts(version))
    said = f"{version.shown}: {reason}"
    return EventRecord(now, "model refused", pipeline, said, facts(version))


def returned(
    pipeline: str, version: Version, life: Life, reason: str, now: int
) -> EventRecord:
    """A version was taken off for good; the former one, if any, scores again."""
    former = life.active.shown if life.active else "nothing to return to"
    log.error("model given back", pipeline=pipeline, why=reason, now=former)
    said = f"{version.shown} {reason}; now: {former}"
    return EventRecord(now, "model given back", pipeline, said, facts(version))


def limited(pipeline: str, version: Version, reason: str, now: int) -> EventRecord:
    """Limits judge instead of a version that does not keep its promise."""
    log.error("limits judge", pipeline=pipeline, why=reason)
    said = (
        f"{version.shown} {reason}; limits judge until a version is activated "
        "(edge-agent model activate)"
    )
    return EventRecord(now, "limits judge", pipeline, said, facts(version))


def lost(pipeline: str, version: Version, reason: str, now: int) -> EventRecord:
    """A version's files are damaged or gone; they are fetched again."""
    log.error("model lost", pipeline=pipeline, why=reason, **facts(version))
    said = f"{version.shown}: its files are damaged or gone: {reason}"
    return EventRecord(now, "model lost", pipeline, said, facts(version))


def unfit(pipeline: str, version: Version, reason: str, now: int) -> EventRecord:
    """A version that scored before does not fit the plant as it is configured now."""
    log.error("model unfit", pipeline=pipeline, why=reason, **facts(version))
    said = f"{version.shown}: {reason}"
    return EventRecord(now, "model unfit", pipeline, said, facts(version))


def ordered(order: Order, now: int, *, done: bool, said: str) -> EventRecord:
    """A person asked for another version, and what became of it."""
    name = "order obeyed" if done else "order refused"
    details = {"action": order.action, "version": order.version, "who": order.who}
    return EventRecord(now, name, order.pipeline, said, details)


def facts(version: Version) -> dict[str, Any]:
    """A version as records and the status show it."""
    return {
        "model": version.name,
        "version": version.label or version.version,
        "registry_version": version.version,
        "digest": version.digest,
        "release": version.release,
        "via": version.via,
        "signer": version.signer,
    }
