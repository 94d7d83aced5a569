"""Episodes as records: what monitoring found, as it leaves the agent. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from edge_agent.records import FindingRecord, FindingState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.monitoring.episodes import Change, Episode
    from edge_agent.records import PipelineInfo

NOBODY = ("", "")
"""Model and version of a finding that no model matters for."""


def findings(
    changes: Iterable[Change], now: int, subject: str, model: tuple[str, str] = NOBODY
) -> list[FindingRecord]:
    """One record for each episode that begins or ends.

    Args:
        changes: of `Episodes.looked`.
        now: agent time, ns.
        subject: the pipeline; empty for findings of sensors.
        model: its name and version.
    """
    return [
        finding(change.episode, now, subject, model, is_open=change.opens)
        for change in changes
    ]


def finding(
    episode: Episode,
    now: int,
    subject: str,
    model: tuple[str, str] = NOBODY,
    *,
    is_open: bool = True,
) -> FindingRecord:
    """An episode at its beginning, its end, or again after a restart."""
    seen = episode.condition
    return FindingRecord(
        at=now,
        state=FindingState.OPEN if is_open else FindingState.CLOSED,
        id=named(episode, subject),
        since=episode.since,
        what=seen.what.value,
        cause=seen.cause.value,
        pipeline=subject,
        asset=seen.asset,
        tag=seen.tag,
        context=seen.context,
        strength=seen.strength,
        sentence=seen.sentence,
        action=seen.action,
        evidence=dict(seen.evidence),
        model=model[0],
        model_version=model[1],
    )


def named(episode: Episode, subject: str) -> str:
    """Names the episode: the same after a restart, and never another's."""
    text = "\0".join((subject, *episode.condition.key, str(episode.since)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def model_of(info: PipelineInfo) -> tuple[str, str]:
    """Name and version of what scores a pipeline."""
    return info.model, info.model_version
