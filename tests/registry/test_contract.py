"""What every registry keeps to, the double of the other tests included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry import landing
from edge_agent.registry.listing import (
    CANARY_PERCENT,
    DIGEST,
    HALTED,
    PAUSED,
    VERSION,
)
from tests.registry.made import contents, go_on, report, stop_after

if TYPE_CHECKING:
    from pathlib import Path

    from tests.registry.conftest import Stage

#: The first test that needs MLflow waits for its start.
pytestmark = pytest.mark.timeout(120)


def test_what_was_pushed_is_fetched(stage: Stage) -> None:
    """Every file arrives with its bytes, the signature too, and nothing else."""
    bundle = stage.bundle(signature="signed")
    pushed = stage.desk.push(bundle, {})

    offer = stage.registry.offer(stage.name, pushed.version)
    stage.registry.fetch(offer, stage.folder / "into", go_on)

    assert offer == pushed
    assert contents(stage.folder / "into") == contents(bundle)


def test_the_same_bundle_again_is_the_same_offer(stage: Stage) -> None:
    """Pushing twice, as after a lost answer, makes no second version."""
    bundle = stage.bundle()

    assert stage.desk.push(bundle, {}) == stage.desk.push(bundle, {})
    assert len(stage.desk.history(stage.name)) == 1


def test_a_version_is_one_bundle_for_ever(stage: Stage) -> None:
    """Another bundle of the same version is refused, and the first one stays."""
    first = stage.bundle()
    offer = stage.desk.push(first, {})

    with pytest.raises(ModelRejected, match="new version"):
        stage.desk.push(stage.bundle(say="Other "), {})

    stage.registry.fetch(offer, stage.folder / "into", go_on)
    assert contents(stage.folder / "into") == contents(first)


def test_a_bundle_signed_later_is_looked_at_again(stage: Stage) -> None:
    """Pushed once more with a signature it keeps its version and changes its offer."""
    unsigned = stage.desk.push(stage.bundle(), {})
    signed = stage.bundle(signature="signed")

    offer = stage.desk.push(signed, {})

    assert offer.version == unsigned.version
    assert offer.key != unsigned.key
    stage.registry.fetch(offer, stage.folder / "into", go_on)
    assert contents(stage.folder / "into") == contents(signed)


def test_no_broken_bundle_is_published(stage: Stage) -> None:
    """A file that is not what the passport says is found before anybody gets it."""
    bundle = stage.bundle()
    (bundle / "golden.json").write_bytes(b"{}")

    with pytest.raises(ModelRejected, match=r"golden\.json"):
        stage.desk.push(bundle, {})
    assert stage.name not in stage.desk.models()


def test_history_tells_the_versions_oldest_first(stage: Stage) -> None:
    """With their tags: the passport's version, the digest and who approved."""
    for version in ("1.9.0", "1.10.0"):
        stage.desk.push(stage.bundle(version), {"edge.approved_by": "jane"})

    history = stage.desk.history(stage.name)

    assert [one[VERSION] for one in history] == ["1.9.0", "1.10.0"]
    assert {one["edge.approved_by"] for one in history} == {"jane"}
    assert len(history[0][DIGEST]) == 64
    assert all(one["version"] and "created" in one for one in history)
    assert stage.name in stage.desk.models()


def test_a_version_is_found_by_its_passports_version(stage: Stage) -> None:
    """NAME@1.2.0 means the same version in every registry."""
    stage.desk.push(stage.bundle("1.1.0"), {})
    pushed = stage.desk.push(stage.bundle("1.2.0"), {})

    assert stage.registry.offer(stage.name, "1.2.0") == pushed


def test_an_alias_points_until_it_is_removed(stage: Stage) -> None:
    """The listing tells it, and its fingerprint moves with it and back."""
    first = stage.desk.push(stage.bundle("1.0.0"), {}).version
    second = stage.desk.push(stage.bundle("1.1.0"), {}).version
    none = stage.registry.listing(stage.name)

    stage.desk.point(stage.name, "champion", first)
    pointed = stage.registry.listing(stage.name)
    stage.desk.point(stage.name, "champion", second)
    moved = stage.registry.listing(stage.name)
    stage.desk.point(stage.name, "champion", None)
    stage.desk.point(stage.name, "champion", None)

    assert (pointed.aliases, moved.aliases) == (
        {"champion": first},
        {"champion": second},
    )
    assert len({none.fingerprint, pointed.fingerprint, moved.fingerprint}) == 3
    assert stage.registry.listing(stage.name).fingerprint == none.fingerprint


@pytest.mark.parametrize("alias", ["latest", "v2", "gw:7", "a b", "", "../x"])
def test_an_alias_that_one_registry_refuses_is_refused_by_all(
    stage: Stage, alias: str
) -> None:
    """A plant may move from a folder to MLflow with every alias it has."""
    version = stage.desk.push(stage.bundle(), {}).version

    with pytest.raises(ModelRejected, match="alias"):
        stage.desk.point(stage.name, alias, version)


def test_tags_steer_and_go(stage: Stage) -> None:
    """Paused and a canary's share are tags of the model; None removes one."""
    stage.desk.push(stage.bundle(), {})
    stage.desk.set_tag(stage.name, PAUSED, "true")
    stage.desk.set_tag(stage.name, CANARY_PERCENT, "10")
    steered = stage.registry.listing(stage.name)
    stage.desk.set_tag(stage.name, PAUSED, None)
    stage.desk.set_tag(stage.name, PAUSED, None)

    assert steered.paused
    assert steered.tags == {PAUSED: "true", CANARY_PERCENT: "10"}
    assert stage.registry.listing(stage.name).tags == {CANARY_PERCENT: "10"}


def test_a_halt_is_seen_in_the_listing_and_at_its_version(stage: Stage) -> None:
    """Gateways need one call, people look at the version; both see it come and go."""
    version = stage.desk.push(stage.bundle(), {}).version

    stage.desk.set_tag(stage.name, HALTED + version, "alarms doubled")
    halted = stage.registry.listing(stage.name).halted
    shown = stage.desk.history(stage.name)[0]
    stage.desk.set_tag(stage.name, HALTED + version, None)

    assert halted == {version: "alarms doubled"}
    assert shown["edge.halted"] == "alarms doubled"
    assert "edge.halted" not in stage.desk.history(stage.name)[0]
    assert stage.registry.listing(stage.name).halted == {}


def test_what_is_not_there_is_rejected_with_what_is(stage: Stage) -> None:
    """A model or a version nobody has will not come by waiting."""
    version = stage.desk.push(stage.bundle(), {}).version

    with pytest.raises(ModelRejected, match=stage.name):
        stage.registry.listing(stage.name + "x")
    for wanted in ("9.9.9", "999", "../1.0.0", "", "v"):
        with pytest.raises(ModelRejected):
            stage.registry.offer(stage.name, wanted)
    with pytest.raises(ModelRejected):
        stage.desk.point(stage.name, "champion", "9.9.9")
    assert stage.registry.offer(stage.name, version).version == version


@pytest.mark.parametrize("name", ["../pump", "a/b", "", ".", "reported", "p mp", "'"])
def test_a_strange_name_is_no_model(stage: Stage, name: str) -> None:
    """A name from a configuration never becomes a path or a query."""
    stage.desk.push(stage.bundle(), {})

    with pytest.raises(ModelRejected):
        stage.registry.listing(name)


def test_a_fetch_that_was_stopped_goes_on(stage: Stage) -> None:
    """Stopping is unavailability; the next call brings the rest and all is whole."""
    bundle = stage.bundle()
    offer = stage.desk.push(bundle, {})
    into = stage.folder / "deep" / "into"

    with pytest.raises(RegistryUnavailable, match="stopped"):
        stage.registry.fetch(offer, into, stop_after(10_000))
    stage.registry.fetch(offer, into, go_on)

    assert contents(into) == contents(bundle)


def test_progress_counts_every_byte_once(stage: Stage) -> None:
    """Bytes done only grow and end at bytes in all, over a stop too."""
    bundle = stage.bundle()
    offer = stage.desk.push(bundle, {})
    size = sum(map(len, contents(bundle).values()))
    told: list[tuple[int, int]] = []

    def note(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    with pytest.raises(RegistryUnavailable):
        stage.registry.fetch(offer, stage.folder / "into", stop_after(20_000))
    stage.registry.fetch(offer, stage.folder / "into", note)

    assert told == sorted(told)
    assert told[-1] == (size, size)


def test_a_fetch_leaves_nothing_of_another_version(stage: Stage) -> None:
    """Strange files in the folder go, and a file of the same size is not trusted."""
    bundle = stage.bundle()
    offer = stage.desk.push(bundle, {})
    into = stage.folder / "into"
    (into / "old" / "deeper").mkdir(parents=True)
    (into / "old" / "deeper" / "model.onnx").write_bytes(b"old")
    (into / "link").symlink_to("/etc/hostname")

    stage.registry.fetch(offer, into, go_on)

    assert contents(into) == contents(bundle)
    assert not (into / "old").exists()


def test_a_version_beyond_all_bounds_is_rejected(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many bytes end a fetch before the disk is full."""
    offer = stage.desk.push(stage.bundle(), {})
    monkeypatch.setattr(landing, "MAX_BYTES", 30_000)

    with pytest.raises(ModelRejected, match="30000 bytes"):
        stage.registry.fetch(offer, stage.folder / "into", go_on)


def test_a_full_disk_is_told_and_waited_for(stage: Stage, small_disk: Path) -> None:
    """Nothing begins that does not fit beside the scores' journal."""
    offer = stage.desk.push(stage.bundle(), {})

    with pytest.raises(RegistryUnavailable, match="make room"):
        stage.registry.fetch(offer, small_disk / "into", go_on)


def test_the_disk_may_fill_up_on_the_way(
    stage: Stage, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others wrote meanwhile stops it; with room again it goes on."""
    bundle = stage.bundle()
    offer = stage.desk.push(bundle, {})
    monkeypatch.setattr(landing, "RESERVE", -(2**30))
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2**20 - 30_000))

    with pytest.raises(RegistryUnavailable, match="full"):
        stage.registry.fetch(offer, small_disk / "into", go_on)
    ballast.unlink()
    stage.registry.fetch(offer, small_disk / "into", go_on)

    assert contents(small_disk / "into") == contents(bundle)


def test_a_gateways_report_is_read_at_the_centre(stage: Stage) -> None:
    """As it was said, once, however often; a newer one takes its place."""
    gateway = stage.gateway
    first, second = (report(stage.name, gateway=gateway, at=at) for at in (1, 2))

    stage.registry.report(first)
    stage.registry.report(first)
    seen = list(stage.desk.reports(stage.name))
    stage.registry.report(second)

    assert seen == [first]
    assert list(stage.desk.reports(stage.name)) == [second]


def test_reports_are_found_by_the_model_they_name(stage: Stage) -> None:
    """A gateway that dropped a model is no longer among those that have it."""
    gateway = stage.gateway
    stage.registry.report(report(stage.name, gateway=gateway))
    stage.registry.report(report("another", gateway=gateway, at=2))

    assert list(stage.desk.reports(stage.name)) == []
    mine = [one for one in stage.desk.reports() if one.gateway == gateway]
    assert mine == [report("another", gateway=gateway, at=2)]


def test_status_says_where_models_come_from(stage: Stage) -> None:
    """Without asking anybody."""
    assert stage.registry.status()["where"]
