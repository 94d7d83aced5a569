"""The last configuration that was good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.config import lastgood, loading

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MAIN = """\
site: {{ enterprise: acme }}
gateway: gw
sources: {{ cell: {{ type: mqtt, host: 127.0.0.1 }} }}
assets: [ {{ type: pump, ids_csv: pumps.csv, tags_csv: conf.d/tags.csv }} ]
registry: {{ path: ../models }}
outputs: {{ scada: {{ type: mqtt, host: 127.0.0.1 }} }}
state_dir: {state}
"""
PART = "pipelines: { p: { assets: pump, model: m, score: { every: 1s } } }\n"


def written(folder: Path) -> Path:
    """A configuration of four files, and its state folder beside it."""
    config = folder / "etc"
    (config / "conf.d").mkdir(parents=True)
    (config / "agent.yaml").write_text(MAIN.format(state=folder / "state"))
    (config / "pumps.csv").write_text("id\nP-1\nP-2\n")
    (config / "conf.d" / "tags.csv").write_text(
        "role,source,topic\nflow,cell,pumps/{id}/flow\n"
    )
    (config / "conf.d" / "pumps.yaml").write_text(PART)
    return config


def test_a_broken_edit_leaves_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file of it, lists included, is as it was; other paths count from home."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    config = written(tmp_path)
    good = loading.read(config)
    lastgood.keep(config, good)
    (config / "pumps.csv").write_text("id\nP-1\nP-1\n")
    (config / "agent.yaml").write_text("gateway: [")

    kept = lastgood.kept(config)

    assert kept is not None
    assert kept.plant.tags.types[0].assets == ("P-1", "P-2")
    assert kept.config.registry.folder.resolve() == (tmp_path / "models").resolve()


def test_without_a_copy_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first start with a broken configuration has nothing to go back to."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))

    assert lastgood.kept(tmp_path) is None


def test_the_copy_of_another_configuration_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that was moved to another folder must not go back to the old plant."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    config = written(tmp_path)
    lastgood.keep(config, loading.read(config))

    assert lastgood.kept(config) is not None
    assert lastgood.kept(tmp_path / "other") is None


def test_a_disk_that_takes_no_copy_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state folder is a file: keeping fails in silence, the agent goes on."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    config = written(tmp_path)
    good = loading.read(config)
    (tmp_path / "state").write_text("not a folder")

    lastgood.keep(config, good)

    assert (tmp_path / "state").read_text() == "not a folder"
