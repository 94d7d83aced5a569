"""Findings that are open and that nobody watches any more: they are told to be over.

After a start the store knows what is open, and who makes findings knows what it goes on
watching. The rest (a pipeline that is gone, another model, a damaged checkpoint) would
stay open for good.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.records import FindingState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from edge_agent.records import FindingRecord


def closed(
    findings: Iterable[FindingRecord], watched: Collection[str], now: int, why: str
) -> list[FindingRecord]:
    """The ends of those that are watched no more.

    Args:
        findings: that are open as far as the store knows.
        watched: ids of the episodes that go on.
        now: agent time, ns.
        why: nobody watches the others, in words.
    """
    return [
        replace(
            one,
            at=now,
            state=FindingState.CLOSED,
            action="",
            evidence={**one.evidence, "closed_because": why},
        )
        for one in findings
        if one.id not in watched
    ]
