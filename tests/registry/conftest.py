"""Registries of every kind, as the contract's tests see them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from edge_agent.registry.directory import DirectoryRegistry
from tests.registry import made
from tests.registry.doubles import MemoryRegistry

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
        folder: for the test's own files.
        reconnect: the gateway's side anew, as after a restart.
    """

    desk: Desk
    registry: Registry
    name: str
    folder: Path

    def bundle(self, version: str = "1.0.0", **how: str) -> Path:
        """A bundle of this stage's model."""
        return made.bundle(self.folder / "bundles", self.name, version, **how)


@pytest.fixture(params=["directory", "memory"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """Every kind of registry in turn."""
    name = made.unused_name()
    match request.param:
        case "directory":
            (tmp_path / "stick").mkdir()
            stick = DirectoryRegistry(tmp_path / "stick", made.GATEWAY.name)
            return Stage(stick, stick, name, tmp_path)
        case _:
            memory = MemoryRegistry()
            return Stage(memory, memory, name, tmp_path)


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
