"""A model's way through its life on one gateway, from a real folder of models."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from edge_agent.comparison import Comparison
from edge_agent.config.pipelines import Promotion
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry import orders
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.floor import Gone
from edge_agent.registry.orders import Order
from tests.registry import made
from tests.registry.adopting import SECOND, Plant

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "pump"


@pytest.fixture
def desk(tmp_path: Path) -> DirectoryRegistry:
    """A folder of models with one version, which is the champion."""
    (tmp_path / "stick").mkdir()
    desk = DirectoryRegistry(tmp_path / "stick", "gw-07")
    push(desk, tmp_path, "1.0.0")
    desk.point(MODEL, "champion", "1.0.0")
    return desk


def push(desk: DirectoryRegistry, folder: Path, version: str, release: int = 0) -> None:
    """Publish a version."""
    bundle = made.bundle(folder / "made", MODEL, version, say=f"v{version} ")
    if release:
        passport = bundle / "passport.yaml"
        passport.write_text(passport.read_text() + f"release: {release}\n")
    desk.push(bundle, {})


def upgraded(desk: DirectoryRegistry, folder: Path, **how: object) -> Plant:
    """A plant that runs 1.1.0 and keeps 1.0.0."""
    plant = Plant(folder / "state", desk, MODEL, **how)  # type: ignore[arg-type]
    plant.pass_time()
    push(desk, folder, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    assert plant.active == "1.1.0"
    return plant


def test_a_version_goes_the_whole_way(desk: DirectoryRegistry, tmp_path: Path) -> None:
    """Fetched, verified, vetted, active; the passport archived, the centre told."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    assert plant.crew.rung.name == "NO_SCORE"
    assert "no version" in plant.crew.because

    plant.pass_time()

    assert plant.stages() == {"1.0.0": "active"}
    assert plant.crew.rung.name == "MODEL"
    assert plant.room.vetted == ["1.0.0"]
    assert [found.passport.version for found in plant.archived] == ["1.0.0"]
    assert plant.told() == ["model activated"]
    (report,) = desk.reports(MODEL)
    (said,) = report.models
    assert (said.version, said.state, said.digest) == (
        "1.0.0",
        "active",
        plant.life.active.digest if plant.life.active else "",
    )


def test_nothing_is_fetched_or_vetted_twice(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Polls that bring nothing new do nothing; a restart scores without a registry."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    for _ in range(5):
        plant.pass_time()
    assert plant.room.vetted == ["1.0.0"]

    shutil.rmtree(tmp_path / "stick")
    again = Plant(tmp_path / "state", desk, MODEL)
    assert again.crew.rung.name == "MODEL"
    again.pass_time()
    assert again.active == "1.0.0"
    assert again.told() == ["registry lost"]


def test_a_version_is_watched_before_it_takes_over(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """It needs its time, its rows and agreement; each is said while it waits."""
    policy = Promotion(after=3600.0, rows=100, disagreement=0.02, probation=600.0)
    plant = Plant(tmp_path / "state", desk, MODEL, promotion=policy)
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    waits = plant.adoption.manning.waits

    assert plant.stages() == {"1.0.0": "active", "1.1.0": "shadow"}
    assert plant.watching() == "1.1.0"
    assert not plant.floor.crews["pumps"].control
    plant.pass_time(1.0)
    assert "0 of 100 rows" in waits["pumps"]

    enough = 3600 * SECOND
    plant.floor.compared = Comparison(rows=500, alarm_new=50, watched=enough, xx=1.0)
    plant.pass_time()
    assert "differs from the active version over 10.0%" in waits["pumps"]

    plant.floor.compared = Comparison(rows=500, alarm_new=5, watched=enough, xx=1.0)
    plant.pass_time()
    assert plant.stages() == {"1.0.0": "previous", "1.1.0": "active"}
    assert bool(plant.crew.control)  # the former one, for its probation

    plant.floor.compared = Comparison(rows=900, watched=600 * SECOND, xx=1.0)
    plant.pass_time()
    assert plant.watching() == ""
    assert "models compared" in plant.told()


def test_a_challenger_never_takes_over_by_itself(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """However long and well it does; pointing the champion at it lets it go on."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    push(desk, tmp_path, "2.0.0")
    desk.point(MODEL, "challenger", "2.0.0")
    plant.floor.compared = Comparison(rows=10**6, watched=10**18, xx=1.0, yy=1.0)
    for _ in range(3):
        plant.pass_time()
    assert plant.stages() == {"1.0.0": "active", "2.0.0": "shadow"}

    desk.point(MODEL, "champion", "2.0.0")
    plant.pass_time()
    assert plant.room.vetted == ["1.0.0", "2.0.0"]
    assert plant.life.candidate is not None
    assert not plant.life.candidate.watch


def test_a_failing_version_is_given_back_once_and_for_all(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Offline, at once, visible; the registry still wants it and is not obeyed."""
    plant = upgraded(desk, tmp_path)
    bad = plant.life.active
    assert bad is not None
    (tmp_path / "stick").rename(tmp_path / "gone")
    plant.floor.failing = [Gone("pumps", bad.key, "failed 3 times in a row: Boom")]
    plant.pass_time(1.0)

    assert plant.stages() == {"1.0.0": "active", "1.1.0": "refused"}
    assert plant.crew.rung.name == "LAST_KNOWN_GOOD"
    assert "pump 1.1.0 failed 3 times in a row: Boom" in plant.crew.because

    (tmp_path / "gone").rename(tmp_path / "stick")
    for _ in range(5):
        plant.pass_time()
    assert plant.active == "1.0.0"
    assert plant.told().count("model given back") == 1
    (report,) = desk.reports(MODEL)
    assert report.models[0].state == "returned"
    assert report.models[0].candidate == "1.1.0"
    assert report.models[0].stage == "failed"

    push(desk, tmp_path, "1.2.0")
    desk.point(MODEL, "champion", "1.2.0")
    plant.pass_time()
    assert (plant.active, plant.crew.rung.name) == ("1.2.0", "MODEL")


def test_a_version_worse_than_the_former_goes_back_in_its_probation(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """It cries over most rows, the former over none: broken, not the plant."""
    plant = upgraded(desk, tmp_path)
    plant.floor.compared = Comparison(rows=400, alarm_new=300, xx=1.0, yy=1.0)
    plant.pass_time(1.0)

    assert plant.active == "1.0.0"
    assert "where the former version is in 0%" in plant.crew.because


def test_the_ladder_ends_in_limits_and_then_in_nothing(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Both versions fail: limits of the one verified here; or none, as configured."""
    plant = upgraded(desk, tmp_path)
    for _ in range(2):
        active = plant.life.active
        assert active is not None
        plant.floor.failing = [Gone("pumps", active.key, "failed")]
        plant.pass_time(1.0)

    assert plant.crew.rung.name == "LIMITS"
    assert plant.crew.version is not None
    assert [rung for rung, _ in plant.floor.history[-3:]] == [
        "MODEL",
        "LAST_KNOWN_GOOD",
        "LIMITS",
    ]


def test_rungs_the_operator_left_out_are_not_used(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Only ``none`` configured: a failing version leaves no score, and says so."""
    plant = upgraded(desk, tmp_path, fallback=("none",))
    active = plant.life.active
    assert active is not None
    plant.floor.failing = [Gone("pumps", active.key, "failed")]
    plant.pass_time(1.0)

    assert plant.crew.rung.name == "NO_SCORE"
    assert "pump 1.1.0 failed" in plant.crew.because


def test_an_expired_version_scores_no_more(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The former one does while it may, then the limits; a new version mends it."""
    plant = upgraded(desk, tmp_path)
    plant.floor.expired = {"1.1.0"}
    plant.pass_time(1.0)
    assert plant.crew.rung.name == "LAST_KNOWN_GOOD"
    assert "1.1.0 expired" in plant.crew.because

    plant.floor.expired = {"1.0.0", "1.1.0"}
    plant.pass_time(1.0)
    assert plant.crew.rung.name == "LIMITS"

    push(desk, tmp_path, "1.2.0")
    desk.point(MODEL, "champion", "1.2.0")
    plant.pass_time()
    assert plant.crew.rung.name == "MODEL"


def test_a_refused_version_blocks_nothing(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Vetting says no: the old one goes on, the reason is told once, the next comes."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.room.refuses = {"1.1.0": "asked for 40 GB of memory"}
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    for _ in range(4):
        plant.pass_time()
    assert plant.stages() == {"1.0.0": "active", "1.1.0": "refused"}
    assert plant.told().count("model refused") == 1
    assert plant.room.vetted.count("1.1.0") == 1

    push(desk, tmp_path, "1.2.0")
    desk.point(MODEL, "champion", "1.2.0")
    plant.pass_time()
    assert plant.active == "1.2.0"


def test_one_that_does_not_fit_the_plant_is_refused(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """It is sound, but the asset type lacks a tag: known before it takes over."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.floor.unfit = {"1.1.0": "pump needs torque"}
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()

    assert plant.stages() == {"1.0.0": "active", "1.1.0": "refused"}
    assert [rung for rung, _ in plant.floor.history] == ["NO_SCORE", "MODEL"]


def test_a_downgrade_is_refused_and_going_back_is_not(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """A lower release that never ran here is refused; one that did is at hand."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    for version, release in (("1.1.0", 5), ("1.2.0", 7), ("1.3.0", 6)):
        push(desk, tmp_path, version, release)
        desk.point(MODEL, "champion", version)
        plant.pass_time()
    assert plant.active == "1.2.0"
    assert "release 6 is below 7" in (plant.life.versions[-1].reason)

    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    assert plant.active == "1.1.0"

    again = Plant(tmp_path / "state", desk, f"{MODEL}@1.3.0")
    again.pass_time()
    assert again.active == "1.3.0"  # the operator's own file names it


def test_the_mark_survives_what_the_lives_do_not(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """A gateway whose lives are lost still takes no lower release."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    push(desk, tmp_path, "1.2.0", 7)
    desk.point(MODEL, "champion", "1.2.0")
    plant.pass_time()
    shutil.rmtree(tmp_path / "state" / "models" / "lives")
    push(desk, tmp_path, "1.3.0", 6)
    desk.point(MODEL, "champion", "1.3.0")

    again = Plant(tmp_path / "state", desk, MODEL)
    again.pass_time()
    assert again.active == ""
    assert "downgrade" in again.crew.because


def test_a_halt_takes_a_version_off_everywhere(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The halted version is left for the champion, without a person on site."""
    plant = upgraded(desk, tmp_path)
    desk.set_tag(MODEL, "edge.halted.1.1.0", "too many alarms at site 3")
    desk.point(MODEL, "champion", "1.0.0")
    plant.pass_time()

    assert plant.active == "1.0.0"
    assert "too many alarms at site 3" in plant.life.versions[-1].reason


def test_a_version_on_its_way_ends_when_it_is_halted(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """It is not watched to its end and does not score for a single row."""
    plant = Plant(
        tmp_path / "state", desk, MODEL, promotion=Promotion(policy="after", after=3600)
    )
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "canary", "1.1.0")
    desk.set_tag(MODEL, "edge.canary.percent", "100")
    plant.pass_time()
    watched = plant.stages()
    desk.set_tag(MODEL, "edge.halted.1.1.0", "bad on other gateways")
    plant.pass_time()
    halted = plant.stages()
    plant.floor.compared = Comparison(rows=1000, watched=7200 * SECOND)
    plant.pass_time()

    assert watched == {"1.0.0": "active", "1.1.0": "shadow"}
    assert halted == {"1.0.0": "active", "1.1.0": "retired"}
    assert plant.told().count("model activated") == 1


def test_nobody_returns_to_a_halted_version(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The former one is halted while a newer one scores; then that one fails."""
    plant = upgraded(desk, tmp_path)
    desk.set_tag(MODEL, "edge.halted.1.0.0", "blind to cavitation")
    plant.pass_time()
    assert plant.stages() == {"1.0.0": "refused", "1.1.0": "active"}

    active = plant.life.active
    assert active is not None
    plant.floor.failing = [Gone("pumps", active.key, "failed 3 times in a row")]
    plant.pass_time(1.0)

    assert plant.crew.rung.name == "LIMITS"


def test_a_halted_version_is_not_taken_by_its_name_either(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Named in the configuration, or as challenger: it is not even watched."""
    push(desk, tmp_path, "1.1.0")
    desk.set_tag(MODEL, "edge.halted.1.1.0", "blind to cavitation")
    desk.point(MODEL, "challenger", "1.1.0")
    pinned = Plant(tmp_path / "pinned", desk, f"{MODEL}@1.1.0")
    plant = Plant(tmp_path / "state", desk, MODEL)
    for one in (pinned, plant):
        one.pass_time()
        one.pass_time()

    assert "1.1.0 is halted: blind to cavitation" in pinned.crew.because
    assert pinned.stages() == {}
    assert (plant.stages(), plant.watching()) == ({"1.0.0": "active"}, "")


def test_what_scores_is_wanted_again(desk: DirectoryRegistry, tmp_path: Path) -> None:
    """The centre agrees with an automatic return: nobody has fallen back any more."""
    plant = upgraded(desk, tmp_path)
    active = plant.life.active
    assert active is not None
    plant.floor.failing = [Gone("pumps", active.key, "failed 3 times in a row")]
    plant.pass_time(1.0)
    assert plant.crew.rung.name == "LAST_KNOWN_GOOD"

    desk.point(MODEL, "champion", "1.0.0")
    plant.pass_time()
    plant.pass_time(1.0)

    assert (plant.crew.rung.name, plant.crew.because) == ("MODEL", "")
    (report,) = desk.reports(MODEL)
    assert (report.models[0].state, report.models[0].stage) == ("active", "failed")


def test_paused_means_nothing_new(desk: DirectoryRegistry, tmp_path: Path) -> None:
    """While a model is paused its gateways keep what they run."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    desk.set_tag(MODEL, "edge.paused", "true")
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    assert plant.stages() == {"1.0.0": "active"}

    desk.set_tag(MODEL, "edge.paused", None)
    plant.pass_time()
    assert plant.active == "1.1.0"


def test_paused_means_that_nothing_takes_over(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """What is watched already is watched on, and the reason is said."""
    promotion = Promotion(policy="after", after=60.0, rows=1)
    plant = Plant(tmp_path / "state", desk, MODEL, promotion=promotion)
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    assert plant.watching() == "1.1.0"

    desk.set_tag(MODEL, "edge.paused", "true")
    plant.pass_time()
    plant.floor.compared = Comparison(rows=500, watched=3600 * SECOND, xx=1.0)
    plant.pass_time()
    assert (plant.active, plant.watching()) == ("1.0.0", "1.1.0")
    assert plant.adoption.manning.waits["pumps"] == "pump is paused by the centre"

    desk.set_tag(MODEL, "edge.paused", None)
    plant.pass_time()
    plant.pass_time()
    assert plant.active == "1.1.0"


def test_a_version_on_its_way_stops_where_it_is_while_paused(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its download failed; while the model is paused it is not tried again."""
    plant = Plant(tmp_path / "state", desk, MODEL)

    def fails(*_: object) -> None:
        raise RegistryUnavailable("no room")

    with monkeypatch.context() as patched:
        patched.setattr(desk, "fetch", fails)
        plant.pass_time()
    desk.set_tag(MODEL, "edge.paused", "true")
    plant.pass_time()
    assert plant.stages() == {"1.0.0": "seen"}

    desk.set_tag(MODEL, "edge.paused", None)
    plant.pass_time()
    assert plant.active == "1.0.0"


def test_damaged_files_are_noticed_at_start(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The active version's folder was eaten by the disk: the former scores, it says."""
    plant = upgraded(desk, tmp_path)
    active = plant.life.active
    assert active is not None
    shutil.rmtree(plant.cache.bundle(active.name, active.digest))

    again = Plant(tmp_path / "state", desk, MODEL)
    assert again.crew.rung.name == "LAST_KNOWN_GOOD"
    assert again.crew.version is not None
    assert again.crew.version.label == "1.0.0"
    assert "could not be loaded" in again.crew.because


def test_a_damaged_life_begins_anew(desk: DirectoryRegistry, tmp_path: Path) -> None:
    """The file is put aside and the version fetched and proven once more."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    life = tmp_path / "state" / "models" / "lives" / "pumps.json"
    life.write_bytes(life.read_bytes()[:50])

    again = Plant(tmp_path / "state", desk, MODEL)
    again.pass_time()
    assert again.active == "1.0.0"
    assert life.with_suffix(".damaged").exists()


def order(plant: Plant, action: str, version: str = "") -> str:
    """Give an order and read its answer."""
    folder = plant.cache.root / "orders"
    asked = Order("pumps", action, version, "anna")  # type: ignore[arg-type]
    answer = orders.give(folder, asked)
    plant.pass_time(1.0)
    return msgspec.json.decode(answer.read_bytes(), type=orders.Answer).said


def test_a_person_can_roll_back_and_it_stays(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Held against the registry's wish, over restarts, until told to follow."""
    plant = upgraded(desk, tmp_path)

    assert order(plant, "rollback") == "pump 1.0.0 scores pumps again"
    again = Plant(tmp_path / "state", desk, MODEL)
    again.pass_time()
    assert (again.active, again.crew.rung.name) == ("1.0.0", "MODEL")
    assert order(again, "rollback") == "pumps has no former version to return to"

    assert order(again, "activate", "1.1.0").startswith("pump 1.1.0 is fetched")
    again.pass_time()
    assert again.active == "1.1.0"
    assert order(again, "follow") == "pumps follows the registry again"
    assert "has not met a version 9.9" in order(again, "activate", "9.9")


def test_an_order_is_told_with_who_gave_it(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """What a person asked of the agent is an event, also when it was refused."""
    plant = upgraded(desk, tmp_path)
    order(plant, "rollback")
    order(plant, "activate", "9.9")

    told = [one for one in plant.events if one.name.startswith("order ")]
    assert [(one.name, one.details["who"]) for one in told] == [
        ("order obeyed", "anna"),
        ("order refused", "anna"),
    ]
    assert told[1].details["version"] == "9.9"


def test_garbage_in_the_orders_is_answered(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """A file that is no order is answered and gone; others are obeyed."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    bad = plant.cache.root / "orders" / "x.json"
    bad.write_bytes(b"{" * 10_000)
    plant.pass_time(1.0)

    assert not bad.exists()
    assert b"this is no order" in bad.with_suffix(".answer").read_bytes()


def test_a_full_disk_keeps_no_failing_model_in_its_seat(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The life cannot be written: memory counts, the file follows when it can."""
    plant = upgraded(desk, tmp_path)
    active = plant.life.active
    assert active is not None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(plant.cache, "keep", full)
        plant.floor.failing = [Gone("pumps", active.key, "failed")]
        plant.pass_time(1.0)
        assert plant.active == "1.0.0"
        assert plant.cache.life("pumps").active == active
    plant.pass_time(1.0)
    assert plant.cache.life("pumps") == plant.life


def test_a_registry_that_is_silent_for_long_is_told_once(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores go on; after a month without an answer the status says so."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()

    def gone(_: str) -> None:
        raise RegistryUnavailable("no route to host")

    monkeypatch.setattr(desk, "listing", gone)
    for _ in range(4):
        plant.pass_time(20 * 86_400.0)

    assert plant.told().count("registry silent") == 1
    assert plant.inquiry.status()["state"] == "stale"
    assert plant.crew.rung.name == "MODEL"
