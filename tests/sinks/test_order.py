"""Order and repetitions on every topic, whatever happens to the link."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.clock import SystemClock
from edge_agent.instruments import Instruments
from edge_agent.records import AlarmState, ScoreRecord
from edge_agent.sinks import feed
from edge_agent.sinks.mqtt import MqttSink
from tests import peers
from tests.sinks.doubles import MemorySink
from tests.sinks.made import forwarding, output, until
from tests.sinks.narrow import Narrow
from tests.sinks.test_mqtt import Consumer, consumer
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge_agent.store.journal import Journal

NOW = SystemClock().now()
WINDOW = 10
Key = tuple[int, int]


def _repeats(messages: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Repetitions by the last level of the topic; first sights must be in order."""
    seen: dict[str, list[Key]] = defaultdict(list)
    repeats: dict[str, int] = defaultdict(int)
    for topic, said in messages:
        leaf = topic.rsplit("/", 1)[1]
        if "seq" not in said or said.get("no_score") == "agent stopped":
            continue
        key = said["boot"], said["seq"]
        if key in seen[topic]:
            repeats[leaf] += 1
            continue
        assert not seen[topic] or key > seen[topic][-1], topic
        seen[topic].append(key)
    return repeats


def _turn(dice: random.Random, at: int) -> list[Any]:
    """Some records of a turn."""
    records: list[Any] = [made.scores(dice.choice([1, 3, 3, 40]), at=NOW + at)]
    if dice.random() < 0.4:
        state = AlarmState(dice.randrange(2))
        records.append(made.alarm(NOW + at, dice.randrange(3), state))
    if dice.random() < 0.2:
        records.append(made.event(at=NOW + at))
    return records


@pytest.mark.parametrize("seed", range(4))
async def test_topics_keep_their_order_and_repeat_a_window_at_most(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cuts, lost acknowledgements, slow peers, at random: order, few repetitions."""
    monkeypatch.setattr(feed, "LIVE_ROWS", 120)
    dice, sink, cuts = random.Random(seed), MemorySink(WINDOW), 0
    submitted = 0
    async with forwarding(tmp_path, sink) as (journal, _):
        for at in range(150):
            for one in journal.submit(_turn(dice, at), {}):
                record = one.record
                submitted += len(record) if isinstance(record, ScoreRecord) else 0
            await asyncio.sleep(dice.choice([0, 0, 0.002, 0.01]))
            sink.peer.telling = dice.random() < 0.8
            sink.peer.answering = sink.peer.telling and dice.random() < 0.8
            if dice.random() < 0.1 and sink.links:
                await asyncio.sleep(0.01)
                sink.links[-1].answer()
                sink.links[-1].cut()
                cuts += 1
        sink.peer.telling = sink.peer.answering = True
        sink.links[-1].cut()
        cuts += 1
        await until(lambda: journal.status()["rows"] == 0, 20)
        await asyncio.sleep(0.05)
        messages = [(t.decode(), json.loads(p)) for t, p, *_ in sink.peer.taken]
    repeats = _repeats(messages)
    rows = {
        (m["boot"], m["seq"])
        for topic, m in messages
        if topic.endswith(("/state", "/history")) and m["no_score"] != "agent stopped"
    }

    assert len(rows) == submitted
    assert repeats["history"] + repeats["events"] <= cuts * WINDOW


@pytest.mark.timeout(90)
async def test_order_holds_behind_a_broker_that_stops_and_a_link_that_dies(
    tmp_path: Path,
) -> None:
    """SIGSTOP, restart, a cut, a half-open link: each topic is in order, all come."""
    autosave = "autosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0"
    with peers.Mosquitto(tmp_path / "m", persistence=True, config=autosave) as broker:
        async with Narrow(broker.port, 0.001).serving() as link:
            settings = output(link.port, keepalive="1s")
            sink = MqttSink(
                "scada",
                settings,
                client_id="gw",
                clock=SystemClock(),
                instruments=Instruments(),
            )
            with consumer(broker.port) as scada:
                async with forwarding(tmp_path, sink, settings) as (journal, _):
                    await until(lambda: scada.of("status"))
                    for trouble in ("stop", "cut", "half-open", "restart"):
                        await _suffer(trouble, broker, link, journal)
                    await until(lambda: journal.status()["rows"] == 0, 30)
                    await until(lambda: len(_rows(scada)) == 4 * 40 * 3, 15)
                messages = [(topic, said) for topic, _, said in list(scada.messages)]

    repeats = _repeats(messages)
    assert repeats["history"] + repeats["events"] <= 4 * settings.inflight
    assert len({m["id"] for m in scada.of("events")}) == 4 * 8


async def _suffer(
    trouble: str, broker: peers.Mosquitto, link: Narrow, journal: Journal
) -> None:
    for at in range(40):
        if at == 10:
            _begin(trouble, broker, link)
        if at == 35:
            await asyncio.sleep(2.5)
            _end(trouble, broker, link)
        journal.submit([made.scores(3, at=NOW + at)], {})
        if at % 5 == 0:
            state = AlarmState(at // 5 % 2)
            journal.submit([made.alarm(NOW + at, state=state)], {})
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)


def _begin(trouble: str, broker: peers.Mosquitto, link: Narrow) -> None:
    if trouble == "stop":
        broker.pause()
    elif trouble == "cut":
        link.cut()
    elif trouble == "half-open":
        link.hold()
    else:
        broker.kill()


def _end(trouble: str, broker: peers.Mosquitto, link: Narrow) -> None:
    if trouble == "stop":
        broker.resume()
    elif trouble == "half-open":
        link.let_go()
    elif trouble == "restart":
        broker.start()


def _rows(scada: Consumer) -> set[Key]:
    valid = [m for m in scada.of("state") + scada.of("history") if m["score_valid"]]
    return {(m["boot"], m["seq"]) for m in valid}
