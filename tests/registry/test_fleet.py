"""Two hundred gateways beside a real registry: a bad version, then a good one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.registry.choosing import CHAMPION
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.rollout import Kind
from edge_agent.registry.standings import Standing
from tests.registry.fleet import SimulatedFleet, perform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.registry.fleet import Story

pytestmark = pytest.mark.timeout(240)

MODEL = "pump"


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[SimulatedFleet, Story]]:
    """A fleet after its story; two hours of it take half a minute."""
    memory = Path("/dev/shm")  # noqa: S108 - gateways sync every file they fetch
    place = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        stick = folder / "registry"
        stick.mkdir()
        fleet = SimulatedFleet(
            200,
            DirectoryRegistry(stick),
            MODEL,
            lambda gateway: DirectoryRegistry(stick, gateway),
            folder,
        )
        yield fleet, perform(fleet, folder)


def test_a_bad_version_is_stopped_at_the_canary(
    played: tuple[SimulatedFleet, Story],
) -> None:
    """Only gateways of the first share ever had it; all are on the old one again."""
    fleet, story = played
    end = story.bad[-1]
    canaries = {one.gateway for one in end.stands.each if one.inside}

    assert end.kind is Kind.HALT
    assert {Kind.WAIT, Kind.HALT} == {seen.kind for seen in story.bad}
    assert 10 <= len(canaries) <= 30
    assert fleet.had("1.1.0")
    assert fleet.had("1.1.0") <= canaries
    assert story.after == {"1.0.0": 200}
    assert "1.1.0" in fleet.desk.listing(MODEL).halted


def test_a_good_version_reaches_everybody(
    played: tuple[SimulatedFleet, Story],
) -> None:
    """Step by step, also those that were away for hours or have no clock."""
    fleet, story = played
    shares = [seen.percent for seen in story.good if seen.kind is Kind.WIDEN]
    counts = story.good[-1].stands.counts

    assert shares == [50, 100]
    assert story.good[-1].kind is Kind.PROMOTE
    assert counts[Standing.CLOCK] > 0
    assert counts[Standing.SILENT] > 0
    assert fleet.running() == {"1.2.0": 200}
    assert fleet.desk.listing(MODEL).aliases == {CHAMPION: "1.2.0"}


def test_a_gateway_asks_little(played: tuple[SimulatedFleet, Story]) -> None:
    """Once a minute and a few times for a version or a report, whatever goes on."""
    fleet, _ = played
    hours = fleet.now / 3600

    for one in fleet.gateways:
        assert one.wire.asked["listing"] <= hours * 60 / 0.9 + 1
        assert one.wire.asked.total() - one.wire.asked["listing"] <= hours * 20
