"""A bucket is asked like a folder: what is needed is fetched, each object once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.store import S3Store

from edge_agent.errors import ArchiveUnavailable
from edge_agent.fleet.bucket import Bucket, Place
from edge_agent.fleet.compaction import compact
from edge_agent.fleet.lake import Lake
from edge_agent.fleet.losses import losses
from tests import peers
from tests.fleet.made import EVER, put
from tests.fleet.test_archive import lost
from tests.registry.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An S3 server with a bucket."""
    with ObjectStore(tmp_path_factory.mktemp("s3")) as store:
        yield store


@pytest.fixture
def place(server: ObjectStore, tmp_path: Path) -> Place:
    """An archive of its own for each test."""
    endpoint = server.environment["MLFLOW_S3_ENDPOINT_URL"].rstrip("/")
    prefix = f"plants/{tmp_path.name}"
    return Place("models", prefix, endpoint, "key", "secret")


def uploaded(place: Place, folder: Path) -> None:
    """Everything of a folder, as gateways upload it."""
    store = S3Store(
        place.bucket,
        prefix=place.prefix,
        config={
            "endpoint": place.endpoint,
            "access_key_id": "key",
            "secret_access_key": "secret",
            "region": "us-east-1",
            "virtual_hosted_style_request": False,
        },
        client_options={"allow_http": True},
    )
    for path in folder.rglob("*.parquet"):
        obstore.put(store, path.relative_to(folder).as_posix(), path.read_bytes())


def total(place: Place, cache: Path, **asked: str) -> tuple[int, Lake]:
    """Rows lost, by a new look at the bucket."""
    lake = Lake(Bucket(place, cache), replace(EVER, **asked))  # type: ignore[arg-type]
    with closing(lake):
        return sum(one.count for one in losses(lake)), lake


def gets(server: ObjectStore) -> int:
    """Objects that were fetched so far."""
    return sum(
        '"GET /models/' in line and "list-type" not in line for line in server.log()
    )


def test_each_object_is_fetched_once_and_only_where_it_is_needed(
    server: ObjectStore, place: Place, tmp_path: Path
) -> None:
    """Names of any kind come through, and the second question costs a listing."""
    folder, cache = tmp_path / "made", tmp_path / "cache"
    for site in ("north", "a/b ü", "100%25"):
        put(folder, "losses", site, "g", [lost(1)])
        put(folder, "losses", site, "g", [lost(2)])
    uploaded(place, folder)
    before = gets(server)

    only, _ = total(place, cache, site="a/b ü")
    after_one = gets(server)
    whole, lake = total(place, cache)
    after_all = gets(server)
    again, _ = total(place, cache)

    assert (only, whole, again) == (2, 6, 6)
    assert (after_one - before, after_all - before) == (2, 6)
    assert gets(server) == after_all
    assert lake.left_out == {}


def test_a_copy_that_is_damaged_is_fetched_anew(place: Place, tmp_path: Path) -> None:
    """The bucket is right, not the cache."""
    folder, cache = tmp_path / "made", tmp_path / "cache"
    put(folder, "losses", "s", "g", [lost(1)])
    uploaded(place, folder)
    total(place, cache)
    (copy,) = cache.rglob("*.parquet")
    copy.write_bytes(b"nothing")

    assert total(place, cache)[0] == 1


def test_what_is_damaged_in_the_bucket_is_left_out(
    place: Place, tmp_path: Path
) -> None:
    """It is named."""
    folder = tmp_path / "made"
    put(folder, "losses", "s", "g", [lost(1)])
    (one,) = put(folder, "losses", "s", "h", [lost(1)])
    (folder / str(one)).write_bytes(b"half")
    uploaded(place, folder)

    found, lake = total(place, tmp_path / "cache")

    assert (found, list(lake.left_out)) == (1, [str(one)])


def test_compaction_works_in_the_bucket(place: Place, tmp_path: Path) -> None:
    """One object of many; other caches forget what was replaced."""
    folder, mine, other = (tmp_path / name for name in ("made", "mine", "other"))
    for seq in range(4):
        put(folder, "losses", "s", "g", [lost(seq)])
    uploaded(place, folder)
    assert total(place, other)[0] == 4

    lake = Lake(Bucket(place, mine), EVER)
    done = compact(lake, "losses")
    lake.close()

    assert (done.before, done.after) == (4, 1)
    assert total(place, other)[0] == 4
    assert len(list(other.rglob("*.parquet"))) == 1


def test_a_store_that_does_not_answer_is_said(tmp_path: Path) -> None:
    """As an archive that cannot be read now."""
    place = Place("b", "", f"http://{peers.HOST}:{peers.free_port()}", "k", "s")

    with pytest.raises(ArchiveUnavailable, match="cannot be listed"):
        total(place, tmp_path)
