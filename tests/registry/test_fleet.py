"""A fleet beside a real registry: a bad version is stopped, a good one arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from edge_agent.registry import inquiry
from edge_agent.registry.choosing import CHAMPION
from edge_agent.registry.rollout import Kind
from edge_agent.registry.rules import Limit, Rules
from edge_agent.registry.standings import Standing
from edge_agent.samples import NANOSECONDS
from tests.registry.fleet import folder_fleet, mlflow_fleet, perform
from tests.registry.gateways import POLL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.registry.fleet import SimulatedFleet, Story

    Played = tuple[SimulatedFleet, Story]

#: Half an hour of two hundred gateways takes ten seconds, and a server needs to start.
pytestmark = pytest.mark.timeout(600)

#: Minutes instead of hours: a report every two, a watch of five.
REPORT, WATCH = 120 * NANOSECONDS, 300.0
RULES = Rules(watch=WATCH, enough=0.8, failed=Limit(2, 0.1), quiet=900.0)


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """Gateways report often, so that a watch may be short; what they log is kept."""
    with pytest.MonkeyPatch.context() as patch, capture_logs():
        patch.setattr(inquiry, "REPORT_EVERY", REPORT)
        yield


@pytest.fixture(scope="module", params=["folder", "mlflow"])
def played(request: pytest.FixtureRequest, hurried: None) -> Iterator[Played]:
    """Two hundred gateways beside a folder, forty beside MLflow, after their story."""
    del hurried
    if request.param == "folder":
        with folder_fleet(200, 1.0) as fleet:
            yield fleet, perform(fleet, RULES, 600.0)
    else:
        server = request.getfixturevalue("mlflow_open")
        with mlflow_fleet(40, 0.25, server) as fleet:
            yield fleet, perform(fleet, RULES, 300.0)


def test_a_bad_version_is_stopped_at_the_canary(played: Played) -> None:
    """Only gateways of the first share ever had it; all are on the old one again."""
    fleet, story = played
    end, had = story.bad[-1], fleet.had("1.1.0")
    canaries = {one.gateway for one in end.stands.each if one.inside}

    assert end.kind is Kind.HALT
    assert {Kind.WAIT, Kind.HALT} == {seen.kind for seen in story.bad}
    assert 0 < len(canaries) <= 0.2 * len(fleet.gateways)
    assert had
    assert set(had) <= canaries
    assert story.after == {"1.0.0": len(fleet.gateways)}
    assert fleet.ids["1.1.0"] in fleet.desk.listing(fleet.model).halted


def test_nobody_begins_with_a_version_that_was_halted(played: Played) -> None:
    """Not even a gateway that was watching it: its next look ends it there."""
    fleet, story = played

    assert max(fleet.had("1.1.0").values()) <= story.halted + 1.1 * POLL


def test_a_good_version_reaches_everybody(played: Played) -> None:
    """Step by step; also those that were away, and those whose clock says 1970."""
    fleet, story = played
    shares = [seen.percent for seen in story.good if seen.kind is Kind.WIDEN]
    counts = story.good[-1].stands.counts
    apart = [one for one in fleet.gateways if one.nature.dead]

    assert shares == [50, 100]
    assert story.good[-1].kind is Kind.PROMOTE
    assert counts[Standing.CLOCK] == len(apart) > 0
    assert fleet.scores() == {"1.2.0": len(fleet.gateways)}
    listing = fleet.desk.listing(fleet.model)
    assert listing.aliases == {CHAMPION: fleet.ids["1.2.0"]}


def test_a_gateway_asks_little(played: Played) -> None:
    """It looks once a minute, and sends a report when something changes or is due."""
    fleet, _ = played
    polls = fleet.now / POLL / 0.9 + 1

    for one in fleet.gateways:
        assert one.wire.asked["listing"] <= polls
        assert one.wire.asked["fetch"] <= 3
        assert one.wire.asked["report"] <= fleet.now * NANOSECONDS / REPORT + 20
