"""How a session can work, and what it told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edge_agent.clock import SystemClock
from edge_agent.config.schema import MqttLink
from edge_agent.instruments import Instruments
from edge_agent.mqtt.session import MqttSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from edge_agent.config.schema import Tls
    from edge_agent.mqtt.wire import Arrivals

Version = Literal["3.1.1", "5"]


@dataclass
class Log:
    """What a session told."""

    arrivals: list[Arrivals] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)
    refused: list[tuple[int, int]] = field(default_factory=list)

    @property
    def messages(self) -> list[tuple[bytes, bytes]]:
        """Topic and payload of every message, in order."""
        return [
            pair
            for arrival in self.arrivals
            for pair in zip(arrival.topics, arrival.payloads, strict=True)
        ]

    @property
    def oversized(self) -> list[bytes]:
        """Topics of messages that were too large."""
        return [topic for a in self.arrivals for topic, _ in a.oversized]


@dataclass(frozen=True)
class Kind:
    """How a session works: on the fast path or by paho alone, and which MQTT."""

    fast: bool
    version: Version

    def link(self, port: int, **more: Any) -> MqttLink:  # noqa: ANN401
        """A link to a broker on this machine."""
        given: dict[str, Any] = {"host": "127.0.0.1", "port": port, **more}
        return MqttLink(version=self.version, **given)

    @asynccontextmanager
    async def session(
        self,
        port: int,
        log: Log | None = None,
        tls: Tls | None = None,
        **more: Any,  # noqa: ANN401
    ) -> AsyncIterator[MqttSession]:
        """A connected session; its doings go to ``log``."""
        link = self.link(port, tls=tls, **more.pop("link", {}))
        async with self.unconnected(link, log, **more) as session:
            yield session

    def unconnected(
        self,
        link: MqttLink,
        log: Log | None = None,
        **more: Any,  # noqa: ANN401
    ) -> MqttSession:
        """A session that has not connected yet."""
        told = log or Log()
        given: dict[str, Any] = {"client_id": "tested", **more}
        return MqttSession(
            link,
            clock=SystemClock(),
            instruments=Instruments(),
            fast_path=self.fast,
            on_messages=given.pop("on_messages", told.arrivals.append),
            on_acked=told.acked.extend,
            on_refused=lambda packet_id, code: told.refused.append((packet_id, code)),
            **given,
        )


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that a test has caused."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  (any condition, not an event)
            await asyncio.sleep(0.005)
