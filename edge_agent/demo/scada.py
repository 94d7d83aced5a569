"""A stand-in for SCADA: subscribes to everything the agent says, and keeps the books.

Its session at the broker outlives the broker's restart, as a historian's does: what
the agent publishes before it is back waits for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from edge_agent.config.schema import MqttLink
from edge_agent.demo.children import HOST
from edge_agent.mqtt.session import LinkLost, MqttSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edge_agent.clock import Clock
    from edge_agent.instruments import Instruments
    from edge_agent.mqtt.wire import Arrivals

_PAUSE = 0.2  # seconds between two attempts to be back
_SESSION = 3600  # seconds the broker keeps our session


class Scada:
    """The consumer.

    Args:
        port: of the broker.
        version: of MQTT.
        take: gets topic and message of everything under ``edge/``.
        clock: for the session.
        instruments: for the session.
    """

    def __init__(
        self,
        port: int,
        version: str,
        take: Callable[[str, dict[str, Any]], None],
        *,
        clock: Clock,
        instruments: Instruments,
    ) -> None:
        self.link = MqttLink.model_validate(
            {"host": HOST, "port": port, "version": version}
        )
        self.heard = 0
        self.connected = asyncio.Event()
        self._take = take
        self._clock, self._instruments = clock, instruments

    async def run(self) -> None:
        """Listen until cancelled, over every loss of the broker."""
        while True:
            try:
                await self._listen()
            except LinkLost:
                await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        session = MqttSession(
            self.link,
            client_id="demo-scada",
            clock=self._clock,
            instruments=self._instruments,
            subscriptions=[("edge/#", 1)],
            on_messages=self._messages,
            clean_start=False,
            session_expiry=_SESSION,
        )
        async with session:
            self.connected.set()
            try:
                await session.run_until_lost()
            finally:
                self.connected.clear()

    def _messages(self, arrivals: Arrivals) -> None:
        self.heard += len(arrivals.topics)
        for topic, payload in zip(arrivals.topics, arrivals.payloads, strict=True):
            if payload:
                self._take(topic.decode(), msgspec.json.decode(payload))
