"""Registries of every kind, as the contract's tests see them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from edge_agent.config import schema
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.listing import Gateway
from edge_agent.registry.mlflow.registry import MlflowRegistry
from edge_agent.registry.opening import open_registry
from tests.registry import made
from tests.registry.doubles import MemoryRegistry
from tests.registry.mlflow_server import MlflowServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.registry.registry import Desk, Registry


@dataclass
class Stage:
    """One registry, seen from both sides.

    Attributes:
        desk: as the centre uses it.
        registry: as a gateway uses it.
        name: a model's name that nobody else uses.
        gateway: who asks; nobody else has its name.
        folder: for the test's own files.
    """

    desk: Desk
    registry: Registry
    name: str
    gateway: Gateway
    folder: Path

    def bundle(self, version: str = "1.0.0", **how: str) -> Path:
        """A bundle of this stage's model."""
        return made.bundle(self.folder / "bundles", self.name, version, **how)


@pytest.fixture(scope="session")
def mlflow_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """MLflow that lets anybody in; shared, because a start costs 20 s of CPU."""
    with MlflowServer(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """MLflow with users, who may read everything; shared."""
    with MlflowServer(tmp_path_factory.mktemp("guarded"), auth=True) as server:
        yield server


def mlflow(
    server: MlflowServer, user: str = "", password: str | None = None
) -> MlflowRegistry:
    """A client of a server, as its configuration would make it."""
    settings = schema.Registry(type="mlflow", url=server.url, user=user or None)
    opened = open_registry(settings, Gateway(user or "gw-07"), password=password)
    assert isinstance(opened, MlflowRegistry)
    return opened


@pytest.fixture(params=["directory", "memory", "mlflow", "mlflow with users"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """Every kind of registry in turn."""
    name = made.unused_name()
    gateway = Gateway(f"gw-{name}", "hamburg")
    match request.param:
        case "directory":
            (tmp_path / "stick").mkdir()
            stick = DirectoryRegistry(tmp_path / "stick", gateway.name)
            return Stage(stick, stick, name, gateway, tmp_path)
        case "memory":
            memory = MemoryRegistry()
            return Stage(memory, memory, name, gateway, tmp_path)
        case "mlflow":
            server = request.getfixturevalue("mlflow_open")
            return Stage(mlflow(server), mlflow(server), name, gateway, tmp_path)
        case _:
            server = request.getfixturevalue("mlflow_guarded")
            desk = mlflow(server, "admin", server.password)
            own = mlflow(server, gateway.name, server.add_user(gateway.name))
            return Stage(desk, own, name, gateway, tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["/usr/bin/umount", "-l", str(folder)], check=True)
