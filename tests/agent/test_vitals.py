"""How pipelines stand is told at every change, and from time to time."""

from __future__ import annotations

from typing import Any

from edge_agent.clock import ManualClock
from edge_agent.records import SnapshotRecord
from edge_agent.vitals import EVERY, Vitals

S = 1_000_000_000


def row(name: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """A pipeline as it stands."""
    return {
        "pipeline": name,
        "model_version": "1",
        "model_digest": "ab",
        "state": "scoring",
        "because": "",
        "rows_scored": 1,
        **changed,
    }


def test_changes_are_told_at_once_and_the_rest_from_time_to_time() -> None:
    """Counters alone are no change."""
    clock, told = ManualClock(10**18), list[SnapshotRecord]()
    now = [row("a"), row("b")]
    vitals = Vitals(lambda: now, told.append, clock)

    vitals.look()
    now[0] = row("a", rows_scored=2)
    vitals.look()
    assert [one.pipeline for one in told] == ["a", "b"]

    clock.time += 10 * S
    now[1] = row("b", state="limits", because="no model", model_digest="")
    vitals.look()
    assert [one.pipeline for one in told[2:]] == ["b"]
    assert told[2].body["because"] == "no model"

    clock.time += int(EVERY - 10) * S
    vitals.look()
    assert [one.pipeline for one in told[3:]] == ["a"]
