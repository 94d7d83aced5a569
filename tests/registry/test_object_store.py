"""MLflow before an object store: files come from there, and are gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.errors import RegistryUnavailable
from tests.registry import made
from tests.registry.conftest import mlflow
from tests.registry.made import contents, go_on, stop_after
from tests.registry.mlflow_server import MlflowServer
from tests.registry.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.registry.listing import Offer

#: The first test waits for MLflow's start.
pytestmark = pytest.mark.timeout(120)

BIG = bytes(range(256)) * 16_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An S3 server."""
    with ObjectStore(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, store: ObjectStore
) -> Iterator[MlflowServer]:
    """MLflow with users that keeps its artifacts there."""
    folder = tmp_path_factory.mktemp("mlflow")
    with MlflowServer(folder, auth=True, store=store) as server:
        yield server


def _begun(server: MlflowServer, folder: Path) -> tuple[Path, Offer]:
    """A bundle of which a gateway has a part."""
    bundle = made.bundle(folder / "bundles", made.unused_name())
    (bundle / "weights.bin").write_bytes(BIG)
    desk = mlflow(server, "admin", server.password)
    offer = desk.push(bundle, {})
    with pytest.raises(RegistryUnavailable, match="stopped"):
        desk.fetch(offer, folder / "into", stop_after(3_000_000))
    return bundle, offer


def test_a_file_is_gone_on_with_at_the_store(
    server: MlflowServer, store: ObjectStore, tmp_path: Path
) -> None:
    """MLflow signs an address, the store gives the rest; no file passes MLflow."""
    before = len(server.asked())  # another test may have asked it first
    bundle, offer = _begun(server, tmp_path)
    user = made.unused_name()
    gateway = mlflow(server, user, server.add_user(user))

    gateway.fetch(offer, tmp_path / "into", go_on)

    assert contents(tmp_path / "into") == contents(bundle)
    assert "GET" in store.log()[-1]
    assert "weights.bin" in store.log()[-1]
    assert " 206 " in store.log()[-1]
    mine = server.asked()[before:]
    asked = [line for line in mine if "artifacts/artifacts/" in line]
    assert {line.split()[0] for line in asked} == {"PUT"}


def test_a_file_that_changed_in_the_store_comes_whole(
    server: MlflowServer, tmp_path: Path
) -> None:
    """The rest of another file is not joined to what is here."""
    _, offer = _begun(server, tmp_path)
    root = offer.locator.removeprefix("mlflow-artifacts:/")
    gateway = mlflow(server, "admin", server.password)
    upload = gateway._client.upload
    upload(f"{root}/weights.bin", len(BIG), [BIG[::-1]], "EDIT")

    gateway.fetch(offer, tmp_path / "into", go_on)

    assert (tmp_path / "into" / "weights.bin").read_bytes() == BIG[::-1]
