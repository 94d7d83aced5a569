"""What happened that a person should know: findings, and kept events. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.dates import date_of
from edge_agent.records import FindingState
from edge_agent.report.document import Happened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.report.bodies import Event
    from edge_agent.store.findings import Finding
    from edge_agent.store.snapshots import Snapshot

#: Kept in a report, the newest.
MOST = 2_000


def incidents(
    findings: Iterable[Finding], events: Sequence[tuple[Snapshot, Event]]
) -> tuple[tuple[Happened, ...], int]:
    """Newest first, and how many more there were.

    Args:
        findings: transitions.
        events: with when they were kept.
    """
    timed = [(one.at + one.wall_offset, _found(one)) for one in findings]
    timed += [(row.at + row.wall_offset, _event(row, body)) for row, body in events]
    timed.sort(key=lambda pair: pair[0], reverse=True)
    found = tuple(one for _, one in timed[:MOST])
    return found, max(len(timed) - MOST, 0)


def _found(one: Finding) -> Happened:
    over = one.state == FindingState.CLOSED
    where = (one.pipeline, one.asset, one.tag, one.context)
    said = one.sentence
    if over:
        since = date_of(one.since + one.wall_offset)
        said = _together(f"It had begun on {since[:16].replace('T', ' ')}", said)
    else:
        said = _together(said, one.action)
    cause = f" ({one.cause})" if one.cause else ""
    return Happened(
        date_of(one.at + one.wall_offset),
        f"{one.what}{cause}: {'over' if over else 'found'}",
        ", ".join(word for word in where if word),
        said,
    )


def _together(*sentences: str) -> str:
    """Sentences one behind the other, whether they end with a stop or not."""
    said = (one.strip() for one in sentences)
    return " ".join(one if one[-1] in ".!?" else f"{one}." for one in said if one)


def _event(row: Snapshot, body: Event) -> Happened:
    when = date_of(row.at + row.wall_offset)
    return Happened(when, body.what, body.subject or row.pipeline, body.message)
