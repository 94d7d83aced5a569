"""Archives of every kind, as the contract's tests see them."""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from edge_agent.centre.bucket import Bucket, open_bucket
from edge_agent.config.keeping import Centre
from tests.centre.servers import SECRET, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Archive:
    """One archive that nobody else uses.

    Attributes:
        settings: as an operator writes them.
        password: the secret key.
    """

    settings: Centre
    password: str | None

    @property
    def bucket(self) -> Bucket:
        """It, opened anew."""
        return open_bucket(self.settings, self.password)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that follows the protocol; shared."""
    with Server(tmp_path_factory.mktemp("moto"), "moto") as server:
        yield server


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets nobody in without the secret; shared."""
    with Server(tmp_path_factory.mktemp("rclone"), "rclone") as server:
        yield server


@pytest.fixture(params=["directory", "moto", "rclone"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    """Every kind in turn."""
    if request.param == "directory":
        (tmp_path / "share").mkdir()
        return Archive(Centre(path=tmp_path / "share", prefix="plants/a"), None)
    server: Server = request.getfixturevalue(request.param)
    return Archive(server.settings(f"plants/{secrets.token_hex(4)}"), SECRET)


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
