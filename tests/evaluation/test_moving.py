"""A threshold that was moved: for whom it counts, and what of a pipeline changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.evaluation.opening import _alarmed
from edge_agent.labels import harvest
from edge_agent.records import AlarmRecord, AlarmState
from tests.labels import made

if TYPE_CHECKING:
    from pathlib import Path


class Done:
    """A turn with these records."""

    def __init__(self, records: list[Any]) -> None:
        self.records = records


class Before:
    """The state before it: one of two alarms was active."""

    class alarms:  # noqa: N801 - as the attribute is called
        """Of two assets."""

        active = np.array([True, False])


def moved(asset: int, at: int, state: AlarmState) -> AlarmRecord:
    """A transition."""
    info = made.pipeline().info
    return AlarmRecord(info, asset, at, state, "x", at, 1.0, 0.5, 400, "")


def test_each_row_has_the_alarm_behind_it() -> None:
    """Several rows of an asset in one turn: before and behind its transitions."""
    rows = made.rows([1, 1, 2, 2, 3, 3], asset=[0, 1, 0, 1, 0, 1])
    records = [moved(0, 2, AlarmState.NORMAL), moved(1, 3, AlarmState.ACTIVE)]
    found = _alarmed(Done(records), Before(), rows)  # type: ignore[arg-type]
    assert found.tolist() == [True, False, False, False, False, True]


def test_predictions_that_could_have_a_label_are_counted(tmp_path: Path) -> None:
    """Labelled ones, and those older than labels come late; without and with alarm."""
    one = made.Bench(tmp_path)
    one.score(["a", "b", "c"], [0.1, 0.9, 0.9])
    one.wait(2 * made.HOUR)
    one.tell(made.label("bad", part="b"))
    one.score(["d", "e"], [0.9, 0.1])
    one.wait(made.MINUTE)
    one.tell(made.label("good", part="e"))
    found = harvest.joined(one.desk.books[made.QUALITY], one.clock.time)
    # of the newer two only the labelled one: the other's label may be on its way
    assert found.made.tolist() == [[1, 0, 2, 2]]
    assert found.verdict.tolist() == [True, False]
    assert found.silent is not None
    assert found.silent.alarm.tolist() == [False, True, True]
