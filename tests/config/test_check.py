"""`edge-agent check` in the hands of a person and of a script."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

import pytest

from edge_agent.bundle.passport import load
from edge_agent.cli import check, schema
from edge_agent.config.published import schema_text
from tests import peers
from tests.config.plants import written
from tests.opcua.plants import URI, Plc

BUNDLES = Path(__file__).with_name("models")


def run(*arguments: str | Path) -> int:
    """The command as the shell would start it."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    check.add_parser(commands)
    schema.add_parser(commands)
    parsed = parser.parse_args([str(argument) for argument in arguments])
    code: int = parsed.run(parsed)
    return code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose model is there."""
    return written(tmp_path, ("path: models", f"path: {BUNDLES}"))


def test_a_right_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0, and in a few lines what the agent would do."""
    assert run("check", "--config", folder) == 0
    said = capsys.readouterr()
    assert said.err == ""
    first, *rest = said.out.splitlines()
    assert first.startswith("The configuration is right: 4 tags, sha256 ")
    assert rest == [
        "  source    plc1     opcua, 2 tags",
        "  source    cell     mqtt, 2 tags",
        "  assets    pump     2",
        "  pipeline  anomaly  pump, model pump-anomaly@1.0.0",
        "  output    scada    127.0.0.1",
    ]


def test_the_shipped_examples_fit_the_shipped_model() -> None:
    """config/ and models/ belong together: tags, units, version."""
    assert run("check", "--config", BUNDLES.parents[2] / "config") == 0


def test_a_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 78, every problem on stderr, nothing on stdout."""
    folder = written(tmp_path, ("unit: bar", "unit: baar"), ("every: 1s", "every: 1"))
    assert run("check", "--config", folder) == 78
    said = capsys.readouterr()
    assert said.out == ""
    assert "agent.yaml:13:15: assets[pump].tags.pressure.unit: " in said.err
    assert said.err.endswith("2 problems found.\n")


def test_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json says the same on stdout, whether right or wrong."""
    assert run("check", "--json", "--config", folder) == 0
    right = json.loads(capsys.readouterr().out)
    assert right["ok"] is True
    assert right["summary"]["pipelines"]["anomaly"]["model"] == "pump-anomaly@1.0.0"
    written(folder, ("gateway: gw-07", "gateway: gw 07"))
    assert run("check", "--json", "--config", folder) == 78
    wrong = json.loads(capsys.readouterr().out)
    (problem,) = wrong["problems"]
    assert wrong["ok"] is False
    assert (problem["line"], problem["col"]) == (2, 10)
    assert "did you mean 'gw-07'?" in problem["hint"]


def test_the_model_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pipeline's line is named, and what the registry has."""
    folder = written(
        tmp_path, ("path: models", f"path: {BUNDLES}"), ("pump-anomaly", "pomp-anomaly")
    )
    assert run("check", "--config", folder) == 78
    said = capsys.readouterr().err
    assert "agent.yaml:19:12: pipelines.anomaly.model: " in said
    assert "has no model 'pomp-anomaly'; it has pump-anomaly" in said


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("unit: mm/s", "unit: m/s", "expects 'vibration' in mm/s, not in m/s"),
        (", unit: mm/s", "", "expects 'vibration' in mm/s, not in no unit"),
        ("vibration:", "vibrations:", "the model needs the tag 'vibration'"),
        ("rms, unit: mm/s", "rms, text: true", "needs 'vibration' as a number"),
        ("{ every: 1s }", "{ every: 1s }\n    roles: { q: pressure }", "no tag 'q'"),
    ],
)
def test_the_model_does_not_fit(
    old: str, new: str, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tags, units and kinds are compared with the model's passport."""
    written(folder, ("path: models", f"path: {BUNDLES}"), (old, new))
    assert run("check", "--config", folder) == 78
    assert expected in capsys.readouterr().err


def test_other_names_are_mapped(folder: Path) -> None:
    """roles: says which tag of the plant is which of the model."""
    roles = "{ every: 1s }\n    roles: { vibration: v }"
    edits = ("vibration:", "v:"), ("{ every: 1s }", roles)
    written(folder, ("path: models", f"path: {BUNDLES}"), *edits)
    assert run("check", "--config", folder) == 0


def test_the_same_unit_spelt_otherwise(folder: Path) -> None:
    """The model's degC is the plant's °C; nothing is wrong."""
    passport = load(BUNDLES / "pump-anomaly" / "1.0.0")
    assert passport.tags["pressure"].unit == "bar"
    extra = "unit: mm/s }\n      heat: { source: plc1, node: 'ns=2;s={id}', unit: °C }"
    mapped = "pump-anomaly@1.1.0\n    roles: { temperature: heat }"
    edits = ("unit: mm/s }", extra), ("pump-anomaly@1.0.0", mapped)
    written(folder, ("path: models", f"path: {BUNDLES}"), *edits)
    assert run("check", "--config", folder) == 0


def test_files_around_it_are_looked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password file open to all and a missing CA are told before the night shift."""
    (folder / "p").write_text("s3cret\n")
    (folder / "p").chmod(0o644)
    extra = "user: u, password_file: p, tls: { ca_file: ca.pem } }\nassets"
    edits = ("path: models", f"path: {BUNDLES}"), ("127.0.0.1 }\nassets", "h, " + extra)
    written(folder, *edits)
    assert run("check", "--config", folder) == 78
    said = capsys.readouterr().err
    assert f"chmod o-rwx {folder / 'p'}" in said
    assert f"sources.cell.tls.ca_file: there is no file {folder / 'ca.pem'}" in said


def test_connect_reaches_the_broker(
    folder: Path,
    mosquitto: peers.Mosquitto,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only what cannot be reached is a problem, with exit code 69."""
    port = f"host: 127.0.0.1, port: {mosquitto.port} }}"
    server = f"opc.tcp://127.0.0.1:{peers.free_port()}"
    written(
        folder,
        ("path: models", f"path: {BUNDLES}"),
        ("host: 127.0.0.1 }", port),
        ("host: 127.0.0.1 }", port),
        ("opc.tcp://192.0.2.5:4840", server),
        ("gateway: gw-07", f"gateway: gw-07\nstate_dir: {folder}"),
    )
    assert run("check", "--connect", "--config", folder) == 69
    said = capsys.readouterr().err
    assert "agent.yaml:5:9: sources.plc1: " in said
    assert said.endswith("1 problem found.\n")


def test_connect_reaches_the_centre(
    folder: Path,
    mosquitto: peers.Mosquitto,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A share that is not mounted is found before the agent runs; a secret without."""
    port = f"host: 127.0.0.1, port: {mosquitto.port} }}"
    gone = "gateway: gw-07\ncentre: { type: directory, path: share }"
    written(
        folder,
        ("path: models", f"path: {BUNDLES}"),
        ("host: 127.0.0.1 }", port),
        ("host: 127.0.0.1 }", port),
        ("opc.tcp://192.0.2.5:4840", f"opc.tcp://127.0.0.1:{peers.free_port()}"),
        ("gateway: gw-07", f"{gone}\nstate_dir: {folder}"),
    )
    assert run("check", "--connect", "--config", folder) == 69
    said = capsys.readouterr().err
    assert "agent.yaml:3:9: centre: " in said
    assert f"{folder / 'share'}: there is no such folder: mount the share" in said

    (folder / "secret").write_text("secret")
    (folder / "secret").chmod(0o644)
    store = (
        "centre: { type: s3, endpoint: https://192.0.2.1, bucket: archive, "
        "access_key: gw-07, password_file: secret }"
    )
    text = (folder / "agent.yaml").read_text()
    (folder / "agent.yaml").write_text(
        text.replace("centre: { type: directory, path: share }", store)
    )
    assert run("check", "--config", folder) == 78
    assert "chmod o-rwx" in capsys.readouterr().err


async def test_connect_reads_every_node(
    folder: Path,
    mosquitto: peers.Mosquitto,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With every node and broker there, all is well; a missing node is named."""
    port = f"host: 127.0.0.1, port: {mosquitto.port} }}"
    async with Plc() as plc:
        await plc.add("P-101", 1.5)
        written(
            folder,
            ("path: models", f"path: {BUNDLES}"),
            ("host: 127.0.0.1 }", port),
            ("host: 127.0.0.1 }", port),
            ("opc.tcp://192.0.2.5:4840' }", f"{plc.endpoint}', security: None }}"),
            ('ns=3;s="DB_{id}"."Temp"[3]', f"nsu={URI};s={{id}}"),
            ("gateway: gw-07", f"gateway: gw-07\nstate_dir: {folder}"),
        )
        command = ("check", "--connect", "--config", folder)
        assert await asyncio.to_thread(run, *command) == 69
        said = capsys.readouterr().err
        assert said.count("sources.plc1: ") == 1
        assert "P-102" in said
        await plc.add("P-102", 2.5)
        assert await asyncio.to_thread(run, *command) == 0


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """Ready to be saved beside agent.yaml."""
    assert run("schema") == 0
    assert capsys.readouterr().out == schema_text()
