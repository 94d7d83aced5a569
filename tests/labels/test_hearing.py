"""Labels and verdicts over real brokers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.clock import SystemClock
from edge_agent.config.schema import MqttLink
from edge_agent.errors import SourceLost
from edge_agent.labels import hearing
from edge_agent.labels.columns import State
from edge_agent.labels.hearing import HeardLabels, HeardVerdicts, Hearing
from edge_agent.labels.messages import Messages, filters
from edge_agent.labels.telling import LabelRefused
from tests import peers
from tests.labels import made
from tests.labels.made import ANOMALY, PRESSES, PUMPS, QUALITY, Bench, S
from tests.mqtt.kinds import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

TOPIC = "line3/{id}/inspection"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """A broker that keeps sessions, for one test."""
    with peers.Mosquitto(tmp_path / "mosquitto", persistence=True) as running:
        yield running
        running.kill()


@pytest.fixture(params=["3.1.1", "5"])
def version(request: pytest.FixtureRequest) -> str:
    """Both of MQTT's."""
    found: str = request.param
    return found


def messages(one: Bench, topic: str = TOPIC) -> Messages:
    """Reads labels of parts."""
    return Messages(topic, one.desk.books[QUALITY].reader, PRESSES)


def listening(one: Bench, port: int, version: str = "5") -> Hearing:
    """A session for the labels of parts."""
    link = MqttLink.model_validate(
        {"host": "127.0.0.1", "port": port, "version": version}
    )
    heard = HeardLabels("cell", {QUALITY: messages(one)}, one.desk, one.clock)
    return hearing_of(one, link, heard, filters(TOPIC, PRESSES))


def hearing_of(
    one: Bench,
    link: MqttLink,
    heard: HeardLabels | HeardVerdicts,
    asked: list[str],
) -> Hearing:
    """A session."""
    return Hearing(
        "labels:cell",
        link,
        heard,
        client_id="edge-agent-gw-cell-labels",
        filters=asked,
        desk=one.desk,
        clock=SystemClock(),
        instruments=one.instruments,
    )


@asynccontextmanager
async def running(link: Hearing) -> AsyncIterator[asyncio.Task[None]]:
    """A session until the end of the block."""
    task = asyncio.get_running_loop().create_task(link.run())
    try:
        await until(lambda: task.done() or link.status()["state"] == "up")
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, SourceLost):
            await task


def publish(port: int, topic: str, payload: object, *more: str) -> None:
    """Send a message as another program does."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    program = str(peers.require("mosquitto_pub"))
    where = ["-h", "127.0.0.1", "-p", str(port), "-q", "1"]
    subprocess.run([program, *where, "-t", topic, "-m", text, *more], check=True)


def label(part: str, text: object = "nok") -> dict[str, Any]:
    """A payload."""
    return {"part": part, "label": text}


async def test_a_label_comes_over_mqtt(
    tmp_path: Path, broker: peers.Mosquitto, version: str
) -> None:
    """Its topic says which press, its payload which part and what was found."""
    one = Bench(tmp_path / "state")
    one.score(["4711", "4712"])
    async with running(listening(one, broker.port, version)):
        publish(broker.port, "line3/PR-1/inspection", label("4711"))
        publish(broker.port, "line3/PR-1/inspection", [label("4712", "ok")])
        await until(lambda: one.desk._waiting_labels == 2)
        one.desk.look()

    assert one.states() == [State.BAD, State.GOOD]


async def test_labels_sent_while_the_agent_is_down_arrive(
    tmp_path: Path, broker: peers.Mosquitto, version: str
) -> None:
    """The broker kept them for the session, over its own restart too."""
    one = Bench(tmp_path / "state")
    one.score(["4711"])
    async with running(listening(one, broker.port, version)):
        pass
    publish(broker.port, "line3/PR-1/inspection", label("4711"))
    broker.restart()
    again = listening(one, broker.port, version)
    async with running(again):
        await until(lambda: one.desk._waiting_labels == 1)
        assert again.status()["session_resumed"]
        one.desk.look()

    assert one.states() == [State.BAD]


async def test_what_is_no_label_is_counted_and_not_kept(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """The next one is used; what stood in the message is nowhere."""
    one = Bench(tmp_path / "state")
    one.score(["4711"])
    link = listening(one, broker.port)
    async with running(link):
        for payload in ("Jane Roe", "[[[", '{"part": "Jane Roe"}', '{"label": "nok"}'):
            publish(broker.port, "line3/PR-1/inspection", payload)
        publish(broker.port, "line3/PR-2/inspection", label("9", ["Jane Roe"]))
        publish(broker.port, "line3/PR-1/inspection", label("4711"))
        await until(lambda: one.desk._waiting_labels == 1)
        one.desk.look()

    assert one.states() == [State.BAD]
    assert one.count("refused") == 5
    assert link.status()["bad_payloads"]["count"] == 5
    assert "Jane" not in str(link.status()) + str(one.instruments.snapshot())


async def test_too_many_labels_are_left_with_the_broker(
    tmp_path: Path, broker: peers.Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session ends, is made again when there is room, and nothing is lost."""
    monkeypatch.setattr("edge_agent.labels.intake.CROWDED", 3)
    monkeypatch.setattr(hearing, "_LOOK", 0.05)
    one = Bench(tmp_path / "state")
    one.score([f"{k}" for k in range(20)])
    link = listening(one, broker.port)
    async with running(link) as task:
        for k in range(10):
            publish(broker.port, "line3/PR-1/inspection", label(f"{k}"))
        await until(task.done)
        with pytest.raises(SourceLost, match="the broker keeps the rest"):
            task.result()
    for k in range(10, 20):
        publish(broker.port, "line3/PR-1/inspection", label(f"{k}"))
    one.desk.look()
    async with running(listening(one, broker.port)):
        await until(lambda: one.desk._waiting_labels >= 10)
    one.desk.look()

    assert one.states() == [State.BAD] * 20


async def test_a_broker_that_is_away_is_a_loss_for_the_supervisor(
    tmp_path: Path,
) -> None:
    """With its address; there is no retry of its own."""
    link = listening(Bench(tmp_path), peers.free_port())

    with pytest.raises(SourceLost, match=r"labels:cell: .*127\.0\.0\.1"):
        await link.run()


async def test_a_verdict_comes_from_scada_and_is_answered(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """The alarm's stretch is labelled; the answer is an event, also where it is no."""
    one = Bench(tmp_path / "state")
    one.watch(130)
    one.desk.alarm(made.alarm("P-101-1", at=one.clock.time, active=True))
    one.watch(300, 0.9, alarmed=True)
    since = one.clock.time - 300 * S
    one.desk.alarm(made.alarm("P-101-1", at=one.clock.time, active=False, since=since))
    one.watch(130)
    one.desk.look()
    topics = {
        f"edge/acme/{pump}/ml/{ANOMALY}/verdict": (ANOMALY, pump) for pump in PUMPS
    }
    heard = HeardVerdicts("scada", topics, one.desk, one.clock)
    link = MqttLink.model_validate({"host": "127.0.0.1", "port": broker.port})
    topic = f"edge/acme/P-101/ml/{ANOMALY}/verdict"
    said = {"occurrence": "P-101-1", "verdict": "reject", "reason": "valve test"}
    publish(broker.port, topic, said, "-r")  # retained: an old one
    async with running(hearing_of(one, link, heard, list(topics))):
        publish(broker.port, topic, said | {"by": "Jane Roe"})
        publish(broker.port, topic, said | {"verdict": "maybe"})
        publish(broker.port, topic, "Jane Roe")
        publish(broker.port, topic.replace("P-101", "P-102"), said)
        await until(lambda: len(one.desk._asked) == 2)
        one.desk.look()

    answers = [(e.name, e.subject) for e in one.events]
    assert sorted(answers) == [
        ("verdict refused", f"{ANOMALY}/P-101"),
        ("verdict refused", f"{ANOMALY}/P-101"),
        ("verdict refused", f"{ANOMALY}/P-102"),
        ("verdict taken", f"{ANOMALY}/P-101"),
    ]
    taken = next(e for e in one.events if e.name == "verdict taken")
    assert taken.message == "alarm P-101-1: it was a false alarm (valve test)"
    assert taken.details["by"].startswith("h:")
    assert "Jane" not in str(one.events)
    joined = one.desk.joined(ANOMALY)
    assert joined.good.all()
    assert set(joined.asset.tolist()) == {0}
    assert 4 <= len(joined) <= 6
    assert joined.alarm.all()


def test_many_assets_are_asked_for_as_one() -> None:
    """Where {id} is a level; else each by its name."""
    assets = [f"A-{k}" for k in range(30)]

    assert filters("line/{id}/x", assets) == ["line/+/x"]
    assert len(filters("line/press-{id}/x", assets)) == 30
    assert filters("line/+/{id}", PRESSES) == ["line/+/PR-1", "line/+/PR-2"]


def test_a_topic_says_which_asset(tmp_path: Path) -> None:
    """The level that is {id}, the same wherever it stands again."""
    read = messages(Bench(tmp_path), "a/+/{id}/b/{id}")

    assert read.asset(b"a/x/PR-1/b/PR-1") == "PR-1"
    assert read.asset(b"a/x/PR-1/b/PR-2") is None
    assert read.asset(b"a/x/PR-9/b/PR-9") is None
    assert read.asset(b"a/x/y/PR-1/b/PR-1") is None


@pytest.mark.parametrize(
    ("text", "state", "value"),
    [
        ("nok", State.BAD, None),
        (" NOK ", State.BAD, None),
        (True, State.BAD, None),
        (1, State.BAD, 1.0),
        (False, State.GOOD, None),
        (0, State.GOOD, 0.0),
        ("scratch", State.GOOD, None),
        (0.83, State.VALUE, 0.83),
        ("12.5", State.VALUE, 12.5),
    ],
)
def test_what_a_label_says(
    tmp_path: Path, text: object, state: State, value: float | None
) -> None:
    """Bad words, numbers, and all else is good."""
    payload = json.dumps(label("4711", text)).encode()
    (found,) = messages(Bench(tmp_path)).read(payload, "PR-1")

    assert not isinstance(found, LabelRefused)
    assert found.state == state
    assert value is None or found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("payload", "cause"),
    [
        (b"", "malformed"),
        (b"{" * 100_000, "malformed"),
        (b"[1]", "shape"),
        (b"7", "shape"),
        (b"[" + b"{}," * 1500 + b"{}]", "size"),
        (b'{"part": "x"}', "label"),
        (b'{"part": {}, "label": 1}', "shape"),
        (b'{"label": "nok"}', "time"),
        (b'{"label": "nok", "since": "yesterday"}', "time"),
        (b'{"label": "nok", "since": 9, "until": 8}', "time"),
        (b'{"label": "nok", "since": 0, "until": 4000000000}', "time"),
        (b'{"label": "' + b"x" * 300 + b'", "part": "y"}', "length"),
    ],
)
def test_what_is_wrong_with_a_message(
    tmp_path: Path, payload: bytes, cause: str
) -> None:
    """Each has a cause for the counter."""
    (found,) = messages(Bench(tmp_path)).read(payload, "PR-1")

    assert isinstance(found, LabelRefused)
    assert found.cause == cause
