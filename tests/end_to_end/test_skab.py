"""A real recording through real servers into the running agent, scored as offline.

The regular suite plays two files; ``EDGE_AGENT_FULL=1`` plays all sixteen. Figures
are printed, and appended to the file ``EDGE_AGENT_FIGURES`` names.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import peers
from tests.end_to_end import skab
from tests.end_to_end.figures import FULL, figure
from tests.end_to_end.listening import Dashboard, Historian
from tests.end_to_end.playing import NodeServer, Pace, Publisher
from tests.end_to_end.running import Agent
from tests.end_to_end.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FILES = None if FULL else 2
RATE = 200
"""Rows a second of each file; recorded at 1."""

pytestmark = pytest.mark.timeout(900 if FULL else 300)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """A broker that queues for slow readers instead of dropping."""
    config = "max_queued_messages 0\nmax_inflight_messages 0"
    with peers.Mosquitto(tmp_path / "broker", config=config) as running:
        yield running


def configuration(
    runs: list[skab.Run], broker: peers.Mosquitto, folder: Path, source: dict[str, Any]
) -> dict[str, Any]:
    """One asset type, one model and one pipeline a file, rows on update."""
    kind = source["type"]
    for run in runs:
        detector = skab.fit(run.values[: skab.FITTED])
        skab.write_bundle(folder / "models", run, detector)
    return {
        "site": {"enterprise": "skab", "site": "lab"},
        "gateway": "gw",
        "sources": {"rig": source},
        "assets": [
            {"type": run.name, "ids": [run.name], "tags": tags(kind)} for run in runs
        ],
        "pipelines": {
            run.name: {
                "assets": run.name,
                "model": run.name,
                "score": {"on": "update", "settle": "2s"},
                "alarm": {"on_delay": "3s", "off_delay": "10s"},
            }
            for run in runs
        },
        "registry": {"type": "directory", "path": str(folder / "models")},
        "outputs": {
            "scada": {
                "type": "mqtt",
                "host": broker.host,
                "port": broker.port,
                "inflight": 500,
            }
        },
    }


def tags(kind: str) -> dict[str, dict[str, str]]:
    """The eight tags, from a node each or from one topic."""
    found = {}
    for tag, unit in zip(skab.TAGS, skab.UNITS, strict=True):
        where = {"topic": "rigs/{id}", "field": tag}
        if kind == "opcua":
            where = {"node": f"nsu=urn:edge:test;s={{id}}.{tag}"}
        found[tag] = {"source": "rig", "unit": unit, **where}
    return found


def through_mqtt(runs: list[skab.Run], broker: peers.Mosquitto) -> None:
    """Publish each file, a JSON object a row."""
    publishers = [Publisher(broker, f"rigs/{run.name}") for run in runs]
    pace = Pace(RATE)
    for row in range(max(len(run.time) for run in runs)):
        for run, publisher in zip(runs, publishers, strict=True):
            if row < len(run.time):
                publisher.publish({"ts": int(run.time[row]), **run.row(row)})
        pace.step()
    for publisher in publishers:
        publisher.finish()


def begin(server: NodeServer, runs: list[skab.Run]) -> None:
    """Set the first row, so that a client finds it as the initial values."""
    set_row(server, runs, 0)
    server.settle()


def play(server: NodeServer, runs: list[skab.Run]) -> None:
    """Set all values of all files, row by row, from the second on."""
    pace = Pace(RATE)
    for row in range(1, max(len(run.time) for run in runs)):
        set_row(server, [run for run in runs if row < len(run.time)], row)
        pace.step()
    server.settle()


def set_row(server: NodeServer, runs: list[skab.Run], row: int) -> None:
    """Set one row of each file."""
    for run in runs:
        values = {f"{run.name}.{tag}": cell for tag, cell in run.row(row).items()}
        server.set(int(run.time[row]), values)


def reported(agent: Agent) -> int:
    """Values the OPC UA server has sent so far."""
    return int(agent.status()["sources"]["rig"]["samples"])


def complete(agent: Agent, historian: Historian, rows: int) -> Callable[[], bool]:
    """All rows are scored and heard of."""

    def done() -> bool:
        return agent.scored() >= rows and len(historian.rows()) >= rows

    return done


def heard(historian: Historian, run: skab.Run) -> NDArray[np.float64]:
    """The score of each row of a file, by its stamp; every row exactly once.

    Raises:
        AssertionError: a row is missing, came twice, or has no score.
    """
    mine = [payload for payload in historian.rows() if payload["model"] == run.name]
    assert [p["no_score"] for p in mine if not p["score_valid"]] == []
    times = Counter(payload["ts_ms"] for payload in mine)
    assert times == Counter((run.time // 10**6).tolist())
    by_time = {payload["ts_ms"]: payload["score"] for payload in mine}
    return np.array([by_time[ms] for ms in (run.time // 10**6).tolist()])


def check(historian: Historian, runs: list[skab.Run], via: str) -> None:
    """Scores as offline, row by row and pooled; every message as the schema says."""
    found, offline, worst = [], [], 0.0
    for run in runs:
        expected = skab.fit(run.values[: skab.FITTED]).score(run.values)
        got = heard(historian, run)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0)
        worst = max(worst, float(np.max(np.abs(got / expected - 1))))
        found.append((run, got))
        offline.append((run, expected))
    assert skab.pooled(found) == skab.pooled(offline)
    checked = historian.against_the_schema()
    rows = sum(len(run.time) for run in runs)
    figure(
        f"SKAB valve1 through {via}: {len(runs)} files, {rows} rows scored once,"
        f" 0 lost, 0 doubled, furthest from offline {worst:.1e} (relative);"
        f" {skab.pooled(found)}; {checked} messages as the schema says"
    )


def check_replay(agent: Agent, historian: Historian, rows: int) -> None:
    """The recording of the run, replayed, gives its scores bit for bit."""
    live = {(p["model"], p["ts_ms"]): p["score"] for p in historian.rows()}
    lines = [line for line in agent.replayed() if "score" in line]
    again = {(p["pipeline"], p["ts_ns"] // 10**6): p["score"] for p in lines}
    assert len(lines) == rows
    assert again == live


def check_readers(historian: Historian, dashboard: Dashboard) -> None:
    """Both readers heard the same of every kind of topic."""
    of_both = [
        Counter((one.topic, str(one.payload)) for one in reader.messages())
        for reader in (historian, dashboard)
    ]
    assert of_both[0] == of_both[1]
    kinds = {one.leaf for one in dashboard.messages()}
    assert kinds >= {"state", "alarm", "events", "status"}


def test_skab_through_mosquitto(tmp_path: Path, broker: peers.Mosquitto) -> None:
    """Every row published over MQTT is scored once, as offline and as in a replay."""
    runs = skab.runs(FILES)
    source = {
        "type": "mqtt",
        "host": broker.host,
        "port": broker.port,
        "time_field": "ts",
        "time": "recorded",
    }
    config = configuration(runs, broker, tmp_path, source)
    rows = sum(len(run.time) for run in runs)
    with (
        Historian(tmp_path, broker) as historian,
        Dashboard(tmp_path, broker) as dashboard,
        Agent(tmp_path / "agent", config) as agent,
    ):
        until(agent.connected, "links")
        through_mqtt(runs, broker)
        until(complete(agent, historian, rows), "all rows", 240)
        code, _ = agent.stop()
        for reader in (historian, dashboard):
            until(reader.heard_goodbye, f"{reader.name} hears the farewell")

    assert code == 0
    check(historian, runs, "mosquitto")
    check_readers(historian, dashboard)
    check_replay(agent, historian, rows)


def test_skab_through_node_opcua(tmp_path: Path, broker: peers.Mosquitto) -> None:
    """Every row set at an OPC UA server of another make is scored once, as offline."""
    runs = skab.runs(FILES)
    with NodeServer(f"{run.name}.{tag}" for run in runs for tag in skab.TAGS) as server:
        source = {
            "type": "opcua",
            "endpoint": server.endpoint,
            "security": "None",
            "publishing": "100ms",
            "sampling": "0s",
            "queue": 2000,
            "report": "every-write",
            "time": "recorded",
        }
        config = configuration(runs, broker, tmp_path, source)
        rows = sum(len(run.time) for run in runs)
        begin(server, runs)
        with (
            Historian(tmp_path, broker) as historian,
            Agent(tmp_path / "agent", config) as agent,
        ):
            until(agent.connected, "links")
            until(lambda: reported(agent) == len(runs) * len(skab.TAGS), "first row")
            play(server, runs)
            until(complete(agent, historian, rows), "all rows", 240)
            assert agent.status()["sources"]["rig"]["overflows"] == 0
            agent.stop()
    check(historian, runs, "node-opcua")
    check_replay(agent, historian, rows)
