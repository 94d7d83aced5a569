"""Good configurations: what a person wrote is what the agent gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import loading
from edge_agent.config.schema import MqttSource, OpcUaSource, Security
from tests.config.plants import WHOLE, written


def test_a_file_alone(tmp_path: Path) -> None:
    """A single file is a whole configuration; conf.d beside it is not read."""
    folder = written(tmp_path, a_yaml="gateway: other\n")
    config = loading.load(folder / "agent.yaml")
    assert config.gateway == "gw-07"


def test_a_folder_is_merged_by_section(tmp_path: Path) -> None:
    """Sources, pipelines, outputs and asset groups come from every file."""
    folder = written(
        tmp_path,
        **{
            "10_yaml": "sources:\n  plc2: { type: opcua, endpoint: 'opc.tcp://h:1' }\n",
            "20_yaml": "assets:\n  - type: fan\n    ids: [F-1]\n    tags:\n"
            "      speed: { source: plc2, node: 'ns=2;s=N', unit: rpm }\n",
            "30_yaml": "# nothing in here yet\n",
            "40_txt": "not: [read",
        },
    )
    loaded = loading.read(folder)
    assert list(loaded.config.sources) == ["plc1", "cell", "plc2"]
    assert [kind.name for kind in loaded.plant.tags.types] == ["pump", "fan"]
    assert [path.name for path in loaded.files] == [
        "agent.yaml",
        "10.yaml",
        "20.yaml",
        "30.yaml",
    ]


def test_a_siemens_id_pastes_unquoted(tmp_path: Path) -> None:
    """Quotes, brackets and semicolons of a Siemens address need no care."""
    plant = loading.read(written(tmp_path)).plant
    addresses = [binding.address for binding in plant.bindings["plc1"]]
    assert addresses == ['ns=3;s="DB_P-101"."Temp"[3]', 'ns=3;s="DB_P-102"."Temp"[3]']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("1e3", "1e3"),
        ("true", "true"),
        ("'null'", "null"),
    ],
)
def test_names_stay_as_written(text: str, expected: str, tmp_path: Path) -> None:
    """YAML's guesses at booleans, octals and dates do not reach names."""
    folder = written(tmp_path, ("gateway: gw-07", f"gateway: {text}"))
    assert loading.load(folder).gateway == expected


def test_numbers_where_text_is_wanted(tmp_path: Path) -> None:
    """Asset 0815 and protocol version 5 need no quotes."""
    folder = written(
        tmp_path,
        ("ids: [P-101, P-102]", "ids: [0815, 4711]"),
        ("host: 127.0.0.1 }\nassets", "host: 127.0.0.1, version: 5 }\nassets"),
    )
    config = loading.load(folder)
    source = config.sources["cell"]
    assert config.assets[0].ids == ("0815", "4711")
    assert isinstance(source, MqttSource)
    assert source.version == "5"


def test_none_is_a_security_mode(tmp_path: Path) -> None:
    """None is the mode's name, not an absent value."""
    folder = written(tmp_path, ("4840' }", "4840', security: None }"))
    source = loading.load(folder).sources["plc1"]
    assert isinstance(source, OpcUaSource)
    assert source.security is Security.NONE


def test_null_means_the_default(tmp_path: Path) -> None:
    """A person who writes null says: as if the key were not there."""
    folder = written(tmp_path, ("unit: bar", "unit: bar\n        max_age: null"))
    assert loading.read(folder).plant.bindings["plc1"][0].max_age is None


def test_windows_line_ends(tmp_path: Path) -> None:
    """A file edited on Windows reads the same."""
    (tmp_path / "agent.yaml").write_text(WHOLE, newline="\r\n")
    assert loading.load(tmp_path) == loading.load(written(tmp_path))


def test_relative_paths_count_from_their_file(tmp_path: Path) -> None:
    """conf.d/x.yaml names conf.d/ca.pem as ca.pem; absolute paths stay."""
    tls = "{ ca_file: ca.pem, cert_file: /etc/gw.crt, key_file: gw.key }"
    folder = written(
        tmp_path,
        x_yaml=f"outputs:\n  mes: {{ type: mqtt, host: mes, tls: {tls} }}\n",
    )
    config = loading.load(folder)
    used = config.outputs["mes"].tls
    assert used is not None
    assert used.ca_file == folder / "conf.d" / "ca.pem"
    assert used.cert_file == Path("/etc/gw.crt")
    assert config.registry.folder == folder / "models"


def test_the_digest_tells_a_change(tmp_path: Path) -> None:
    """Equal files have equal digests; one more space is a change, in lists too."""
    edit = ("ids: [P-101, P-102]", "ids_csv: pumps.csv")
    folder = written(tmp_path, edit)
    (folder / "pumps.csv").write_text("id\nP-101\n")
    first = loading.digest(folder)
    assert first == loading.digest(folder)
    (folder / "pumps.csv").write_text("id\nP-101 \n")
    assert first != loading.digest(folder)


def test_a_later_problem_finds_its_line(tmp_path: Path) -> None:
    """What only the model's check can know is told at the operator's line."""
    folder = written(tmp_path)
    problem = loading.read(folder).problem(("pipelines", "anomaly", "model"), "no")
    assert (problem.line, problem.col) == (19, 12)
    assert problem.message == "pipelines.anomaly.model: no"


def test_a_copy_counts_from_home(tmp_path: Path) -> None:
    """A last good copy finds models where they were, its lists beside itself."""
    copy, home = tmp_path / "copy", tmp_path / "home"
    copy.mkdir()
    group = "assets:\n  - type: fan\n    ids_csv: fans.csv\n    tags:\n"
    tag = "      n: { source: plc1, node: 'ns=2;s={id}' }\n"
    tls = "outputs:\n  mes: { type: mqtt, host: mes, tls: { ca_file: ca.pem } }\n"
    written(copy, a_yaml=group + tag + tls)
    (copy / "conf.d" / "fans.csv").write_text("id\nF-1\n")
    loaded = loading.read(copy, home=home)
    used = loaded.config.outputs["mes"].tls
    assert used is not None
    assert used.ca_file == home / "conf.d" / "ca.pem"
    assert loaded.config.registry.folder == home / "models"
    assert loaded.config.assets[1].ids_csv == copy / "conf.d" / "fans.csv"
