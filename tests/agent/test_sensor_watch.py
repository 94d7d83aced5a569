"""The tags of an asset type, watched over time: what is told, and when it is over."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.instruments import Instruments
from edge_agent.monitoring.sensors.facts import Facts
from edge_agent.monitoring.sensors.units import factor
from edge_agent.monitors.sensors import SensorWatch
from edge_agent.samples import NANOSECONDS, AssetType, SampleBatch, Tag

START = 1_790_000_000
KIND = AssetType("pump", ("A", "B"), (Tag("flow"), Tag("warmth"), Tag("wanted")), 0)


class Plant:
    """Tags that send noise each so many seconds, and their watch.

    Args:
        every: seconds between two samples of a tag.
        held: whether only changes are sent, as over OPC UA.
    """

    def __init__(self, every: int = 1, *, held: bool = False) -> None:
        facts = Facts(KIND, np.full(KIND.size, held), np.zeros(KIND.size, np.int16))
        self.watch = SensorWatch(facts, Instruments(), 0)
        self.second, self.every = START, every
        self.random = np.random.default_rng(4)
        self.stuck: int | None = None
        self.silent = False
        self.asked = 40.0
        self.coarse = 0.0
        self.held, self.shown = held, np.full(KIND.size, np.nan)

    def run(self, seconds: int) -> list[tuple[str, str, str]]:
        """Let time pass; findings as state, tag and what."""
        found = []
        for _ in range(seconds):
            self.second += 1
            now = self.second * NANOSECONDS
            tag = np.arange(KIND.size, dtype=np.int32)
            if not self.silent and self.second % self.every == 0:
                value = 50.0 + self.random.normal(size=len(tag)).round(2)
                if self.stuck is not None:
                    value[self.stuck] = 50.0
                calm = 20.0 + self.coarse + 0.02 * self.random.normal(size=2)
                value[2:4] = calm.round(1)
                value[4:] = self.asked
                late = self.random.integers(0, self.every * NANOSECONDS // 3, len(tag))
                at = now - late
                nought = np.zeros(len(tag), np.uint8)
                sent = np.array(not self.held) | (value != self.shown)
                self.shown = value
                self.watch.take(SampleBatch(tag, at, value, nought, at).take(sent))
            if now >= self.watch.due:
                alive = np.array([now])
                found += [
                    (one.state.name, one.tag, one.what)
                    for one in self.watch.look(now, alive, None)
                ]
        return found


def test_a_link_that_is_down_ends_no_finding_of_its_tags() -> None:
    """While nothing comes nothing is judged: it is told once and closed once."""
    plant = Plant()
    assert plant.run(900) == []
    plant.stuck = 0
    assert plant.run(120) == [("OPEN", "flow", "sensor stuck")]
    plant.silent = True
    assert plant.run(300) == []
    plant.silent = False
    assert plant.run(120) == []
    plant.stuck = None
    assert plant.run(120) == [("CLOSED", "flow", "sensor stuck")]


def test_a_tag_that_comes_seldom_misses_nothing() -> None:
    """One sample in half a minute, and never quite in time."""
    plant = Plant(every=30)
    assert plant.run(3 * 3600) == []


@pytest.mark.parametrize("held", [False, True])
def test_a_set_point_that_is_changed_is_no_fault(*, held: bool) -> None:
    """It has no noise: it is set, and nothing else moves with it at once."""
    plant = Plant(held=held)
    assert plant.run(5400) == []
    for asked in (45.0, 38.5, 60.0):
        plant.asked = asked
        assert plant.run(900) == []


def test_a_calm_value_in_coarse_steps_is_not_noisy_now_and_then() -> None:
    """It flickers between two tenths for a while and then stands."""
    plant = Plant()
    plant.run(600)
    found = []
    for minute in range(120):
        plant.random = np.random.default_rng(minute)
        plant.coarse = 0.02 * minute
        found += plant.run(60)
    assert found == []


def test_a_value_that_goes_to_nothing_is_in_no_other_unit() -> None:
    """A thousandth is told by what it is, not by being little."""
    assert factor("A", 11.89, 0.0, 0.3, np.nan) is None
    found = factor("A", 118.9, 0.1189, 0.3, np.nan)
    assert found is not None
    assert found[0].name == "divided by 1000"
