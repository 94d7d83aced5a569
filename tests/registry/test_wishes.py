"""Wishes that change while a version is on its way, and whose word counts when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.comparison import Comparison
from edge_agent.config.pipelines import Promotion
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.floor import Gone
from tests.registry.adopting import SECOND, Plant
from tests.registry.test_adoption import MODEL, order, push, upgraded

if TYPE_CHECKING:
    from pathlib import Path

WATCHED = Promotion(after=3600.0, rows=100, probation=600.0)
#: Watched for long enough, and in agreement.
ENOUGH = Comparison(rows=500, watched=3600 * SECOND, xx=1.0, yy=1.0)


@pytest.fixture
def desk(tmp_path: Path) -> DirectoryRegistry:
    """A folder of models with one version, which is the champion."""
    (tmp_path / "stick").mkdir()
    desk = DirectoryRegistry(tmp_path / "stick", "gw-07")
    push(desk, tmp_path, "1.0.0")
    desk.point(MODEL, "champion", "1.0.0")
    return desk


def unavailable(*_: object) -> None:
    """A link that is down."""
    raise RegistryUnavailable("no route to host")


def watching(desk: DirectoryRegistry, folder: Path, **how: object) -> Plant:
    """A plant that runs 1.0.0 and watches 1.1.0, the champion."""
    plant = Plant(folder / "state", desk, MODEL, **({"promotion": WATCHED} | how))  # type: ignore[arg-type]
    plant.pass_time()
    push(desk, folder, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    assert plant.stages() == {"1.0.0": "active", "1.1.0": "shadow"}
    return plant


def test_a_wish_that_is_taken_back_never_takes_over(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The champion is the active version again: the one being watched ends."""
    plant = watching(desk, tmp_path)
    desk.point(MODEL, "champion", "1.0.0")
    plant.pass_time()
    plant.floor.compared = ENOUGH
    plant.pass_time()

    assert plant.stages() == {"1.0.0": "active", "1.1.0": "retired"}
    assert plant.told().count("model activated") == 1


def test_a_wish_for_a_refused_version_ends_the_one_before(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Neither takes over: the one is not wanted any more, the other must not."""
    plant = Plant(tmp_path / "state", desk, MODEL, promotion=WATCHED)
    plant.pass_time()
    plant.room.refuses = {"1.2.0": "asked for 40 GB of memory"}
    for version in ("1.2.0", "1.1.0"):
        push(desk, tmp_path, version)
        desk.point(MODEL, "champion", version)
        plant.pass_time()
    assert plant.stages()["1.1.0"] == "shadow"
    desk.point(MODEL, "champion", "1.2.0")
    plant.pass_time()
    plant.floor.compared = ENOUGH
    plant.pass_time()

    assert plant.stages() == {"1.0.0": "active", "1.1.0": "retired", "1.2.0": "refused"}


def test_what_is_watched_takes_over_when_nothing_else_can_score(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The only other version failed: there is nothing to be held against."""
    plant = watching(desk, tmp_path)
    active = plant.life.active
    assert active is not None
    plant.floor.failing = [Gone("pumps", active.key, "failed")]
    plant.pass_time(1.0)

    assert plant.stages() == {"1.0.0": "refused", "1.1.0": "active"}
    assert plant.crew.rung.name == "MODEL"


@pytest.mark.parametrize("arrives", ["before", "after"])
def test_an_expired_version_is_followed_without_a_watch(
    desk: DirectoryRegistry, tmp_path: Path, arrives: str
) -> None:
    """Limits give nothing to compare with: the next version scores at once."""
    if arrives == "before":
        plant = watching(desk, tmp_path)
        plant.floor.expired = {"1.0.0"}
        plant.pass_time(1.0)
    else:
        plant = Plant(tmp_path / "state", desk, MODEL, promotion=WATCHED)
        plant.pass_time()
        plant.floor.expired = {"1.0.0"}
        plant.pass_time(1.0)
        assert plant.crew.rung.name == "LIMITS"
        push(desk, tmp_path, "1.1.0")
        desk.point(MODEL, "champion", "1.1.0")
        plant.pass_time()

    assert plant.active == "1.1.0"
    assert plant.crew.rung.name == "MODEL"


def test_a_version_that_expired_does_not_take_over(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Neither at once nor after its watch: what scores is better than its limits."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.floor.expired = {"1.1.0"}
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    assert (plant.active, plant.crew.rung.name) == ("1.0.0", "MODEL")
    assert "1.1.0 expired" in plant.adoption.manning.waits["pumps"]

    plant.floor.expired = set()  # the gateway's clock was wrong
    plant.pass_time()
    assert plant.active == "1.1.0"


def test_a_watched_version_that_expires_does_not_take_over(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """It would be barred in the moment it became active."""
    plant = watching(desk, tmp_path)
    plant.floor.expired = {"1.1.0"}
    plant.floor.compared = ENOUGH
    plant.pass_time()

    assert (plant.active, plant.crew.rung.name) == ("1.0.0", "MODEL")
    assert "1.1.0 expired" in plant.adoption.manning.waits["pumps"]


def test_what_a_person_chose_is_not_overtaken_by_what_was_on_its_way(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Rolled back while the next one was watched: it waits until told to follow."""
    upgraded(desk, tmp_path)
    plant = Plant(tmp_path / "state", desk, MODEL, promotion=WATCHED)
    plant.pass_time()
    push(desk, tmp_path, "1.2.0")
    desk.point(MODEL, "champion", "1.2.0")
    plant.pass_time()
    assert plant.stages()["1.2.0"] == "shadow"
    assert order(plant, "rollback") == "pump 1.0.0 scores pumps again"
    plant.floor.compared = ENOUGH
    plant.pass_time()
    assert plant.active == "1.0.0"
    assert "follow" in plant.adoption.manning.waits["pumps"]

    order(plant, "follow")
    plant.pass_time()
    assert plant.active == "1.2.0"


def test_paused_holds_back_what_is_on_its_way(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The centre saw something: a version that is being watched stays where it is."""
    plant = watching(desk, tmp_path)
    desk.set_tag(MODEL, "edge.paused", "true")
    plant.pass_time()
    plant.floor.compared = ENOUGH
    plant.pass_time()
    assert plant.active == "1.0.0"
    assert "paused" in plant.adoption.manning.waits["pumps"]

    desk.set_tag(MODEL, "edge.paused", None)
    plant.pass_time()
    plant.pass_time()
    assert plant.active == "1.1.0"


def test_an_order_hurries_a_version_that_is_on_its_way(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it scores as soon as it is proven, and then it does."""
    plant = Plant(tmp_path / "state", desk, MODEL, promotion=WATCHED)
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    with monkeypatch.context() as patched:
        patched.setattr(desk, "fetch", unavailable)
        plant.pass_time()
    assert order(plant, "activate", "1.1.0").startswith("pump 1.1.0 is fetched")

    assert plant.active == "1.1.0"
    assert plant.life.held


def test_an_order_is_not_lost_to_the_registrys_next_wish(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version a person asked for is on its way: another champion waits."""
    plant = upgraded(desk, tmp_path)
    push(desk, tmp_path, "1.2.0")
    desk.point(MODEL, "champion", "1.2.0")
    plant.pass_time()  # 1.0.0 is retired now
    with monkeypatch.context() as patched:
        patched.setattr(desk, "fetch", unavailable)
        order(plant, "activate", "1.0.0")
        push(desk, tmp_path, "1.3.0")
        desk.point(MODEL, "champion", "1.3.0")
        plant.pass_time()
    plant.pass_time()
    plant.pass_time()

    assert plant.active == "1.0.0"


def test_a_challenger_takes_no_probation_away(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The former version sits beside the new one first; the challenger waits."""
    plant = upgraded(desk, tmp_path)
    push(desk, tmp_path, "2.0.0")
    desk.point(MODEL, "challenger", "2.0.0")
    plant.pass_time()
    assert plant.watching() == "1.0.0"
    assert plant.crew.control

    plant.floor.compared = Comparison(rows=900, watched=3600 * SECOND, xx=1.0, yy=1.0)
    plant.pass_time()
    assert plant.watching() == "2.0.0"
    assert not plant.crew.control


def test_a_halt_counts_for_the_former_version_and_the_challenger_too(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Nobody may run it: not as the one to return to, nor beside."""
    plant = upgraded(desk, tmp_path)
    desk.set_tag(MODEL, "edge.halted.1.0.0", "wrong training data")
    desk.point(MODEL, "challenger", "1.0.0")
    plant.pass_time()
    assert plant.stages() == {"1.0.0": "refused", "1.1.0": "active"}

    push(desk, tmp_path, "2.0.0")
    desk.set_tag(MODEL, "edge.halted.2.0.0", "takes the runtime down")
    desk.point(MODEL, "challenger", "2.0.0")
    plant.pass_time()
    assert "2.0.0" not in plant.stages()
    again = Plant(tmp_path / "again", desk, f"{MODEL}@2.0.0")
    again.pass_time()
    assert again.stages() == {}
    assert "takes the runtime down" in again.crew.because
