"""MLflow as it fails: away, slow, lying, hostile, behind TLS, a proxy or a store."""

from __future__ import annotations

import gzip
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge_agent.config import schema
from edge_agent.errors import ConfigError, ModelRejected, RegistryUnavailable
from edge_agent.registry import landing
from edge_agent.registry.mlflow import client
from edge_agent.registry.opening import open_registry
from tests import peers
from tests.registry import made
from tests.registry.conftest import mlflow
from tests.registry.made import GATEWAY, contents, go_on
from tests.registry.scripted import API, ARTIFACTS, PRESIGNED, ROOT, Files, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.registry.registry import Desk
    from tests.certificates import Certificates
    from tests.registry.mlflow_server import MlflowServer
    from tests.registry.scripted import Conversation, Script

#: A file of several pieces.
BIG = bytes(range(256)) * 12_000


def opened(url: str, *, password: str | None = None, **settings: object) -> Desk:
    """A registry of this address."""
    link = schema.Registry.model_validate({"type": "mlflow", "url": url, **settings})
    return open_registry(link, GATEWAY, password=password)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A version with one file of several pieces."""
    found = Files.of(made.bundle(tmp_path / "bundles", "pump"))
    found.files["weights.bin"] = BIG
    return found


@pytest.fixture
def server(files: Files) -> Iterator[Scripted]:
    """A server that hands them out."""
    with Scripted(files) as server:
        yield server


def _json(text: str, status: int = 200) -> Script:
    return lambda said: said.answer(
        text.encode(), status, content_type="application/json"
    )


def _trickle(said: Conversation) -> None:
    said.send_response(200)
    said.send_header("content-length", "100")
    said.end_headers()
    said.wfile.write(b"{")
    said.server.stopped.wait(3)


def _endless(said: Conversation) -> None:
    said.send_response(200)
    said.end_headers()
    while True:
        said.wfile.write(b" " * 65536)


def _hang_up(said: Conversation) -> None:
    said.close_connection = True


def _greet(said: Conversation) -> None:
    said.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    said.close_connection = True


FAILURES: dict[str, tuple[Script, str]] = {
    "an error": (lambda said: said.answer(b"oops", 500), "500: oops"),
    "an error page": (lambda said: said.answer(b"<html>", 502), "502"),
    "an error in JSON": (
        _json('{"error_code": "INTERNAL_ERROR", "message": "db"}', 500),
        "500",
    ),
    "too many": (lambda said: said.answer(b"", 429, retry_after="17"), "429"),
    "a login page": (
        lambda said: said.answer(b"<html>", content_type="text/html"),
        "login page",
    ),
    "no such page": (lambda said: said.answer(b"<html>", 404), "MLflow's address"),
    "a redirect": (
        lambda said: said.answer(b"", 302, location="http://127.0.0.1:1/"),
        "not followed",
    ),
    "no password": (lambda said: said.answer(b"", 401), "asks who we are"),
    "no right": (lambda said: said.answer(b"", 403), "needs READ on the model"),
    "another name": (
        lambda said: said.answer(b"Invalid Host header - possible DNS", 403),
        "--allowed-hosts 127.0.0.1",
    ),
    "no JSON": (_json("{"), "as MLflow does"),
    "other JSON": (_json('{"registered_model": {"name": 3}}'), "as MLflow does"),
    "a list": (_json("[]"), "as MLflow does"),
    "depth": (_json("[" * 100_000), "as MLflow does"),
    "wrong letters": (
        lambda said: said.answer(b'{"registered_model": {"name": "\xff"}}'),
        "as MLflow does",
    ),
    "half a body": (
        lambda said: said.answer(b"{", content_length=100),
        "no link",
    ),
    "an endless body": (_endless, "more than"),
    "nothing": (_hang_up, "no link"),
    "compressed": (
        lambda said: said.answer(gzip.compress(b"{}"), content_encoding="gzip"),
        "compressed",
    ),
    "a huge header": (
        lambda said: said.answer(b"{}", strange="x" * 200_000),
        "no link",
    ),
    "no HTTP": (_greet, "no link"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_answer_that_is_none_is_waited_out(failure: str) -> None:
    """Whatever stands in MLflow's place, nobody gives a model up for it."""
    script, said = FAILURES[failure]

    with Scripted(script) as server:
        registry = opened(server.url)
        with pytest.raises(RegistryUnavailable, match=said) as raised:
            registry.listing("pump")

    assert raised.value.retry_after == (17 if failure == "too many" else None)
    assert len(server.requests) == 1


@pytest.mark.parametrize("script", [_trickle, lambda said: said.server.stopped.wait(3)])
def test_a_slow_server_is_left_after_a_while(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence ends a call, before the answer and within it."""
    monkeypatch.setattr(client, "SILENCE", 0.2)

    with (
        Scripted(script) as server,
        pytest.raises(RegistryUnavailable, match="silent for"),
    ):
        opened(server.url).listing("pump")


def test_an_answer_that_drips_is_left_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no silence, but it does not last for ever."""
    monkeypatch.setattr(client, "ANSWER", 0.2)

    def drip(said: Conversation) -> None:
        said.send_response(200)
        said.end_headers()
        while not said.server.stopped.wait(0.05):
            said.wfile.write(b" ")

    with (
        Scripted(drip) as server,
        pytest.raises(RegistryUnavailable, match="slowly"),
    ):
        opened(server.url).listing("pump")


def test_a_server_that_is_away_is_told_with_its_address() -> None:
    """Nobody listens there."""
    port = peers.free_port()

    with pytest.raises(RegistryUnavailable, match=rf"no link to .*:{port}"):
        opened(f"http://127.0.0.1:{port}").listing("pump")


def test_a_body_cut_off_is_gone_on_with(
    server: Scripted, files: Files, tmp_path: Path
) -> None:
    """The part stays, the rest is asked for by Range and If-Range, and it fits."""
    whole = files.files["weights.bin"]

    def cut(said: Conversation) -> None:
        said.answer(whole[:1_000_000], content_length=len(whole), etag='"1"')

    weights = f"{ARTIFACTS}/{ROOT}/weights.bin"
    files.scripts[weights] = cut
    registry = opened(server.url)
    offer = registry.offer("pump", "1")
    with pytest.raises(RegistryUnavailable, match="no link"):
        registry.fetch(offer, tmp_path / "into", go_on)
    del files.scripts[weights]
    registry = opened(server.url)  # after a restart of the agent
    registry.fetch(offer, tmp_path / "into", go_on)

    asked = server.asked(weights)[-1].headers
    assert asked["range"] == "bytes=1000000-"
    assert asked["if-range"] == '"1"'
    assert contents(tmp_path / "into") == files.files


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_file_without_a_strong_mark_begins_anew(
    server: Scripted, files: Files, tmp_path: Path, etag: str | None
) -> None:
    """MLflow before an object store gives none: the rest could be another file's."""
    weights = f"{ARTIFACTS}/{ROOT}/weights.bin"
    files.scripts[weights] = lambda said: said.answer(
        BIG[:1_000_000], content_length=len(BIG), etag=etag
    )
    registry = opened(server.url)
    offer = registry.offer("pump", "1")
    with pytest.raises(RegistryUnavailable, match="no link"):
        registry.fetch(offer, tmp_path / "into", go_on)
    files.scripts[weights] = lambda said: said.answer(BIG, etag=etag)

    registry.fetch(offer, tmp_path / "into", go_on)

    assert server.asked(weights)[-1].headers["range"] is None
    assert contents(tmp_path / "into") == files.files


def _whole(said: Conversation) -> None:
    said.answer(BIG[::-1], etag='"2"')


def _another_part(said: Conversation) -> None:
    said.answer(BIG[7:], 206, etag='"1"', content_range=f"bytes 7-{len(BIG)}/*")


def _part_of_another(said: Conversation) -> None:
    start = int(said.headers["range"].removeprefix("bytes=").removesuffix("-"))
    part = f"bytes {start}-{len(BIG) - 1}/{len(BIG)}"
    said.answer(BIG[start:], 206, etag='"2"', content_range=part)


def test_a_file_that_changed_meanwhile_comes_whole(
    server: Scripted, files: Files, tmp_path: Path
) -> None:
    """A server that answers 200 to a Range sends another file, from its start."""
    registry = opened(server.url)
    offer = registry.offer("pump", "1")
    with pytest.raises(RegistryUnavailable):
        registry.fetch(offer, tmp_path / "into", lambda done, _all: done < 2_000_000)
    files.scripts[f"{ARTIFACTS}/{ROOT}/weights.bin"] = _whole

    registry.fetch(offer, tmp_path / "into", go_on)

    assert (tmp_path / "into" / "weights.bin").read_bytes() == BIG[::-1]


@pytest.mark.parametrize("answer", [_another_part, _part_of_another])
def test_a_part_that_does_not_fit_is_not_taken(
    server: Scripted, files: Files, tmp_path: Path, answer: Script
) -> None:
    """Bytes from another place, or of another file, would make neither."""
    registry = opened(server.url)
    offer = registry.offer("pump", "1")
    with pytest.raises(RegistryUnavailable):
        registry.fetch(offer, tmp_path / "into", lambda done, _all: done < 2_000_000)

    def stubborn(said: Conversation) -> None:
        (answer if said.headers["range"] else _whole)(said)

    files.scripts[f"{ARTIFACTS}/{ROOT}/weights.bin"] = stubborn
    with pytest.raises(RegistryUnavailable, match="another part"):
        registry.fetch(offer, tmp_path / "into", go_on)
    registry.fetch(offer, tmp_path / "into", go_on)  # and not the same for ever

    assert (tmp_path / "into" / "weights.bin").read_bytes() == BIG[::-1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda said: said.answer(BIG + b"more"), "more than the"),
        (lambda said: said.answer(BIG[:-1]), "ended after"),
        (_endless, "more than the"),
        (lambda said: said.answer(b"<html>login"), "ended after"),
        (lambda said: said.answer(b"", 500), "500"),
        (lambda said: said.answer(b"", 416), "416"),
        (_json('{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "x"}', 404), "x"),
        (
            lambda said: said.answer(gzip.compress(BIG), content_encoding="gzip"),
            "unask",
        ),
    ],
)
def test_a_file_that_is_not_as_listed_is_tried_again_later(
    server: Scripted, files: Files, tmp_path: Path, answer: Script, said: str
) -> None:
    """It never lies there under its name, and the next try can succeed."""
    weights = f"{ARTIFACTS}/{ROOT}/weights.bin"
    files.scripts[weights] = answer
    registry = opened(server.url)
    offer = registry.offer("pump", "1")

    with pytest.raises(RegistryUnavailable, match=said):
        registry.fetch(offer, tmp_path / "into", go_on)
    assert not (tmp_path / "into" / "weights.bin").exists()

    del files.scripts[weights]
    registry.fetch(offer, tmp_path / "into", go_on)
    assert contents(tmp_path / "into") == files.files


def test_spoilt_bytes_arrive_as_they_are(
    server: Scripted, files: Files, tmp_path: Path
) -> None:
    """Whether a file is the right one is for its signature to say."""
    spoilt = bytes(len(BIG))
    files.scripts[f"{ARTIFACTS}/{ROOT}/weights.bin"] = lambda said: said.serve(spoilt)
    registry = opened(server.url)

    registry.fetch(registry.offer("pump", "1"), tmp_path / "into", go_on)

    assert (tmp_path / "into" / "weights.bin").read_bytes() == spoilt


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "a/../../evil", "..", "a\\b", "a\n", "", ".parts"],
)
def test_a_listed_name_that_leaves_the_folder_is_rejected(
    server: Scripted, files: Files, tmp_path: Path, name: str
) -> None:
    """Nothing is downloaded, nothing written outside."""
    files.files[name] = b"evil"
    registry = opened(server.url)

    with pytest.raises(ModelRejected, match="refused"):
        registry.fetch(registry.offer("pump", "1"), tmp_path / "deep/into", go_on)
    assert not server.asked(f"{ARTIFACTS}/")
    assert not (tmp_path / "evil").exists()


def _listing(*entries: dict[str, object]) -> Script:
    return lambda said: said.say({"files": list(entries)})


_PASSPORT: dict[str, object] = {"path": "passport.yaml", "file_size": 10}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (_listing(*({"path": f"f{n}", "file_size": 1} for n in range(300))), "256"),
        (_listing(_PASSPORT, {"path": "x", "file_size": 2**31}), "bytes"),
        (_listing(_PASSPORT, {"path": "x", "file_size": -(2**40)}), "refused"),
        (_listing({"path": "more", "is_dir": True}), "no bundle"),
        (_listing(_PASSPORT, {"path": "more", "is_dir": True}), "folders"),
        (_listing(_PASSPORT, {"path": "..", "is_dir": True}), "refused"),
        (_listing(_PASSPORT, {"path": "../../x", "is_dir": True}), "refused"),
        (_listing({"path": "model.onnx", "file_size": 5}), "no bundle"),
        (_json("{}"), "no bundle"),
    ],
)
def test_a_listing_beyond_all_bounds_is_rejected(
    server: Scripted, files: Files, tmp_path: Path, script: Script, said: str
) -> None:
    """Too many, too large, folders without end, or nothing: not for this gateway."""
    files.scripts[ARTIFACTS] = script
    registry = opened(server.url)

    with pytest.raises(ModelRejected, match=said):
        registry.fetch(registry.offer("pump", "1"), tmp_path / "into", go_on)
    assert len(server.requests) < 25


def test_sizes_that_are_not_told_are_bounded_all_the_same(
    server: Scripted, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless file behind a store that lists no sizes ends at the bound."""
    monkeypatch.setattr(landing, "MAX_BYTES", 2**21)
    files.scripts[f"{ARTIFACTS}/"] = _endless
    files.scripts[ARTIFACTS] = _listing({"path": "passport.yaml"})
    registry = opened(server.url)

    with pytest.raises(ModelRejected, match="more than"):
        registry.fetch(registry.offer("pump", "1"), tmp_path / "into", go_on)


@pytest.mark.parametrize(
    "source",
    [
        "s3://bucket/x",
        "file:///etc",
        "mlflow-artifacts:/a/../../etc",
        "models:/../x",
        "",
    ],
)
def test_a_source_that_mlflow_does_not_serve_is_rejected(
    server: Scripted, files: Files, tmp_path: Path, source: str
) -> None:
    """The text says what to change at the server."""
    files.source = source
    resolve = f"{API}mlflow/model-versions/get-download-uri"
    files.scripts[resolve] = lambda said: said.say({"artifact_uri": source})
    registry = opened(server.url)

    with pytest.raises(ModelRejected, match=r"lies at|no address"):
        registry.fetch(registry.offer("pump", "1"), tmp_path / "into", go_on)


def test_a_version_still_being_registered_is_waited_for(
    server: Scripted, files: Files
) -> None:
    """It is not wrong, only early."""
    early = {"name": "pump", "version": "1", "status": "PENDING_REGISTRATION"}
    files.scripts[f"{API}mlflow/model-versions/get"] = lambda said: said.say(
        {"model_version": early}
    )

    with pytest.raises(RegistryUnavailable, match="being registered"):
        opened(server.url).offer("pump", "1")


@pytest.fixture
def store(files: Files) -> Iterator[Scripted]:
    """An object store that can go on with a file, as S3 does."""

    def hand_out(said: Conversation) -> None:
        name = said.path.partition("?")[0].rpartition("/")[2]
        said.serve(files.files[name], etag=f'"s3-{name}"')

    with Scripted(hand_out) as store:
        yield store


def _presigned(store: Scripted) -> Script:
    def script(said: Conversation) -> None:
        name = said.path.rpartition("/")[2]
        headers = {"x-amz-meta": "yes", "authorization": "stolen", "host": "evil"}
        said.say({"url": f"{store.url}/b/{name}?signature=x", "headers": headers})

    return script


def test_files_come_straight_from_the_object_store(
    server: Scripted, files: Files, store: Scripted, tmp_path: Path
) -> None:
    """They are gone on with there, and the store never sees our password."""
    files.scripts[PRESIGNED] = _presigned(store)
    registry = opened(server.url, user="gw", password="secret")
    offer = registry.offer("pump", "1")
    with pytest.raises(RegistryUnavailable):
        registry.fetch(offer, tmp_path / "into", lambda done, _all: done < 2_000_000)

    registry.fetch(offer, tmp_path / "into", go_on)

    assert contents(tmp_path / "into") == files.files
    assert not server.asked(f"{ARTIFACTS}/")
    first, second = store.asked("/b/weights")
    assert first.headers["range"] is None
    assert second.headers["range"].startswith("bytes=")
    for request in store.requests:
        assert request.headers["authorization"] is None
        assert request.headers["host"] in store.url
        assert request.headers["x-amz-meta"] == "yes"
    assert all(r.headers["authorization"] for r in server.requests)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "ftp://x/y", "\n", "http://["])
def test_a_store_that_is_not_reached_is_passed_by(
    server: Scripted, files: Files, tmp_path: Path, url: str
) -> None:
    """The plant's network may not let gateways there: MLflow's proxy does it."""
    files.scripts[PRESIGNED] = lambda said: said.say({"url": url})
    registry = opened(server.url)

    registry.fetch(registry.offer("pump", "1"), tmp_path / "into", go_on)

    assert contents(tmp_path / "into") == files.files
    assert len(server.asked(PRESIGNED)) == 1


def test_a_presigned_address_without_tls_is_not_used(
    certificates: Certificates, files: Files, store: Scripted, tmp_path: Path
) -> None:
    """Who takes care of TLS to the registry wants it to the store as well."""
    files.scripts[PRESIGNED] = _presigned(store)

    with Scripted(files, tls=certificates) as server:
        registry = opened(server.url, tls={"ca_file": str(certificates.ca)})
        registry.fetch(registry.offer("pump", "1"), tmp_path / "into", go_on)

    assert contents(tmp_path / "into") == files.files
    assert not store.requests


def test_only_the_plants_own_authority_is_trusted(
    certificates: Certificates, files: Files
) -> None:
    """Without its file the text says what to do; with it models come."""
    with Scripted(files, tls=certificates) as server:
        with pytest.raises(RegistryUnavailable, match="ca_file"):
            opened(server.url).offer("pump", "1")
        trusting = opened(server.url, tls={"ca_file": str(certificates.ca)})
        other = {"ca_file": str(certificates.ca), "server_name": "elsewhere"}

        assert trusting.offer("pump", "1").version == "1"
        with pytest.raises(RegistryUnavailable, match="elsewhere"):
            opened(server.url, tls=other).offer("pump", "1")


def test_a_client_certificate_lets_us_in(
    certificates: Certificates, files: Files
) -> None:
    """As a proxy before MLflow may ask for one."""
    ours = {
        "ca_file": str(certificates.ca),
        "cert_file": str(certificates.client),
        "key_file": str(certificates.client_key),
    }
    with Scripted(files, tls=certificates, client_certificates=True) as server:
        with pytest.raises(RegistryUnavailable, match="no link"):
            opened(server.url, tls={"ca_file": str(certificates.ca)}).offer("pump", "1")

        assert opened(server.url, tls=ours).offer("pump", "1").version == "1"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_certificate_file_is_an_error_of_the_configuration(
    tmp_path: Path, content: str | None
) -> None:
    """Found when the registry is opened, not at every poll."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError, match="tls"):
        opened("https://127.0.0.1:1", tls={"ca_file": str(path)})


def test_the_environments_proxy_is_not_used(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service's environment is nobody's configuration."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert opened(server.url).offer("pump", "1").version == "1"


def test_the_configured_proxy_is_used(server: Scripted) -> None:
    """The request goes to it, for an address that only it reaches."""
    registry = opened("http://mlflow.plant:5000", proxy=server.url)

    assert registry.offer("pump", "1").version == "1"
    assert server.requests[0].path.startswith("http://mlflow.plant:5000/api/2.0/")


def test_a_token_is_sent_as_one(server: Scripted) -> None:
    """A password without a user."""
    opened(server.url, password="word").offer("pump", "1")

    assert server.requests[0].headers["authorization"] == "Bearer word"
    with pytest.raises(ConfigError, match="token"):
        opened(server.url, password="wörd")


@pytest.mark.timeout(120)
def test_a_server_killed_on_the_way_is_gone_on_with(
    mlflow_open: MlflowServer, tmp_path: Path
) -> None:
    """The real one: the second request asks for the rest, no byte comes twice."""
    name = made.unused_name()
    bundle = made.bundle(tmp_path / "bundles", name)
    (bundle / "weights.bin").write_bytes(BIG * 8)
    registry = mlflow(mlflow_open)
    offer = registry.push(bundle, {})
    kill = _at(6_000_000, mlflow_open.kill)
    try:
        with pytest.raises(RegistryUnavailable):
            registry.fetch(offer, tmp_path / "into", kill)
    finally:
        mlflow_open.start()
    seen = len(mlflow_open.log())
    parts = [p.stat().st_size for p in (tmp_path / "into/.parts").iterdir()]
    told = [0]

    def note(done: int, _total: int) -> bool:
        told.append(done)
        return True

    registry.fetch(offer, tmp_path / "into", note)

    lines = mlflow_open.log()[seen:].splitlines()
    assert [line for line in lines if "weights.bin" in line and '" 206' in line]
    assert max(parts) in {after - before for before, after in pairwise(told)}
    assert told[-1] == sum(map(len, contents(bundle).values()))
    assert contents(tmp_path / "into") == contents(bundle)


def _at(count: int, act: Callable[[], None]) -> Callable[[int, int], bool]:
    done_so: list[int] = []

    def proceed(done: int, _total: int) -> bool:
        if done >= count and not done_so:
            done_so.append(done)
            act()
        return True

    return proceed
