"""What the running turn finds, tells, keeps and goes on with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.instruments import Instruments
from edge_agent.monitoring.episodes import Episodes
from edge_agent.monitors.watch import Monitors
from edge_agent.records import FindingState
from edge_agent.samples import NANOSECONDS, AssetType, SampleBatch
from tests.agent.watched_hall import START, WatchedHall

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.samples import F64

LEARNED = 900
"""Seconds after which habits are known."""
QUICK = (
    "    model: pump-anomaly",
    "    monitor: { every: 2min, window: 10min }\n    model: pump-anomaly",
)

pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def hall(tmp_path: Path) -> WatchedHall:
    """A hall that has been well long enough to know how it is."""
    made = WatchedHall(tmp_path)
    made.run(LEARNED)
    return made


def freeze(shown: dict[str, F64], second: int, kept: dict[str, float] = {}) -> None:  # noqa: B006 - remembers
    """P-104's flow stands still."""
    if second == 0:
        kept["flow"] = float(shown["flow"][3])
    shown["flow"][3] = kept["flow"]


def test_a_stuck_transmitter_is_told_once_and_closed_once(hall: WatchedHall) -> None:
    """Nothing of the healthy ones; which, why and what to do of the sick one."""
    quiet = hall.findings()
    hall.run(150, freeze)
    hall.run(240)

    opened, closed = hall.findings()
    assert quiet == []
    assert opened.state == FindingState.OPEN
    assert (opened.what, opened.cause) == ("sensor stuck", "sensor fault")
    assert (opened.asset, opened.tag, opened.pipeline) == ("P-104", "flow", "")
    assert "without any change" in opened.sentence
    assert opened.action
    assert opened.at - START < (LEARNED + 120) * NANOSECONDS
    assert (closed.id, closed.state) == (opened.id, FindingState.CLOSED)


def test_what_is_open_is_not_told_again_after_a_restart(hall: WatchedHall) -> None:
    """The record and the state that remembers it are one transaction."""
    hall.run(150, freeze)
    (opened,) = hall.findings()
    going_on = hall.monitors.going_on()
    hall.inference.stop()  # the last turn saves all
    hall.run(1, freeze)
    hall.start()

    assert going_on == {opened.id}
    assert hall.monitors.going_on() == {opened.id}
    hall.run(60, freeze)
    assert hall.findings() == [opened]


def test_every_row_is_in_one_drift_row(tmp_path: Path) -> None:
    """Blocks add up to what was scored, over a restart too."""
    hall = WatchedHall(tmp_path, (QUICK,))
    hall.run(150)
    hall.inference.stop()
    hall.run(1)
    hall.start()
    hall.run(400)

    rows = hall.drift()
    counted = sum(row.rows for row in rows)
    scored = hall.instruments.counter("monitored_rows_total", pipeline="pump-anomaly")
    ends = [(row.since, row.until) for row in rows]
    assert len(rows) >= 3
    assert [a for a, _ in ends[1:]] == [b for _, b in ends[:-1]]
    assert counted == sum(int(row.n[0] + row.missing[0]) for row in rows)
    assert counted == (ends[-1][1] - START) // NANOSECONDS * 24
    assert scored >= counted
    flow = rows[-1].columns.index("flow.mean")
    bins = rows[-1].counts[flow, : rows[-1].bins[flow]]
    assert bins.sum() == rows[-1].n[flow]


def test_a_drift_row_is_saved_with_what_is_left_to_count(tmp_path: Path) -> None:
    """Else a crash between the two would count its rows twice."""
    hall = WatchedHall(tmp_path, (QUICK,))
    hall.run(119)
    nothing = np.zeros(0)
    batch = SampleBatch(
        *(nothing.astype(np.int32), nothing.astype(np.int64), nothing),
        *(nothing.astype(np.uint8), nothing.astype(np.int64)),
    )
    for _ in range(900):
        hall.clock.time += NANOSECONDS // 10
        hall.inference.turn(hall.clock.now(), batch)

    assert hall.drift()
    assert hall.unsaved == []


def test_a_plant_that_runs_elsewhere_is_a_process_change(tmp_path: Path) -> None:
    """All pumps far from where they were trained: drift, and no transmitter blamed."""
    hall = WatchedHall(tmp_path, (QUICK,))

    def colder(shown: dict[str, F64], _: int) -> None:
        shown["bearing_temperature"] -= 25.0
        shown["suction_pressure"] += 1.5

    hall.run(1500, colder)

    found = [one for one in hall.findings() if one.what == "input drift"]
    assert {one.tag.partition(".")[0] for one in found} >= {
        "bearing_temperature",
        "suction_pressure",
    }
    assert {one.cause for one in found} == {"process change"}
    assert all(np.isfinite(one.strength) and one.strength >= 1 for one in found)
    assert {one.model for one in found} == {"pump-anomaly"}


def test_a_bug_in_a_watch_ends_the_watch_and_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told once as an event, counted and in the status; rows are scored as before."""
    hall = WatchedHall(tmp_path, (QUICK,))
    hall.run(60)

    def broken(*_: object, **__: object) -> None:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr("edge_agent.monitors.drift.watched", broken)
    monkeypatch.setattr("edge_agent.monitors.sensors.told", broken)
    hall.run(200)
    turns = hall.inference.turns
    hall.inference.stop()
    hall.run(1)

    assert turns == 260
    events = [one for one in hall.events if one.name == "monitoring stopped"]
    assert [one.subject for one in events] == ["pump", "pump-anomaly"]
    assert "scoring and alarms go on" in events[0].message
    status = hall.monitors.status("pump-anomaly")
    assert status["state"] == "not watched"
    assert "nobody thought of this" in status["error"]
    assert hall.instruments.counter("monitoring_failures_total") == 2
    scored = hall.instruments.counter("rows_scored_total", pipeline="pump-anomaly")
    assert scored > 200 * 24


def test_no_asset_type_is_overlooked_for_others() -> None:
    """With more of them than turns in ten seconds each is looked at in its turn."""
    looked: list[str] = []

    class Looked:
        due, episodes = 0, Episodes()

        def __init__(self, kind: str) -> None:
            self.kind = kind

        def fold(self) -> None:
            """Nothing waits."""

        def look(self, now: int, *_: object) -> list[Any]:
            self.due = now + 10 * NANOSECONDS
            looked.append(self.kind)
            return []

    kinds = [AssetType(f"type {n}", ("A",), (), 0) for n in range(30)]
    lines: list[Any] = [
        SimpleNamespace(
            posts=(), builder=SimpleNamespace(window=SimpleNamespace(kind=kind))
        )
        for kind in kinds
    ]
    sensors: list[Any] = [Looked(kind.name) for kind in kinds]
    monitors = Monitors(lines, {}, sensors, Instruments(), 0)
    for second in range(60):
        monitors.look(second * NANOSECONDS, np.zeros(1, np.int64))

    assert looked == [kind.name for kind in kinds] * 2
