"""Findings that nobody watches any more."""

from __future__ import annotations

from edge_agent.monitoring.orphans import closed
from edge_agent.records import FindingState
from tests.store import made


def test_what_is_watched_no_more_is_closed() -> None:
    """Each once, with the reason; what goes on stays open."""
    known = [made.finding(1, id=name) for name in ("flow", "speed", "gone")]

    ends = closed(known, {"flow"}, 9, "its pipeline is gone")

    assert [(one.id, one.at, one.state) for one in ends] == [
        ("speed", 9, FindingState.CLOSED),
        ("gone", 9, FindingState.CLOSED),
    ]
    assert ends[0].evidence == {
        **known[0].evidence,
        "closed_because": "its pipeline is gone",
    }
    assert (ends[0].since, ends[0].sentence) == (known[1].since, known[1].sentence)
