"""Files that are damaged, plants that are changed, and bundles that come twice."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from edge_agent.config.pipelines import Promotion
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.floor import Gone
from tests.registry import made
from tests.registry.adopting import Plant
from tests.registry.test_adoption import MODEL, order, push, upgraded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> DirectoryRegistry:
    """A folder of models with one version, which is the champion."""
    (tmp_path / "stick").mkdir()
    desk = DirectoryRegistry(tmp_path / "stick", "gw-07")
    push(desk, tmp_path, "1.0.0")
    desk.point(MODEL, "champion", "1.0.0")
    return desk


def folder_of(plant: Plant) -> Path:
    """Where the active version lies."""
    active = plant.life.active
    assert active is not None
    return plant.cache.bundle(active.name, active.digest)


def damage(folder: Path, how: str) -> None:
    """Let a disk do what disks do."""
    if how == "gone":
        shutil.rmtree(folder)
    else:
        file = folder / "passport.yaml"
        file.write_bytes(file.read_bytes()[:40])


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_damaged_files_are_fetched_again(
    desk: DirectoryRegistry, tmp_path: Path, how: str
) -> None:
    """The disk's fault is not the version's: it is back with the next poll."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    damage(folder_of(plant), how)

    again = Plant(tmp_path / "state", desk, MODEL)
    assert again.crew.rung.name in ("LIMITS", "NO_SCORE")
    assert again.told() == ["model lost"]
    again.pass_time()
    assert again.stages() == {"1.0.0": "active"}
    assert again.crew.rung.name == "MODEL"


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_damage_leaves_the_former_one_to_return_to(
    desk: DirectoryRegistry, tmp_path: Path, how: str
) -> None:
    """It scores meanwhile, and is there again when the other is back."""
    plant = upgraded(desk, tmp_path)
    damage(folder_of(plant), how)

    again = Plant(tmp_path / "state", desk, MODEL)
    assert again.crew.rung.name == "LAST_KNOWN_GOOD"
    again.pass_time()
    assert again.stages() == {"1.0.0": "previous", "1.1.0": "active"}


def test_a_version_whose_files_vanish_at_work_is_not_refused(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """Its session rested and could not be made again: that is fetched, not given up."""
    plant = upgraded(desk, tmp_path)
    active = plant.life.active
    assert active is not None
    damage(folder_of(plant), "cut")
    plant.floor.failing = [Gone("pumps", active.key, "failed 3 times in a row")]
    plant.pass_time(1.0)

    assert plant.stages() == {"1.0.0": "previous", "1.1.0": "active"}
    assert plant.crew.rung.name == "MODEL"


def test_a_whole_bundle_replaces_a_damaged_one_of_the_same_digest(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """What was just verified counts, not what lies in its place."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    damage(folder_of(plant), "cut")
    shutil.rmtree(tmp_path / "state" / "models" / "lives")

    again = Plant(tmp_path / "state", desk, MODEL)
    again.pass_time()
    assert (again.active, again.crew.rung.name) == ("1.0.0", "MODEL")


def test_a_mistake_in_the_plants_file_costs_no_version(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """With the roles mended the version scores again, without a registry."""
    upgraded(desk, tmp_path)
    (tmp_path / "stick").rename(tmp_path / "gone")
    wrong = {"1.1.0": "pump needs torque", "1.0.0": "pump needs torque"}
    plant = Plant(tmp_path / "state", desk, MODEL, unfit=wrong)
    plant.pass_time()
    assert plant.crew.rung.name == "LIMITS"
    assert "pump needs torque" in plant.crew.because
    assert plant.told().count("model unfit") == 2

    again = Plant(tmp_path / "state", desk, MODEL)
    assert (again.active, again.crew.rung.name) == ("1.1.0", "MODEL")
    assert again.life.previous is not None


def test_a_version_that_did_not_fit_is_tried_again_at_the_next_start(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The operator did what the reason said: that must have an effect."""
    unfit = {"1.0.0": "pump needs torque: add the tags or name them under roles"}
    plant = Plant(tmp_path / "state", desk, MODEL, unfit=unfit)
    for _ in range(3):
        plant.pass_time()
    assert plant.stages() == {"1.0.0": "refused"}
    assert plant.told().count("model refused") == 1

    again = Plant(tmp_path / "state", desk, MODEL)
    again.pass_time()
    assert again.active == "1.0.0"


def touch(desk: DirectoryRegistry, folder: Path, version: str) -> None:
    """Copy a version to another stick: same files, other times."""
    before = desk.offer(MODEL, version)
    for file in (folder / "stick" / MODEL / version).iterdir():
        os.utime(file, (1, 1))
    assert desk.offer(MODEL, version).key != before.key


def test_the_same_files_with_other_times_are_the_same_version(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """A stick was copied: nothing takes over, and the one to return to stays."""
    plant = upgraded(desk, tmp_path)
    touch(desk, tmp_path, "1.1.0")
    touch(desk, tmp_path, "1.0.0")
    for _ in range(3):
        plant.pass_time()
    assert plant.stages() == {"1.0.0": "previous", "1.1.0": "active"}
    assert plant.told().count("model activated") == 2
    assert plant.room.vetted == ["1.0.0", "1.1.0"]

    desk.point(MODEL, "champion", "1.0.0")
    plant.pass_time()
    plant.pass_time()
    assert plant.stages() == {"1.0.0": "active", "1.1.0": "previous"}


def test_the_same_files_do_not_fail_here_twice(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """A version that was taken off comes again under other times: once is enough."""
    plant = upgraded(desk, tmp_path)
    bad = plant.life.active
    assert bad is not None
    plant.floor.failing = [Gone("pumps", bad.key, "failed 3 times in a row: Boom")]
    plant.pass_time(1.0)
    touch(desk, tmp_path, "1.1.0")
    for _ in range(3):
        plant.pass_time()
    assert plant.active == "1.0.0"
    assert plant.told().count("model activated") == 2
    assert "Boom" in plant.life.versions[-1].reason

    order(plant, "activate", "1.1.0")  # a person may want to see it fail again
    plant.pass_time()
    assert plant.active == "1.1.0"


def test_another_model_in_the_configuration_is_not_scored_by_the_old_one_unseen(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """The old one stands in, as the last known good; the new one takes over at once."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    slow = Promotion(after=3600.0)
    again = Plant(tmp_path / "state", desk, "fan", promotion=slow)
    again.pass_time()
    assert again.crew.rung.name == "LAST_KNOWN_GOOD"
    assert "fan" in again.crew.because
    (report,) = desk.reports()
    (said,) = report.models
    assert (said.model, said.version, said.digest) == ("fan", "", "")
    assert "no model 'fan'" in again.adoption.manning.waits["pumps"]

    desk.push(made.bundle(tmp_path / "made", "fan", "3.0.0", say="fan "), {})
    again.pass_time()
    assert (again.active, again.crew.rung.name) == ("3.0.0", "MODEL")

    back = Plant(tmp_path / "state", desk, MODEL, promotion=slow)
    back.pass_time()
    assert (back.active, back.crew.rung.name) == ("1.0.0", "MODEL")
