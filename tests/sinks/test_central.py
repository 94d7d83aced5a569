"""A second output, to a broker of many gateways over a long line."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.config.keeping import Store
from edge_agent.config.languages import english
from edge_agent.errors import SinkLost
from edge_agent.instruments import Instruments
from edge_agent.records import AlarmState, ScoreRecord
from edge_agent.sinks import appetite
from edge_agent.sinks.flat import FlatProfile
from edge_agent.sinks.forwarder import Forwarder
from edge_agent.sinks.mqtt import MqttSink
from edge_agent.sinks.topics import Place
from edge_agent.store.journal import Journal
from tests import peers
from tests.mqtt.kinds import Kind
from tests.sinks.made import output, until
from tests.sinks.test_mqtt import consumer
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from edge_agent.config.schema import MqttOutput

NOW = SystemClock().now()


@contextlib.asynccontextmanager
async def _agent(
    path: Path, outputs: Mapping[str, MqttOutput]
) -> AsyncIterator[tuple[Journal, dict[str, Forwarder]]]:
    """A journal with several outputs, as wired."""
    clock, instruments = SystemClock(), Instruments()
    journal = Journal(
        path / "store.db",
        sinks=tuple(outputs),
        settings=Store.model_validate({"flush": "50ms"}),
        clock=clock,
        instruments=instruments,
        appetites={name: appetite.owed(one) for name, one in outputs.items()},
    )
    journal.start()
    forwarders = {
        name: Forwarder(
            MqttSink(name, one, client_id=name, clock=clock, instruments=instruments),
            journal,
            FlatProfile(
                Place.of(one.root, ["acme"], "gw-07"), {"pump-anomaly": 60.0}, english()
            ),
            one,
            clock=clock,
            instruments=instruments,
            version="0",
        )
        for name, one in outputs.items()
    }

    async def supervised(one: Forwarder) -> None:
        while True:
            with contextlib.suppress(SinkLost):
                await one.run()
                return
            await asyncio.sleep(0.05)

    try:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(supervised(one)) for one in forwarders.values()
            ]
            yield journal, forwarders
            for task in running:
                task.cancel()
    finally:
        await asyncio.to_thread(journal.stop, 10)


def _central(port: int, **more: object) -> MqttOutput:
    return output(port, root="central/{gateway}", history=False, **more)


async def test_centre_that_is_away_costs_the_plant_nothing(tmp_path: Path) -> None:
    """The plant's broker goes on; the centre's alarms are kept in order, no states."""
    plant = peers.Mosquitto(tmp_path / "plant")
    centre = peers.Mosquitto(
        tmp_path / "centre", config="max_queued_messages 10000", persistence=True
    )
    with plant, centre:
        # who watches has subscribed before: the broker keeps what comes for it
        with _watching(centre.port) as seen:
            async with Kind(fast=True, version="5").session(centre.port) as session:
                session.publish_many([(b"central/gw-07/ready", b"{}", 1, True)])
                await until(lambda: seen("ready"))
        centre.stop()
        outputs = {"scada": output(plant.port), "centre": _central(centre.port)}
        async with _agent(tmp_path, outputs) as (journal, forwarders):
            await until(lambda: forwarders["scada"].status()["state"] == "connected")
            for at in range(60):
                journal.submit([made.scores(30, at=NOW + at)], {})
                state = AlarmState((at + 1) % 2)
                journal.submit([made.alarm(NOW + at, state=state)], {})
                await asyncio.sleep(0.01)
            await until(lambda: forwarders["centre"].status()["backlog_rows"] == 60)
            await until(lambda: forwarders["scada"].status()["backlog_rows"] == 0)
            away = forwarders["centre"].status()
            await until(lambda: journal.status()["rows"] == 60)
            centre.start()
            with _watching(centre.port) as seen:
                await until(lambda: len(seen("events")) == 60, 20)
                await until(lambda: journal.status()["rows"] == 0)
                alarms, states = seen("events"), seen("state")
                history, statuses = seen("history"), seen("status")

    assert away["backlog_rows"] == 60
    assert away["oldest_age_s"] > 0
    order = [(m["boot"], m["seq"]) for m in alarms]
    assert order == sorted(set(order))
    assert history == []
    assert len({m["seq"] for m in states}) <= 3
    assert statuses


@contextlib.contextmanager
def _watching(port: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    with consumer(port, topic="central/gw-07/#") as one:
        yield one.of


async def test_newest_state_wins_at_a_limited_rate(tmp_path: Path) -> None:
    """Twenty states a second of five hundred made: few go out, the newest last."""
    with peers.Mosquitto(tmp_path / "m") as broker:
        outputs = {"centre": _central(broker.port, takes=["states"], max_rate=20)}
        with _watching(broker.port) as seen:
            async with _agent(tmp_path, outputs) as (journal, forwarders):
                await until(lambda: seen("status"))
                last, began = -1, time.monotonic()
                for at in range(100):
                    (one, *_) = journal.submit(
                        [made.scores(3, at=NOW + at), made.event()], {}
                    )
                    last = one.seq
                    await asyncio.sleep(0.01)
                await until(
                    lambda: {last, last + 2} <= {m["seq"] for m in seen("state")}
                )
                told = forwarders["centre"].status()
                rows, states = journal.status()["rows"], seen("state")
                most = 20 * (time.monotonic() - began) + 20

    assert rows == 0
    assert len(states) < most
    assert told["states_superseded"] > 300 - most
    for asset in range(3):  # a turn is three rows and an event
        order = [m["seq"] for m in states if m["seq"] % 4 == asset]
        assert order == sorted(order)


def test_what_is_not_taken_is_not_kept() -> None:
    """An output without states is owed none, one without history neither."""
    alarms = output(takes=["alarms"])
    assert ScoreRecord not in appetite.told(alarms) | appetite.owed(alarms)
    shown = output(history=False)
    assert ScoreRecord in appetite.told(shown)
    assert ScoreRecord not in appetite.owed(shown)
