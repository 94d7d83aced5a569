"""Short versions of the campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.store import disk
from tests import peers
from tests.campaigns import (
    damages,
    forgetful,
    kills,
    outage,
    powercuts,
    troubles,
)
from tests.campaigns.telling import Progress

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.crash


@pytest.fixture(autouse=True)
def _same_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns make the store try again soon; nobody else shall."""
    monkeypatch.setattr(disk, "RETRY", disk.RETRY)


@pytest.mark.timeout(120)
def test_power_cuts_lose_nothing_committed(tmp_path: Path) -> None:
    """Un-synced writes lost or torn, on a sound and on a failing disk: all is there."""
    forgetful.require()
    found = powercuts.run(20, 1, tmp_path / "kept")

    assert found.broken == []


@pytest.mark.timeout(120)
def test_damaged_stores_are_started_on_and_reported(tmp_path: Path) -> None:
    """Two of each harm: ready, told where it shows, and nothing wrong is passed on."""
    found = damages.run(2 * len(damages.HARMS), 1, tmp_path / "kept")

    assert found.broken == []


@pytest.mark.timeout(120)
def test_a_troubled_disk_stops_nothing_and_every_loss_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full, read-only, failing syncs: submitted == delivered + owed + counted lost."""
    forgetful.require()
    monkeypatch.setattr(troubles, "_TURNS", 600)
    found = troubles.run(len(troubles.TROUBLES), 1, tmp_path / "kept")

    assert found.broken == []


@pytest.mark.timeout(120)
def test_an_outage_is_kept_within_its_bound_and_drained(tmp_path: Path) -> None:
    """An hour without a broker: every row is kept or counted, memory stays flat."""
    peers.require("mosquitto")
    found = outage.run(36_000, 1, tmp_path / "kept")

    assert found.broken == []


@pytest.mark.timeout(240)
def test_kills_of_the_whole_agent_lose_nothing_committed() -> None:
    """Three kills under load with a slow broker: nothing lost, nothing out of order."""
    plant = kills.live(3, 1, Progress("kills", 3))

    assert (plant.lost, plant.lost_quick) == (0, 0)
    assert (plant.disordered, plant.different, plant.damaged) == (0, 0, 0)
