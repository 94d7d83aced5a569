"""`edge-agent model push` and `list`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from edge_agent.cli.main import main
from edge_agent.registry.directory import DirectoryRegistry
from tests.registry import made
from tests.registry.conftest import mlflow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.registry.mlflow_server import MlflowServer


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty stick."""
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def test_a_pushed_bundle_is_listed(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its alias, who approved it, and what halts it."""
    where = ["--registry", str(stick)]
    for version, more in (("1.0.0", []), ("1.1.0", ["--alias", "canary"])):
        bundle = str(made.bundle(tmp_path, "pump", version))
        command = ["model", "push", bundle, "--approved-by", "jane", *more, *where]
        assert main(command) == 0
    DirectoryRegistry(stick).set_tag("pump", "edge.halted.1.0.0", "it\x1b[2J lied")
    assert "pump@canary points at 1.1.0" in capsys.readouterr().out

    assert main(["model", "list", *where]) == 0
    table = capsys.readouterr().out.splitlines()
    assert main(["model", "list", "pump", "--json", *where]) == 0
    told = json.loads(capsys.readouterr().out)[0]

    assert "halted: it?[2J lied" in table[1]
    assert "canary" in table[2]
    assert told["aliases"] == {"canary": "1.1.0"}
    assert {v["edge.approved_by"] for v in told["versions"]} == {"jane"}


@pytest.mark.timeout(120)
def test_the_same_commands_speak_to_mlflow(
    mlflow_guarded: MlflowServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a user whose password is in a file that only we may read."""
    word = tmp_path / "password"
    word.touch(mode=0o600)
    word.write_text(mlflow_guarded.password)
    name = made.unused_name()
    where = ["--registry", mlflow_guarded.url, "--user", "admin"]
    where += ["--password-file", str(word)]

    bundle = str(made.bundle(tmp_path, name))
    assert main(["model", "push", bundle, "--alias", "champion", *where]) == 0
    assert main(["model", "list", name, *where]) == 0

    assert f"{name}@champion points at 1" in capsys.readouterr().out
    desk = mlflow(mlflow_guarded, "admin", mlflow_guarded.password)
    assert desk.listing(name).aliases == {"champion": "1"}


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        (["--registry", "https://user:word@host"], 78, "--password-file"),
        (["--registry", "http://127.0.0.1:1"], 69, "no link"),
        (["--registry", "/nowhere/stick"], 69, "stick or share"),
        (["--config", "/nowhere/agent.yaml"], 78, "agent.yaml"),
    ],
)
def test_a_registry_that_cannot_be_used_is_told(
    where: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By an exit code for scripts and a sentence for people."""
    assert main(["model", "list", *where]) == code
    assert said in capsys.readouterr().err


def test_a_wrong_bundle_is_not_pushed(
    stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and the stick stays empty."""
    command = ["model", "push", str(tmp_path), "--registry", str(stick)]

    assert main(command) == 1
    assert "passport.yaml" in capsys.readouterr().err
    assert not any(stick.iterdir())


def test_a_stick_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Its mount point would else be filled, and nobody notices."""
    bundle = str(made.bundle(tmp_path, "pump"))
    missing = tmp_path / "mount" / "stick"

    assert main(["model", "push", bundle, "--registry", str(missing)]) == 69
    assert not missing.exists()
