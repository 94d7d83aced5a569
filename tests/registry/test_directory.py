"""What only a folder meets: pulled sticks, links, hand-written files."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry import landing
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.listing import Observed
from tests.registry import made
from tests.registry.made import GATEWAY, contents, go_on, report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.registry.listing import Offer


@pytest.fixture
def stick(tmp_path: Path) -> DirectoryRegistry:
    """A stick with two versions of one model."""
    (tmp_path / "stick").mkdir()
    registry = DirectoryRegistry(tmp_path / "stick", GATEWAY.name)
    for version in ("1.0.0", "1.1.0"):
        registry.push(made.bundle(tmp_path / "bundles", "pump", version), {})
    return registry


@pytest.fixture
def offer(stick: DirectoryRegistry) -> Offer:
    """The newer one."""
    return stick.offer("pump", "1.1.0")


def test_a_folder_copied_by_hand_is_a_registry(tmp_path: Path) -> None:
    """NAME/VERSION/ is enough: no alias, no tag, its versions in order."""
    for version in ("1.10.0", "1.9.0"):
        there = tmp_path / "stick" / "pump" / version
        made.bundle(tmp_path, "pump", version).rename(there_parent(there))

    listing = DirectoryRegistry(tmp_path / "stick").listing("pump")

    assert listing.versions == ("1.9.0", "1.10.0")
    assert not listing.aliases


def there_parent(path: Path) -> Path:
    """The same path, its parent made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_stick_pulled_while_it_is_read_is_waited_for(
    stick: DirectoryRegistry, offer: Offer, tmp_path: Path
) -> None:
    """The copy stops as unavailable; with the stick back it goes on to the end."""

    def pull(done: int, _total: int) -> bool:
        if done and (tmp_path / "stick").exists():
            (tmp_path / "stick").rename(tmp_path / "pulled")
        return True

    with pytest.raises(RegistryUnavailable, match="stick or share"):
        stick.fetch(offer, tmp_path / "into", pull)
    for call in (stick.models, lambda: stick.listing("pump")):
        with pytest.raises(RegistryUnavailable, match="stick or share"):
            call()
    (tmp_path / "pulled").rename(tmp_path / "stick")
    stick.fetch(offer, tmp_path / "into", go_on)

    assert contents(tmp_path / "into") == contents(tmp_path / "stick/pump/1.1.0")


def test_an_empty_mount_point_is_a_missing_stick(tmp_path: Path) -> None:
    """Nothing mounted yet is no reason to give a model up."""
    with pytest.raises(RegistryUnavailable, match="mounted"):
        DirectoryRegistry(tmp_path).listing("pump")


def test_what_was_copied_before_is_not_copied_again(
    stick: DirectoryRegistry, offer: Offer, tmp_path: Path
) -> None:
    """A whole file stays as it is; one of the same size with other bytes does not."""
    into = tmp_path / "into"
    stick.fetch(offer, into, go_on)
    kept = (into / "golden.json").stat().st_ino
    spoilt = into / "model.onnx"
    spoilt.write_bytes(bytes(spoilt.stat().st_size))

    stick.fetch(offer, into, go_on)

    assert (into / "golden.json").stat().st_ino == kept
    assert contents(into) == contents(tmp_path / "stick/pump/1.1.0")


def test_an_offer_changes_with_its_files(
    stick: DirectoryRegistry, offer: Offer, tmp_path: Path
) -> None:
    """A version put right on the stick is looked at again."""
    assert stick.offer("pump", "1.1.0") == offer

    os.utime(tmp_path / "stick/pump/1.1.0/model.onnx", (1, 1))

    assert stick.offer("pump", "1.1.0").key != offer.key


@pytest.mark.parametrize("where", ["pump", "pump/1.1.0", "pump/1.1.0/model.onnx"])
def test_no_link_is_followed(
    stick: DirectoryRegistry, offer: Offer, tmp_path: Path, where: str
) -> None:
    """A link on a stick could show any file of the gateway."""
    path = tmp_path / "stick" / where
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    for call in (
        lambda: stick.offer("pump", "1.1.0"),
        lambda: stick.fetch(offer, tmp_path / "into", go_on),
    ):
        with pytest.raises(ModelRejected):
            call()


def test_desired_json_is_no_link_either(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """What it leads to would be told in an error, or steer."""
    (tmp_path / "elsewhere").write_text('{"aliases": {"champion": "1.0.0"}}')
    (tmp_path / "stick/pump/desired.json").unlink()
    (tmp_path / "stick/pump/desired.json").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(RegistryUnavailable, match="is a link"):
        stick.listing("pump")


def test_a_pipe_on_a_stick_holds_nobody_up(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """Opening a FIFO waits for ever: it is refused unopened, desired.json too."""
    os.mkfifo(tmp_path / "stick/pump/1.1.0/extra")
    (tmp_path / "stick/pump/desired.json").unlink()
    os.mkfifo(tmp_path / "stick/pump/desired.json")

    with pytest.raises(ModelRejected, match="device"):
        stick.offer("pump", "1.1.0")
    with pytest.raises(RegistryUnavailable, match="no file"):
        stick.listing("pump")


def test_litter_of_desktop_systems_is_left_behind(
    stick: DirectoryRegistry, offer: Offer, tmp_path: Path
) -> None:
    """A stick that was in a Mac has ._ files beside every file."""
    folder = tmp_path / "stick/pump/1.1.0"
    clean = contents(folder)
    for name in ("._model.onnx", ".DS_Store", "Thumbs.db"):
        (folder / name).write_bytes(b"litter")

    stick.fetch(offer, tmp_path / "into", go_on)

    assert contents(tmp_path / "into") == clean


def test_a_folder_without_end_is_refused(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """Too many files are found out before the first is copied."""
    for number in range(300):
        (tmp_path / f"stick/pump/1.1.0/{number}").touch()

    with pytest.raises(ModelRejected, match="256 files"):
        stick.offer("pump", "1.1.0")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not readable"),
        (b'{"alias": {"champion": "1.0.0"}}', "alias"),
        (b'{"aliases": {"champion": 1}}', "champion|aliases"),
        (b"[" * 2000, "not readable"),
        (b" " * 2_000_000, "more than"),
        (b'{"aliases": {"\xff": "1"}}', "not readable"),
    ],
)
def test_a_mistake_in_desired_json_is_told(
    stick: DirectoryRegistry, tmp_path: Path, body: bytes, said: str
) -> None:
    """Written by hand it may be wrong; what runs goes on until it is mended."""
    (tmp_path / "stick/pump/desired.json").write_bytes(body)

    with pytest.raises(RegistryUnavailable, match=said):
        stick.listing("pump")


def test_a_folder_for_reading_only_serves_and_says_so(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models come from it, the receipt does not go there."""
    monkeypatch.setattr(landing, "RESERVE", 0)
    stick = DirectoryRegistry(small_disk, GATEWAY.name)
    offer = stick.push(made.bundle(tmp_path, "pump"), {})
    remount = ["/usr/bin/mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)

    stick.fetch(offer, tmp_path / "into", go_on)

    assert "model.onnx" in contents(tmp_path / "into")
    calls: list[Callable[[], None]] = [
        lambda: stick.report(report("pump")),
        lambda: stick.leave("labels.json", b"{}"),
        lambda: stick.set_tag("pump", "edge.paused", "true"),
    ]
    for call in calls:
        with pytest.raises(RegistryUnavailable, match="read-only"):
            call()


def test_a_receipt_goes_back_with_the_stick(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """Whoever carries it can read at the centre what each gateway runs."""
    stick.report(report("pump"))

    text = (tmp_path / "stick/reported/gw-07.json").read_text()
    assert '"state": "shadow"' in text
    assert list(stick.reports()) == [report("pump")]


def test_the_same_report_writes_nothing(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """Sticks wear out."""
    stick.report(report("pump"))
    written = (tmp_path / "stick/reported/gw-07.json").stat().st_ino
    stick.report(report("pump"))

    assert (tmp_path / "stick/reported/gw-07.json").stat().st_ino == written


def test_a_spoilt_receipt_does_not_hide_the_others(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """One gateway's half-written stick must not blind the centre."""
    stick.report(report("pump"))
    for name in ("gw-06", "gw-08"):
        (tmp_path / f"stick/reported/{name}.json").write_bytes(b'{"gateway"')

    assert list(stick.reports()) == [report("pump")]


def test_a_receipt_of_an_older_agent_is_read(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """It says nothing of monitoring; one of a newer agent may say more."""
    stick.report(report("pump"))
    file = tmp_path / "stick/reported/gw-07.json"
    said = json.loads(file.read_bytes())
    observed = said["models"][0].pop("observed")
    file.write_text(json.dumps(said))
    (older,) = stick.reports()
    said["models"][0]["observed"] = {**observed, "mood": "fine"}
    file.write_text(json.dumps(said))

    assert older.models[0].observed == Observed()
    assert list(stick.reports()) == [report("pump")]


def test_labels_and_evidence_are_left_for_the_centre(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """In a folder of the gateway's own, never outside it."""
    stick.leave("labels/monday.json", b"{}")

    left = tmp_path / "stick/from-gateways/gw-07/labels/monday.json"
    assert left.read_bytes() == b"{}"
    for name in ("../other/x", "/etc/x", "", "a//b", "a\\b"):
        with pytest.raises(ModelRejected):
            stick.leave(name, b"")


@pytest.mark.parametrize("linked", ["reported", "from-gateways"])
def test_nothing_is_written_through_a_link(
    stick: DirectoryRegistry, tmp_path: Path, linked: str
) -> None:
    """A prepared stick could else have the agent write anywhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "stick" / linked).symlink_to(outside)

    def write() -> None:
        stick.report(report("pump"))
        stick.leave("x", b"")

    with pytest.raises(RegistryUnavailable):
        write()
    assert not any(outside.iterdir())


def test_steering_from_two_sides_loses_nothing(
    stick: DirectoryRegistry, tmp_path: Path
) -> None:
    """A halt set while somebody points an alias must not be undone by it."""

    def steer(word: str) -> None:
        desk = DirectoryRegistry(tmp_path / "stick")
        for number in range(20):
            desk.set_tag("pump", f"{word}{number}", "x")

    threads = [threading.Thread(target=steer, args=(word,)) for word in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(stick.listing("pump").tags) == 60
