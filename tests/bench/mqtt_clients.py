"""Programs that only receive: one MQTT client each, counting messages.

``python -m tests.bench.mqtt_clients KIND PORT QOS``; a line on stdin prints the count.
KIND: ``session`` is our session, ``plain`` the same without its fast path (paho on the
event loop), ``paho`` paho's own network thread and callback; ``source`` is our source
up to the drained inbox, ``paho-json`` paho with ``json.loads`` and a list of values.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from edge_agent.clock import SystemClock
from edge_agent.config.plant import resolve
from edge_agent.config.schema import AgentConfig, MqttLink
from edge_agent.inbox import Inbox
from edge_agent.instruments import Instruments
from edge_agent.mqtt.session import Arrivals, MqttSession
from tests.bench.agent import configuration
from tests.bench.naive_mqtt import open_client

if TYPE_CHECKING:
    import paho.mqtt.client as mqtt

PATTERN = "plant/+/data"
WINDOW_S = 0.003
_DRAIN_S = 0.005


class Count:
    """How many messages, or samples, came."""

    def __init__(self) -> None:
        self.items = 0
        self.last: object = None

    def arrived(self, arrivals: Arrivals) -> None:
        """Our session's callback: one call a read."""
        self.items += len(arrivals.topics)
        self.last = arrivals.payloads[-1:]

    def message(
        self, _client: object, _data: object, message: mqtt.MQTTMessage
    ) -> None:
        """Paho's callback: one call a message."""
        self.items += 1
        self.last = message.payload

    def decoded(
        self, _client: object, _data: object, message: mqtt.MQTTMessage
    ) -> None:
        """Paho's callback, decoding."""
        values = json.loads(message.payload)
        stamp = values.pop("ts")
        self.last = [(message.topic, role, stamp, v) for role, v in values.items()]
        self.items += 1


async def answer(count: Count) -> None:
    """Print the count whenever a line comes in; end with stdin."""
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps({"items": count.items}), flush=True)


async def with_session(port: int, qos: int, count: Count, *, fast: bool) -> None:
    """Our session, its callback only counting."""
    session = MqttSession(
        MqttLink(host="127.0.0.1", port=port),
        client_id="bench-client",
        clock=SystemClock(),
        instruments=Instruments(),
        subscriptions=[(PATTERN, qos)],
        on_messages=count.arrived,
        batch_window=WINDOW_S if fast else 0.0,
        fast_path=fast,
    )
    async with session:
        await answer(count)


def with_paho(port: int, qos: int, count: Count, on_message: Any) -> None:  # noqa: ANN401
    """Paho's thread and callback."""
    client = open_client(port, "bench-client")
    client.on_message = on_message
    client.subscribe(PATTERN, qos)
    client.loop_start()
    asyncio.run(answer(count))


async def with_source(port: int, qos: int, count: Count) -> None:
    """Our source into an inbox that is drained and forgotten."""
    from edge_agent.sources.mqtt import MqttSource  # noqa: PLC0415

    source = {"type": "mqtt", "host": "127.0.0.1", "port": port, "qos": qos}
    source["time_field"] = "ts"
    config = AgentConfig.model_validate(configuration(source))
    plant = resolve(config)
    settings: Any = config.sources["plant"]
    inbox = Inbox(plant.tags)
    subject = MqttSource(
        "plant",
        0,
        settings,
        plant.bindings["plant"],
        clock=SystemClock(),
        instruments=Instruments(),
        gateway="gw-bench",
        password=None,
    )

    async def drain() -> None:
        while True:
            await asyncio.sleep(_DRAIN_S)
            count.items += len(inbox.drain())

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(subject.run(inbox)), tasks.create_task(drain())]
        await answer(count)
        for task in running:
            task.cancel()


def main() -> None:
    """Receive until stdin closes."""
    kind, port, qos = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    count = Count()
    if kind in {"session", "plain"}:
        asyncio.run(with_session(port, qos, count, fast=kind == "session"))
    elif kind == "source":
        asyncio.run(with_source(port, qos, count))
    else:
        callback = count.message if kind == "paho" else count.decoded
        with_paho(port, qos, count, callback)


if __name__ == "__main__":
    main()
