"""The whole way of a model: a desk, a real MLflow with users and TLS, a real agent."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.registry.choosing import bucket
from tests import peers
from tests.certificates import make_certificates
from tests.end_to_end.centre import Centre
from tests.end_to_end.figures import figure
from tests.end_to_end.listening import Historian
from tests.end_to_end.narrow import NarrowLink
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent
from tests.end_to_end.waiting import until
from tests.registry.mlflow_server import MlflowServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The first test waits for the server's start.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """The centre; its server is started by the first test that needs it."""
    folder = tmp_path_factory.mktemp("centre")
    peers.require("mlflow")
    server = MlflowServer(
        folder / "mlflow", auth=True, tls=make_certificates(folder / "pki")
    )
    centre = Centre(folder / "desk", server)
    yield centre
    server.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """One broker for telemetry and SCADA."""
    config = "max_queued_messages 0"
    with peers.Mosquitto(tmp_path / "broker", config=config) as running:
        yield running


def pipeline(agent: Agent) -> dict[str, Any]:
    """What the status says of the one pipeline."""
    found: dict[str, Any] = agent.status()["pipelines"]["small"]
    return found


def stages(agent: Agent) -> dict[str, str]:
    """Stage of each version."""
    return {v["version"]: v["stage"] for v in pipeline(agent)["versions"]}


def scoring(agent: Agent, model: str, rung: str = "model") -> None:
    """Wait until a version scores."""

    def so() -> bool:
        told = pipeline(agent)
        return (told["model"], told["rung"]) == (model, rung)

    until(so, lambda: f"{model} does not score: {agent.status()}")


def newest(historian: Historian) -> dict[str, Any]:
    """The last row in SCADA."""
    return historian.rows()[-1]


def test_a_model_comes_to_an_empty_gateway_and_is_followed_by_the_next(
    tmp_path: Path, broker: peers.Mosquitto, centre: Centre
) -> None:
    """No server, no user, no model, then scores; no row is lost when the next comes."""
    centre.server.kill()
    port = centre.server.port
    config = centre.gateway(tmp_path, broker, "gw-hall", "hall", port)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, broker))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        _nothing_yet(agent, centre)
        began = time.monotonic()
        done = centre.command("model", "push", str(_signed(centre, "1.0.0")), *_ALIAS)
        assert done.returncode == 0, done.stderr
        pushed = time.monotonic()
        scoring(agent, "hall@1.0.0")
        figure(
            f"an empty gateway scores {time.monotonic() - pushed:.1f} s after the push "
            f"had ended (it took {pushed - began:.1f} s), asking every second"
        )
        hall = stack.enter_context(Hall(broker))
        until(lambda: len(historian.rows()) > 100, "live rows")
        assert {row["model_version"] for row in historian.rows()} == {"1.0.0"}
        _told(centre, version="1", state="active", stage="")

        centre.command("model", "push", str(_signed(centre, "1.1.0")), *_ALIAS)
        until(lambda: newest(historian)["model_version"] == "1.1.0", "1.1.0")
        _unsigned_and_then_signed(centre, agent)
        until(lambda: newest(historian)["model_version"] == "1.2.0", "1.2.0")
        _spoilt_on_the_server(centre, agent)

        published = hall.finish()
        stamped = Counter(stamp // 10**6 for _, stamp in published)
        until(lambda: len(historian.rows()) == len(published), "all rows")
        agent.stop()

    rows = historian.rows()
    assert Counter(row["ts_ms"] for row in rows) == stamped
    assert {row["fallback"] for row in rows} == {"model"}
    assert {row["quality"] for row in rows} == {"GOOD"}
    assert rows[-1]["model_version"] == "1.2.0"
    events = Counter(one.payload["event"] for one in historian.messages("events"))
    assert events["model activated"] == 3
    assert events["model refused"] == 2
    historian.against_the_schema()
    figure(f"2 swaps and 2 refusals under {len(rows)} rows: 0 lost, 0 doubled")


_ALIAS = ("--alias", "champion", "--approved-by", "jane")


def _signed(centre: Centre, version: str) -> Path:
    return centre.sign(centre.bundle("hall", version))


@pytest.mark.crash
def test_a_server_that_dies_on_the_way_is_waited_for(
    tmp_path: Path, broker: peers.Mosquitto, centre: Centre
) -> None:
    """What has come of a version is gone on with; without a server scores go on."""
    centre.up()
    centre.enrol("gw-far")
    centre.publish("far", "1.0.0")
    centre.desk.point("far", "champion", "1")
    with ExitStack() as stack:
        link = stack.enter_context(NarrowLink(centre.server.port))
        config = centre.gateway(tmp_path, broker, "gw-far", "far", link.port)
        historian = stack.enter_context(Historian(tmp_path, broker))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        scoring(agent, "far@1.0.0")
        hall = stack.enter_context(Hall(broker))

        link.rate = 2e6
        large = centre.sign(centre.bundle("far", "1.1.0", more=_LARGE))
        centre.desk.push(large, {})
        centre.desk.point("far", "champion", "2")
        until(lambda: _fetched(agent) > _LARGE // 4, "a part of it")
        seen = len(centre.server.log())
        centre.server.kill()
        until(lambda: agent.status()["registry"]["state"] == "lost", "loss")
        part = max(p.stat().st_size for p in tmp_path.rglob("incoming/*/.parts/*"))
        assert part > _LARGE // 4
        assert pipeline(agent)["model"] == "far@1.0.0"
        link.rate = 0.0
        centre.server.start()
        scoring(agent, "far@1.1.0")
        log = centre.server.log()[seen:].splitlines()
        assert [line for line in log if "weights.bin" in line and '" 206' in line]

        centre.server.hang()
        until(lambda: agent.status()["registry"]["answered_s_ago"] > 3, "silence")
        published = hall.finish()
        until(lambda: len(historian.rows()) == len(published), "all rows")
        code, seconds = agent.stop()
        assert code == 0
        assert seconds < 10  # it waits for no answer
        centre.server.kill()
        agent.start()
        scoring(agent, "far@1.1.0")
        until(lambda: agent.status()["registry"]["state"] == "lost", "loss")
        until(lambda: agent.status()["state"] == "ok", "all else is well")
        agent.stop()
    figure(f"{part} of {_LARGE} bytes had come when MLflow died; the rest followed")
    figure(f"with a hanging MLflow the agent stopped in {seconds:.1f} s")


_LARGE = 12_000_000


def _fetched(agent: Agent) -> int:
    said: str = agent.status()["registry"]["fetching"]
    return int(said.split(maxsplit=1)[0]) if said else 0


def _nothing_yet(agent: Agent, centre: Centre) -> None:
    """Each reason why there is no model is said while it lasts."""

    def said(words: str) -> None:
        until(
            lambda: words in str(pipeline(agent)["error"]),
            lambda: f"{words!r} is not said: {pipeline(agent)}",
        )

    assert pipeline(agent)["state"] == "no model"
    said("no link to https://127.0.0.1")
    assert agent.status()["registry"]["state"] == "lost"
    centre.up()
    said("refuses the password of user 'gw-hall'")
    centre.enrol("gw-hall")
    said("has no model 'hall'")


def _told(centre: Centre, **wanted: str) -> None:
    """The centre sees what the gateway does."""

    def so() -> bool:
        found = centre.reported("gw-hall", "hall")
        return all(getattr(found, key, None) == word for key, word in wanted.items())

    until(so, lambda: f"{wanted}: {centre.reported('gw-hall', 'hall')}")


def _unsigned_and_then_signed(centre: Centre, agent: Agent) -> None:
    """Refused as it is, with the reason; signed and pushed again it takes over."""
    bundle = centre.bundle("hall", "1.2.0")
    centre.command("model", "push", str(bundle), *_ALIAS)
    _told(centre, version="2", candidate="3", stage="refused", state="active")
    found = centre.reported("gw-hall", "hall")
    assert found is not None
    assert "model.sig" in found.reason
    assert pipeline(agent)["model"] == "hall@1.1.0"

    centre.sign(bundle)
    done = centre.command("model", "push", str(bundle))
    assert done.returncode == 0, done.stderr
    scoring(agent, "hall@1.2.0")


def _spoilt_on_the_server(centre: Centre, agent: Agent) -> None:
    """Somebody changes one byte of an artifact: the signature does not hold."""
    done = centre.command("model", "push", str(_signed(centre, "1.3.0")))
    assert done.returncode == 0, done.stderr
    artifacts = centre.server.folder / "artifacts"
    file = max(artifacts.rglob("model.onnx"), key=lambda path: path.stat().st_mtime_ns)
    body = bytearray(file.read_bytes())
    body[-5] ^= 1
    file.write_bytes(body)
    centre.desk.point("hall", "champion", "4")
    _told(centre, version="3", candidate="4", stage="refused")
    found = centre.reported("gw-hall", "hall")
    assert found is not None
    assert "model.onnx" in found.reason
    assert pipeline(agent)["model"] == "hall@1.2.0"


def test_the_centre_steers_a_gateway_by_aliases_and_tags(
    tmp_path: Path, broker: peers.Mosquitto, centre: Centre
) -> None:
    """Canary by share, an alias of its own, pause, challenger, halt and agreement."""
    centre.up()
    gateway, model = "press-7", "press"
    centre.enrol(gateway)
    centre.publish(model, "1.0.0", "1.1.0", "1.2.0", "1.3.0")
    desk = centre.desk
    desk.point(model, "champion", "1")
    port = centre.server.port
    config = centre.gateway(tmp_path, broker, gateway, model, port)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, broker))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        scoring(agent, "press@1.0.0")
        stack.enter_context(Hall(broker))

        place = bucket(model, gateway)
        desk.set_tag(model, "edge.canary.percent", str(place))
        desk.point(model, "canary", "2")
        _stays(agent, "press@1.0.0")
        desk.set_tag(model, "edge.canary.percent", str(place + 1))
        scoring(agent, "press@1.1.0")
        assert pipeline(agent)["via"] == "canary"

        desk.point(model, "gw-press-7", "1")
        scoring(agent, "press@1.0.0")
        assert pipeline(agent)["via"] == "champion"  # it came by that way
        desk.point(model, "gw-press-7", None)
        scoring(agent, "press@1.1.0")
        desk.set_tag(model, "edge.canary.percent", "0")
        scoring(agent, "press@1.0.0")

        desk.set_tag(model, "edge.paused", "true")
        until(lambda: "is paused" in pipeline(agent)["waits"], "pause")
        desk.point(model, "champion", "3")
        _stays(agent, "press@1.0.0")
        desk.set_tag(model, "edge.paused", None)
        scoring(agent, "press@1.2.0")

        desk.point(model, "challenger", "4")
        until(lambda: stages(agent).get("1.3.0") == "shadow", "watched")
        until(lambda: pipeline(agent)["compared"].get("rows", 0) > 50, "compared")

        desk.set_tag(model, "edge.halted.3", "scrap doubled")
        scoring(agent, "press@1.0.0", "last-known-good")
        until(lambda: newest(historian)["fallback"] == "last-known-good", "the return")
        assert "scrap doubled" in newest(historian)["reason"]
        until(lambda: _state(centre, gateway, model) == "returned", "the report")
        desk.point(model, "champion", "1")
        until(lambda: newest(historian)["fallback"] == "model", "agreement")
        assert newest(historian)["model_version"] == "1.0.0"
        until(lambda: _state(centre, gateway, model) == "active", "the report")
        agent.stop()
    versions = {row["model_version"] for row in historian.rows()}
    assert versions == {"1.0.0", "1.1.0", "1.2.0"}  # nobody acted on the challenger
    historian.against_the_schema()


def _stays(agent: Agent, model: str) -> None:
    """For a few polls."""
    before = agent.status()["registry"]["calls"]
    until(lambda: agent.status()["registry"]["calls"] > before + 3, "polls")
    assert pipeline(agent)["model"] == model


def _state(centre: Centre, gateway: str, model: str) -> str:
    found = centre.reported(gateway, model)
    return found.state if found else ""


def test_a_rollout_moves_a_real_gateway_and_a_halt_moves_it_back(
    tmp_path: Path, broker: peers.Mosquitto, centre: Centre
) -> None:
    """From canary to champion by one command, seen by another, ended by a third."""
    centre.up()
    centre.enrol("gw-fleet")
    centre.publish("fleet", "1.0.0", "1.1.0")
    centre.desk.point("fleet", "champion", "1")
    port = centre.server.port
    config = centre.gateway(tmp_path, broker, "gw-fleet", "fleet", port)
    with Agent(tmp_path / "agent", config) as agent:
        scoring(agent, "fleet@1.0.0")
        until(lambda: _state(centre, "gw-fleet", "fleet") == "active", "the report")

        done = centre.command("fleet", "rollout", "fleet", "1.1.0", "--watch", "1s")
        assert done.returncode == 0, done.stderr
        assert "is rolled out to" in done.stdout
        scoring(agent, "fleet@1.1.0")
        assert pipeline(agent)["via"] == "canary"
        done = centre.command("fleet", "rollout", "fleet", "--check")
        assert done.returncode == 3, done
        # by itself each step waits for the share's next report, an hour at most: the
        # way there is tried on simulated time (tests/registry/test_fleet.py)
        done = centre.command("fleet", "promote", "fleet", "1.1.0")
        assert done.returncode == 0, done
        assert centre.desk.listing("fleet").aliases == {"champion": "2"}
        page = centre.command("fleet", "status", "fleet").stdout
        assert "champion 1.1.0" in page
        assert "1.1.0: 1 active" in page

        halt = ("fleet", "halt", "fleet", "1.1.0", "--reason", "scrap doubled")
        assert centre.command(*halt).returncode == 0
        scoring(agent, "fleet@1.0.0")  # it is the champion again
        page = centre.command("fleet", "status", "fleet").stdout
        assert "scrap doubled" in page
        agent.stop()


def test_what_a_gateway_costs_the_server(
    tmp_path: Path, broker: peers.Mosquitto, centre: Centre
) -> None:
    """One call a model and poll, one a report; an adoption is a few."""
    centre.up()
    centre.enrol("gw-many")
    names = [f"many-{number}" for number in range(10)]
    for name in names:
        centre.publish(name, "1.0.0")
        centre.desk.point(name, "champion", "1")
    port = centre.server.port
    config = centre.gateway(tmp_path, broker, "gw-many", names[0], port)
    one = config["pipelines"]["small"]
    for some in (names[:1], names):
        config["pipelines"] = {name: one | {"model": name} for name in some}
        centre.calls()
        with Agent(tmp_path / f"agent-{len(some)}", config) as agent:
            until(lambda: _all_score(agent), lambda: str(agent.status()["pipelines"]))
            _quiet(centre, 3 * len(some))
            first = centre.calls()
            polls = 0
            while polls < 3 * len(some):
                steady = centre.calls()
                polls += steady.pop(_POLL, 0)
                assert not steady  # nothing but polls
            agent.stop()
        first.pop(_POLL)
        files = first.pop("GET mlflow-artifacts/artifacts/FILE")
        other = "; ".join(f"{count} {path}" for path, count in sorted(first.items()))
        figure(
            f"MLflow, {len(some)} models: {len(some)} calls a poll and nothing else; "
            f"from an empty gateway to all scores {files} files and {other}"
        )


_POLL = "GET mlflow/registered-models/get"


def _all_score(agent: Agent) -> bool:
    return all(of["rung"] == "model" for of in agent.status()["pipelines"].values())


def _quiet(centre: Centre, calls: int) -> None:
    """Until so many polls came with nothing between them."""

    def only_polls() -> bool:
        last = centre.server.asked()[-calls:]
        return all("registered-models/get" in line for line in last)

    until(only_polls, "nothing but polls")
