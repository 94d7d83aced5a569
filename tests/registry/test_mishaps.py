"""What goes wrong in the life of models must not end it, nor the agent."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NoReturn

import pytest

from edge_agent.bundle.signing import sign
from edge_agent.bundle.trust import Trust
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry import orders
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.orders import Order
from tests.registry import adopting
from tests.registry.adopting import SECOND, Plant
from tests.registry.signers import signer, write_list
from tests.registry.test_adoption import MODEL, push

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.registry.listing import Offer


@pytest.fixture
def desk(tmp_path: Path) -> DirectoryRegistry:
    """A folder of models with one version, which is the champion."""
    (tmp_path / "stick").mkdir()
    desk = DirectoryRegistry(tmp_path / "stick", "gw-07")
    push(desk, tmp_path, "1.0.0")
    desk.point(MODEL, "champion", "1.0.0")
    return desk


def bug(*_: object) -> NoReturn:
    """Something that nobody thought of."""
    raise KeyError("nobody thought of this")


def turned(plant: Plant, times: int = 3) -> None:
    """As `Adoption.run` turns, for some polls."""
    for _ in range(times):
        for seconds in (70, 1, 1, 1):
            plant.clock.time += seconds * SECOND
            plant.adoption.turn_guarded()


def test_a_bug_in_asking_costs_one_poll(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next poll asks again: nothing is stuck until a restart."""
    with monkeypatch.context() as patched:
        patched.setattr(desk, "listing", bug)
        plant = Plant(tmp_path / "state", desk, MODEL)
        turned(plant)
    turned(plant)
    assert plant.active == "1.0.0"


def test_a_bug_in_one_version_holds_up_no_other_pipeline(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its step failed in a way nobody thought of: once a poll, and the others go on."""
    push(desk, tmp_path, "2.0.0")
    plant = Plant(
        tmp_path / "state", desk, MODEL, pipelines={"other": f"{MODEL}@2.0.0"}
    )
    vetted: list[str] = []
    vet = plant.room.vet

    def look(folder: Path) -> object:
        version = (folder / "passport.yaml").read_text()
        vetted.append(version)
        if "version: 1.0.0" in version:
            bug()
        return vet(folder)

    monkeypatch.setattr(plant.room, "vet", look)
    turned(plant, 4)
    lives = plant.adoption.manning.lives
    assert lives["other"].active is not None
    assert len([text for text in vetted if "version: 1.0.0" in text]) <= 4


@pytest.mark.parametrize("where", ["man", "barred"])
def test_a_bug_at_the_start_ends_no_start(
    desk: DirectoryRegistry, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline begins without a model, and has it as soon as it can."""
    Plant(tmp_path / "state", desk, MODEL).pass_time()
    real = getattr(adopting.HandFloor, where)
    with monkeypatch.context() as patched:

        def broken(self: object, *words: object) -> object:
            crew = words[-1]
            if getattr(crew, "version", crew) is None:
                return real(self, *words)
            return bug()

        patched.setattr(adopting.HandFloor, where, broken)
        plant = Plant(tmp_path / "state", desk, MODEL)
        assert plant.crew.rung.name == "NO_SCORE"
    turned(plant)
    assert plant.crew.rung.name == "MODEL"


def test_fifty_pipelines_on_one_model_fetch_and_try_it_once(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good version as well as one that is refused: that is told for each of them."""
    fetched: list[str] = []
    fetch = desk.fetch

    def counted(offer: Offer, *more: object) -> None:
        fetched.append(offer.version)
        fetch(offer, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(desk, "fetch", counted)
    names = {f"p{number}": MODEL for number in range(50)}
    plant = Plant(tmp_path / "state", desk, MODEL, pipelines=names, first=False)
    plant.room.refuses = {"1.1.0": "asked for 40 GB of memory"}
    turned(plant, 1)
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    turned(plant, 2)

    assert fetched == plant.room.vetted == ["1.0.0", "1.1.0"]
    assert plant.told().count("model activated") == 50
    assert plant.told().count("model refused") == 50


def test_a_signature_counts_for_each_pipeline_as_it_is_today(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """One that scores already vouches for nothing once its key is revoked."""
    good, other = signer(tmp_path, "good"), signer(tmp_path, "other")
    sign(tmp_path / "stick" / MODEL / "1.0.0", good.key)
    plant = Plant(
        tmp_path / "state", desk, MODEL, trust=lambda: Trust.load([good.public])
    )
    plant.pass_time()
    assert plant.active == "1.0.0"

    listed = write_list(tmp_path / "revoked.json", 1, other, good)
    again = Plant(
        tmp_path / "state",
        desk,
        MODEL,
        trust=lambda: Trust.load([good.public, other.public], listed),
        pipelines={"second": MODEL},
    )
    again.pass_time()
    assert again.active == "1.0.0"  # what to do about it is for a person to say
    assert again.adoption.manning.lives["second"].active is None


def test_a_registry_that_takes_no_reports_is_not_asked_every_second(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that failed is sent again with the next poll."""
    sent: list[object] = []

    def refused(report: object) -> None:
        sent.append(report)
        raise RegistryUnavailable("no route to host")

    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    shutil.rmtree(tmp_path / "stick")
    monkeypatch.setattr(desk, "report", refused)
    plant.clock.time += 3600 * SECOND
    for _ in range(120):
        plant.pass_time(1.0)
    assert 1 <= len(sent) <= 4


def test_nothing_is_removed_while_a_version_is_made_ready_or_nobody_answers(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another pipeline's life needs may come back with its configuration."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    digest = plant.life.active.digest if plant.life.active else ""

    def gone(_: str) -> None:
        raise RegistryUnavailable("no route to host")

    with monkeypatch.context() as patched:
        patched.setattr(desk, "listing", gone)
        renamed = Plant(
            tmp_path / "state", desk, "fan", pipelines={"elsewhere": "fan"}, first=False
        )
        turned(renamed)
        assert plant.cache.bundle(MODEL, digest).is_dir()
        again = Plant(tmp_path / "state", desk, MODEL)
        assert again.crew.rung.name == "MODEL"


def test_an_order_that_cannot_be_removed_is_obeyed_once(
    desk: DirectoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk became read-only: one order, one return, and no poll each second."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    push(desk, tmp_path, "1.1.0")
    desk.point(MODEL, "champion", "1.1.0")
    plant.pass_time()
    folder = plant.cache.root / "orders"
    orders.give(folder, Order("pumps", "activate", "1.0.0", "anna"))
    (folder / "folder.json").mkdir()
    asked: list[str] = []
    listing = desk.listing

    def counted(name: str) -> object:
        asked.append(name)
        return listing(name)

    monkeypatch.setattr(desk, "listing", counted)
    monkeypatch.setattr(orders, "answer", lambda *_: None)
    for _ in range(30):
        plant.pass_time(1.0)
    assert plant.told().count("model activated") == 3
    assert len(asked) <= 3


def test_a_name_that_leads_nowhere_stops_no_order(
    desk: DirectoryRegistry, tmp_path: Path
) -> None:
    """A dead link among the orders is answered as no order; the others are obeyed."""
    plant = Plant(tmp_path / "state", desk, MODEL)
    plant.pass_time()
    folder = plant.cache.root / "orders"
    (folder / "dead.json").symlink_to(tmp_path / "nowhere")
    answer = orders.give(folder, Order("pumps", "follow", "", "anna"))
    plant.pass_time(1.0)
    assert b"pumps follows the registry again" in answer.read_bytes()
