"""The contract of an archive, on a folder and on two S3 servers."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.centre.bucket import open_bucket
from edge_agent.config.keeping import Centre
from edge_agent.errors import SinkLost
from tests import peers
from tests.centre.servers import BUCKET, SECRET, Cutter, Scripted, Server, Tunnel
from tests.certificates import make_certificates

if TYPE_CHECKING:
    from tests.centre.conftest import Archive

NAME = "predictions/site=ha%20mburg/gateway=gw-07/day=2026-01-02/0-1-ab.parquet"


async def test_an_object_is_put_listed_read_and_removed(archive: Archive) -> None:
    """What was put is listed with its size, read back, and gone once removed."""
    bucket = archive.bucket
    await bucket.check()
    await bucket.send(NAME, b"PAR1 body")
    assert bucket.names("predictions") == [(NAME, 9)]
    assert bucket.names() == [(NAME, 9)]
    assert bucket.names("predictions/site=ha%20mburg") == [(NAME, 9)]
    assert bucket.get(NAME) == b"PAR1 body"
    bucket.remove([NAME, NAME])
    assert bucket.names("predictions") == []


async def test_the_same_object_again_is_a_success(archive: Archive) -> None:
    """A repeated upload succeeds and leaves one object."""
    for _ in range(2):
        await archive.bucket.send(NAME, b"same")
    archive.bucket.put(NAME, b"same")
    assert archive.bucket.names() == [(NAME, 4)]
    assert archive.bucket.get(NAME) == b"same"


async def test_a_large_object_is_one_request(archive: Archive) -> None:
    """Twelve megabytes arrive whole, in one piece and not as parts."""
    body = os.urandom(12 << 20)
    await archive.bucket.send(NAME, body)
    assert archive.bucket.get(NAME) == body


async def test_a_wrong_secret_is_refused_with_what_to_do(rclone: Server) -> None:
    """Both the look at the start and a PUT say which setting to check."""
    bucket = open_bucket(rclone.settings("plants/x"), "guessed")
    with pytest.raises(SinkLost, match=r"let this gateway in.*password_file"):
        await bucket.check()
    with pytest.raises(SinkLost, match=r"let this gateway in.*password_file"):
        await bucket.send(NAME, b"body")


async def test_a_bucket_that_is_not_there_is_named(moto: Server) -> None:
    """A missing bucket is told with its name."""
    bucket = open_bucket(moto.settings(bucket="elsewhere"), SECRET)
    with pytest.raises(SinkLost, match=r"elsewhere.*not there.*make it"):
        await bucket.check()


async def test_nothing_comes_from_the_environment(
    rclone: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, addresses and proxies of the environment are not used, and stay there."""
    for key, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_SKIP_SIGNATURE": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(key, value)
    bucket = open_bucket(rclone.settings("plants/environment"), SECRET)
    await bucket.send(NAME, b"body")
    assert bucket.get(NAME) == b"body"
    assert os.environ["AWS_SESSION_TOKEN"] == "other"


async def test_no_request_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are signed with the configured key, whatever the environment has."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    with Scripted(lambda _: 200) as server:
        await open_bucket(server.settings(), SECRET).send(NAME, b"body")
        assert all("Credential=gw-07/" in one for one in server.authorities)
        assert server.puts[0][0].startswith(f"/{BUCKET}/predictions/")


async def test_through_a_proxy(moto: Server) -> None:
    """With a proxy every request goes there."""
    with Scripted(lambda _: 200) as proxy:
        settings = moto.settings(proxy=proxy.url, endpoint="http://192.0.2.1:80")
        await open_bucket(settings, SECRET).send(NAME, b"body")
        assert proxy.puts[0][0].startswith("http://192.0.2.1")


async def test_an_own_authority_is_trusted_and_a_strange_one_not(
    tmp_path: Path,
) -> None:
    """TLS is verified against ca_file; without it the sentence names that key."""
    tls = make_certificates(tmp_path / "pki")
    with Server(tmp_path / "rclone", "rclone", tls) as server:
        trusted = open_bucket(server.settings("a", ca_file=tls.ca), SECRET)
        await trusted.send(NAME, b"body")
        assert trusted.get(NAME) == b"body"
        with pytest.raises(SinkLost, match="ca_file"):
            await open_bucket(server.settings("a"), SECRET).send(NAME, b"body")
        with Tunnel() as proxy:
            settings = server.settings("b", ca_file=tls.ca, proxy=proxy.url)
            await open_bucket(settings, SECRET).send(NAME, b"body")
            assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]


@pytest.mark.parametrize("status", [500, 502, 503, 429, 507])
async def test_a_store_in_trouble_is_tried_once(status: int) -> None:
    """An error of the store is a lost link at once: waiting is the supervisor's."""
    with Scripted(lambda _: status) as server:
        with pytest.raises(SinkLost, match="not reached"):
            await open_bucket(server.settings(), SECRET).send(NAME, b"body")
        # once by us; the HTTP client may say it again where a connection was closed
        assert len(server.puts) <= 2


async def test_a_store_without_conditions_gets_a_plain_put() -> None:
    """Where If-None-Match is not implemented the same bytes are put without it."""
    with Scripted(lambda number: 200 if number else 501) as server:
        bucket = open_bucket(server.settings(), SECRET)
        await bucket.send(NAME, b"body")
        await bucket.send(NAME, b"body")
        assert len(server.puts) == 3


async def test_a_store_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hanging request ends by itself, and at once when it is cancelled."""
    monkeypatch.setattr("edge_agent.centre.bucket.ANSWER", 0.3)
    with Scripted(lambda _: None) as server:
        bucket = open_bucket(server.settings(), SECRET)
        with pytest.raises(SinkLost, match="does not answer"):
            await bucket.send(NAME, b"body")
        monkeypatch.setattr("edge_agent.centre.bucket.ANSWER", 60)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await bucket.send(NAME, b"body")
        assert time.monotonic() - began < 10


async def test_nobody_there() -> None:
    """A closed port is a lost link with the address in it."""
    port = peers.free_port()
    settings = Centre(
        type="s3",
        endpoint=f"http://127.0.0.1:{port}",
        bucket=BUCKET,
        access_key="k",
    )
    with pytest.raises(SinkLost, match=str(port)):
        await open_bucket(settings, SECRET).check()


async def test_a_cut_in_the_middle_leaves_nothing(rclone: Server) -> None:
    """A connection cut in mid-upload leaves no object; the next attempt is whole."""
    body = os.urandom(300_000)
    # the client may say it again where a connection was closed: that is cut too
    with Cutter(rclone.port, 100_000, times=9) as proxy:
        settings = rclone.settings(
            "plants/cut", endpoint=f"http://{peers.HOST}:{proxy.port}"
        )
        with pytest.raises(SinkLost):
            await open_bucket(settings, SECRET).send(NAME, body)
        assert proxy.cut in {1, 2}
        assert open_bucket(rclone.settings("plants/cut"), SECRET).names() == []
        proxy.mend()
        bucket = open_bucket(settings, SECRET)
        await bucket.send(NAME, body)
        assert bucket.get(NAME) == body


def test_a_folder_that_is_not_mounted_is_never_made(tmp_path: Path) -> None:
    """A missing folder is told, not made: it may be a share that is not there."""
    with pytest.raises(SinkLost, match="no such folder"):
        open_bucket(Centre(path=tmp_path / "share"), None)
    assert not (tmp_path / "share").exists()


async def test_a_share_that_goes_away(tmp_path: Path) -> None:
    """A folder that vanishes while running is a lost link."""
    (tmp_path / "share").mkdir()
    bucket = open_bucket(Centre(path=tmp_path / "share"), None)
    (tmp_path / "share").rmdir()
    with pytest.raises(SinkLost, match="mount"):
        await bucket.check()
    with pytest.raises(SinkLost, match="gone"):
        await bucket.send(NAME, b"body")


async def test_the_last_of_a_disk_is_left(small_disk: Path) -> None:
    """A folder's objects do not take the room that the store may need."""
    with pytest.raises(SinkLost, match="64 MiB are free"):
        await open_bucket(Centre(path=small_disk), None).send(NAME, b"body")
    assert _files(small_disk) == []


async def test_a_full_disk_leaves_no_half(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without room refuses an object whole, and takes it when there is room."""
    monkeypatch.setattr("edge_agent.centre.bucket.RESERVE", -(1 << 30))
    bucket = open_bucket(Centre(path=small_disk), None)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(900_000))
    with pytest.raises(SinkLost, match="disk is full"):
        await bucket.send(NAME, bytes(400_000))
    assert _files(small_disk) == [filler]
    filler.unlink()
    await bucket.send(NAME, bytes(400_000))
    assert bucket.names() == [(NAME, 400_000)]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write in the folder cannot lead an object elsewhere."""
    (tmp_path / "share").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "share/predictions").symlink_to(tmp_path / "elsewhere")
    bucket = open_bucket(Centre(path=tmp_path / "share"), None)
    with pytest.raises(SinkLost):
        await bucket.send(NAME, b"body")
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_a_share_that_hangs_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call into a dead mount is given up; the next is refused until it has ended."""
    monkeypatch.setattr("edge_agent.centre.bucket.ANSWER", 0.1)
    bucket = open_bucket(Centre(path=tmp_path), None)
    hangs = threading.Event()
    monkeypatch.setattr(bucket, "put", lambda *_: hangs.wait(20))
    threads = threading.active_count()
    for _ in range(3):
        with pytest.raises(SinkLost, match="does not answer"):
            await bucket.send(NAME, b"body")
    assert threading.active_count() <= threads + 1
    hangs.set()
    monkeypatch.undo()
    async with asyncio.timeout(10):
        while not bucket.names():
            with suppress(SinkLost):
                await bucket.send(NAME, b"body")
            await asyncio.sleep(0.01)


async def test_an_object_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut leaves a whole object or none: file, name and folder are synced."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(f"sync {os.path.relpath(path, tmp_path)}")
        fsync(descriptor)

    def renamed(source: str, target: str, **where: int) -> None:
        done.append(f"name {target}")
        replace(source, target, **where)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    await open_bucket(Centre(path=tmp_path), None).send("a/b/c.parquet", b"body")
    assert done == [
        "sync .",
        "sync a",
        "sync a/b/.c.parquet.new",
        "name c.parquet",
        "sync a/b",
    ]


async def test_any_folder_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder's name may have any letters and signs, and need be no full path."""
    (tmp_path / "Fräse 100% a=b").mkdir()
    monkeypatch.chdir(tmp_path)
    bucket = open_bucket(Centre(path=Path("Fräse 100% a=b")), None)
    await bucket.send(NAME, b"body")
    assert bucket.get(NAME) == b"body"
    assert bucket.names("predictions") == [(NAME, 4)]
    bucket.remove([NAME])
    assert bucket.names() == []


async def test_the_same_trouble_is_told_in_the_same_words() -> None:
    """What is told of an outage repeats word for word, so that it is logged once."""
    settings = Centre(
        type="s3",
        endpoint=f"http://127.0.0.1:{peers.free_port()}",
        bucket=BUCKET,
        access_key="k",
    )
    said: set[str] = set()
    for name in ("a", "b"):
        with pytest.raises(SinkLost, match="nothing listens there") as lost:
            await open_bucket(settings, SECRET).send(name, b"body")
        said.add(str(lost.value))
    with Scripted(lambda number: 503 if number % 2 else 500) as server:
        for name in ("a", "b", "c", "d"):
            with pytest.raises(SinkLost, match=r"not reached: 50[03] ") as lost:
                await open_bucket(server.settings(), SECRET).send(name, b"body")
            said.add(str(lost.value))
    assert len(said) == 3
