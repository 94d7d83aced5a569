"""Labels in the running agent: what a bug there costs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.evaluation.opening import Judgements
from edge_agent.labels.opening import Office
from tests.labels.made import ANOMALY, QUALITY, Bench

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.records import EventRecord


def _look() -> None:
    raise KeyError("Huber")


@pytest.mark.parametrize("where", ["turn", "thread"])
def test_a_bug_in_labels_is_told_and_ends_no_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Once for each pipeline, in the status too; later rows are let pass."""
    world = Bench(tmp_path)
    told: list[EventRecord] = []
    nothing: Any = None
    mute: Any = SimpleNamespace(status=lambda _: {})
    judges = Judgements(
        Office(world.desk, (), lambda _: {}), mute, nothing, tell=told.append
    )
    if where == "thread":
        monkeypatch.setattr(world.desk, "look", _look)
        with pytest.raises(KeyError):
            judges.run()
    for _ in range(3):
        judges.turned(nothing, nothing, nothing)

    assert [one.subject for one in told] == [QUALITY, ANOMALY]
    assert {one.name for one in told} == {"labels stopped"}
    assert "scoring and alarms go on" in told[0].message
    assert "Error in " in told[0].message
    assert "Huber" not in told[0].message  # nor any other word of the error's own
    assert world.instruments.counter("monitoring_failures_total", part="labels") == 2
    assert "not joined any more" in judges.status(QUALITY)["labels"]["error"]
