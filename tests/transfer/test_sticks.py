"""What is carried by hand arrives whole, once, and from whom it says; or not at all."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

from edge_agent.bundle import keys
from edge_agent.centre.names import Named, sha_of
from edge_agent.cli.main import main
from edge_agent.transfer import package
from tests.registry import made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLANT = {
    "site": {"enterprise": "acme", "site": "hamburg"},
    "gateway": "gw-07",
    "sources": {"cell": {"type": "mqtt", "host": "127.0.0.1"}},
    "assets": [
        {
            "type": "pump",
            "ids": ["P-1"],
            "tags": {"flow": {"source": "cell", "topic": "hall/{id}", "field": "f"}},
        }
    ],
    "pipelines": {
        "small": {"assets": "pump", "model": "small", "score": {"every": "1s"}}
    },
}


class Yard(NamedTuple):
    """A gateway, a centre and a stick between them."""

    gateway: Path
    centre: Path
    stick: Path

    def plant(self, **changed: object) -> Path:
        """The gateway's configuration, written anew."""
        text = {
            **PLANT,
            "registry": {
                "type": "directory",
                "path": str(self.gateway / "models"),
                "trusted_keys": [str(self.centre / "centre.pub")],
            },
            "outputs": {"scada": {"type": "mqtt", "host": "127.0.0.1"}},
            "centre": {"type": "directory", "path": str(self.gateway / "archive")},
            "state_dir": str(self.gateway / "state"),
            "runtime_dir": str(self.gateway / "run"),
            **changed,
        }
        path = self.gateway / "etc" / "agent.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(text), encoding="utf-8")
        return path

    def objects(self, count: int, table: str = "drift", first: int = 0) -> set[str]:
        """So many more objects in the gateway's archive."""
        names = set()
        for number in range(first, first + count):
            body = f"{table} {number}".encode() * 100
            day = f"2026-11-{number % 28 + 1:02d}"
            where = ("hamburg", "gw-07", day, number, number)
            name = str(Named(table, *where, sha_of(body)))
            path = self.gateway / "archive" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            names.add(name)
        return names

    def export(self, *more: str) -> int:
        """Pack on the stick."""
        config = str(self.gateway / "etc" / "agent.yaml")
        return main(["bundle", "export", str(self.stick), "--config", config, *more])

    def take(self, name: str = "from-gw-07-000001", *, key: Path | None = None) -> int:
        """Put a package into the centre's archive."""
        key = key or self.gateway / "state" / "evidence" / "gateway.pub"
        said = ["bundle", "take", str(self.stick / name)]
        said += ["--archive", str(self.centre / "archive"), "--gateway-key", str(key)]
        said += ["--key", str(self.centre / "centre.key")]
        return main([*said, "--receipt", str(self.centre / "receipts")])

    def pack(self, number: int, *more: str, gateway: str = "gw-07") -> int:
        """Make a package for the gateway."""
        said = ["bundle", "pack", str(self.stick), "--gateway", gateway]
        said += ["--number", str(number), "--key", str(self.centre / "centre.key")]
        return main([*said, *more])

    def bring(self, number: int, *more: str, gateway: str = "gw-07") -> int:
        """Take a package at the gateway."""
        name = str(self.stick / f"to-{gateway}-{number:06d}")
        config = str(self.gateway / "etc" / "agent.yaml")
        return main(["bundle", "import", name, "--config", config, *more])

    def archived(self) -> set[str]:
        """Names of the objects at the centre."""
        root = self.centre / "archive"
        return {p.relative_to(root).as_posix() for p in root.rglob("*.parquet")}


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """All three, with keys and a plant."""
    made_yard = Yard(tmp_path / "gateway", tmp_path / "centre", tmp_path / "stick")
    for folder in made_yard:
        folder.mkdir()
    centre = made_yard.centre
    keys.write_pair(centre / "centre.key", centre / "centre.pub", keys.made())
    (made_yard.gateway / "models").mkdir()
    made_yard.plant()
    return made_yard


def test_objects_go_once_and_come_back_as_receipts(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until the receipt is back they go again; then only what is new goes."""
    first = yard.objects(5) | yard.objects(3, "evidence")
    assert yard.export() == 0
    assert yard.take() == 0
    assert yard.archived() == first

    # the stick came back without a receipt, and there is more by now
    more = yard.objects(2, first=5)
    assert yard.export() == 0
    assert "10 objects" in capsys.readouterr().out
    assert yard.take("from-gw-07-000002") == 0
    assert "2 objects are new\n8 were there already" in capsys.readouterr().out
    assert yard.archived() == first | more

    receipts = sorted(map(str, (yard.centre / "receipts").iterdir()))
    assert yard.pack(1, "--receipt", receipts[0]) == 0
    assert yard.bring(1) == 0
    assert "8 objects have their receipt" in capsys.readouterr().out
    assert yard.export() == 0
    assert "2 objects" in capsys.readouterr().out
    assert yard.pack(2, "--receipt", receipts[1]) == 0
    assert yard.bring(2) == 0
    assert yard.export() == 1
    assert "every object has its receipt" in capsys.readouterr().err


def test_a_package_may_be_smaller_than_what_waits(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """The oldest days go first; the rest is named."""
    yard.objects(30)
    assert yard.export("--largest", "0") == 0
    said = capsys.readouterr().out
    assert "1 objects" in said
    assert "29 objects are left" in said


def spoil(path: Path) -> None:
    """Change one byte."""
    body = bytearray(path.read_bytes())
    body[7] ^= 1
    path.write_bytes(bytes(body))


def link(path: Path) -> None:
    """Put a link where a file was."""
    path.unlink()
    path.symlink_to("/etc/passwd")


def _any_object(folder: Path) -> Path:
    return min(folder.rglob("*.parquet"))


HARM: dict[str, Callable[[Path], object]] = {
    "a byte": lambda folder: spoil(_any_object(folder)),
    "cut short": lambda folder: _any_object(folder).write_bytes(b"d"),
    "gone": lambda folder: _any_object(folder).unlink(),
    "one too many": lambda folder: (folder / "objects" / "x.sh").write_text("rm"),
    "a link": lambda folder: link(_any_object(folder)),
    "the manifest": lambda folder: spoil(folder / package.MANIFEST),
    "no manifest": lambda folder: (folder / package.MANIFEST).unlink(),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_of_a_package_that_was_changed_nothing_is_taken(
    yard: Yard, harm: Callable[[Path], object]
) -> None:
    """Damaged or tampered with: the archive stays as it is."""
    yard.objects(3)
    assert yard.export() == 0
    harm(yard.stick / "from-gw-07-000001")

    assert yard.take() == 1
    assert yard.archived() == set()


def test_a_stranger_and_another_gateway_are_refused(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who signs must be trusted, and speaks for itself alone."""
    yard.objects(2)
    assert yard.export() == 0
    stranger = yard.stick / "stranger"
    keys.write_pair(stranger, stranger.with_suffix(".pub"), keys.made())
    assert yard.take(key=stranger.with_suffix(".pub")) == 1
    assert "not signed by a trusted key" in capsys.readouterr().err

    body = b"not ours" * 50
    other = Named("drift", "hamburg", "gw-08", "2026-11-01", 1, 2, sha_of(body))
    path = yard.gateway / "archive" / str(other)
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    assert yard.export() == 0
    assert yard.take("from-gw-07-000002") == 1
    assert "its own objects only" in capsys.readouterr().err
    assert yard.archived() == set()


def test_an_export_that_was_cut_off_is_gone_on_with(yard: Yard) -> None:
    """A half package has no manifest; made again it keeps what it has."""
    yard.objects(4)
    assert yard.export() == 0
    folder = yard.stick / "from-gw-07-000001"
    one = _any_object(folder)
    before = one.stat().st_mtime_ns
    (folder / package.MANIFEST).unlink()
    shutil.rmtree(yard.gateway / "state" / "transfer")

    assert yard.export() == 0
    assert one.stat().st_mtime_ns == before
    assert yard.take() == 0


def test_models_and_configuration_come_to_the_gateway(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model lies in the registry, the files are replaced, those of before kept."""
    model = made.bundle(yard.centre / "bundles", "small", "1.2.0")
    config = yard.plant()
    before = config.read_text("utf-8")
    wanted = yaml.safe_load(before) | {"language": "de"}
    (yard.centre / "conf").mkdir()
    new = yard.centre / "conf" / "agent.yaml"
    new.write_text(yaml.safe_dump(wanted), encoding="utf-8")

    packed = ("--model", str(model), "--configuration", str(new))
    assert yard.pack(3, *packed) == 0
    assert yard.bring(3) == 0

    said = capsys.readouterr().out
    assert "model small@1.2.0" in said
    assert "systemctl restart edge-agent" in said
    assert made.contents(yard.gateway / "models" / "small" / "1.2.0") == made.contents(
        model
    )
    assert yaml.safe_load(config.read_text("utf-8"))["language"] == "de"
    kept = yard.gateway / "state" / "transfer" / "before" / "000003" / "agent.yaml"
    assert kept.read_text("utf-8") == before


def test_a_wrong_configuration_changes_nothing(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the files nor the models of its package are taken."""
    model = made.bundle(yard.centre / "bundles", "small", "1.2.0")
    config = yard.plant()
    before = config.read_text("utf-8")
    new = yard.centre / "agent.yaml"
    new.write_text(before.replace("pump", "pmup", 1), encoding="utf-8")

    assert yard.pack(1, "--model", str(model), "--configuration", str(new)) == 0
    assert yard.bring(1) == 78
    assert "pmup" in capsys.readouterr().err
    assert config.read_text("utf-8") == before
    assert not (yard.gateway / "models" / "small").exists()


def test_old_and_foreign_packages_are_refused(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old stick brings nothing back; --again insists."""
    model = ("--model", str(made.bundle(yard.centre / "bundles", "small", "1.0.0")))
    assert yard.pack(2, *model) == 0
    assert yard.bring(2) == 0
    assert yard.bring(2) == 1
    assert "old stick" in capsys.readouterr().err
    assert yard.bring(2, "--again") == 0
    assert yard.pack(3, *model, gateway="gw-09") == 0
    assert yard.bring(3, gateway="gw-09") == 1
    assert "is for gw-09" in capsys.readouterr().err


def test_without_a_trusted_key_nothing_is_imported(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody can make a package; --trust names whose count."""
    path = str(yard.gateway / "models")
    yard.plant(registry={"type": "directory", "path": path})
    model = made.bundle(yard.centre / "bundles", "small", "1.0.0")
    assert yard.pack(1, "--model", str(model)) == 0
    assert yard.bring(1) == 78
    assert "no key is trusted" in capsys.readouterr().err
    assert yard.bring(1, "--trust", str(yard.centre / "centre.pub")) == 0


def test_a_receipt_of_another_package_is_refused(yard: Yard) -> None:
    """What the gateway did not send was not received."""
    yard.objects(2)
    assert yard.export() == 0
    assert yard.take() == 0
    receipt = next((yard.centre / "receipts").iterdir())
    envelope = json.loads(receipt.read_text("utf-8"))
    assert envelope["signatures"]
    shutil.rmtree(yard.gateway / "state" / "transfer")
    yard.objects(1, first=9)
    assert yard.export() == 0  # another package with the same number

    assert yard.pack(1, "--receipt", str(receipt)) == 0
    assert yard.bring(1) == 1


def test_a_stick_that_is_not_there_and_a_folder_of_packages_are_told(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written where no stick is mounted; the right name is proposed."""
    yard.objects(1)
    yard.stick.rmdir()
    assert yard.export() == 78
    assert "is the stick mounted" in capsys.readouterr().err
    assert not yard.stick.exists()

    yard.stick.mkdir()
    assert yard.export() == 0
    config = str(yard.gateway / "etc" / "agent.yaml")
    assert main(["bundle", "import", str(yard.stick), "--config", config]) == 1
    assert "from-gw-07-000001" in capsys.readouterr().err


def test_a_gateway_without_an_archive_is_told_what_to_write(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """It cannot pack what it does not keep."""
    yard.plant(centre=None)
    assert yard.export() == 78
    assert "centre: {type: directory" in capsys.readouterr().err
