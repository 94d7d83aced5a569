"""One MQTT session on the event loop: connect, subscribe, publish, until lost.

A session is used once: a link that failed is dialled again with a new session, so
that nothing is carried over but what the caller kept. There is no retry in here.

Messages arrive in bulk (`Arrivals`), acknowledgements too. Delivery north is the
caller's: it keeps at most `room` QoS 1 messages open, deletes on ``on_acked``, and
after a loss publishes anew whatever was not acknowledged.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn, Self

from edge_agent.mqtt.bridge import Bridge
from edge_agent.mqtt.dialing import address_of, dial
from edge_agent.mqtt.fastsocket import FastSocket
from edge_agent.mqtt.fastwire import FastWire
from edge_agent.mqtt.frames import FIRST_OWN_ID
from edge_agent.mqtt.outcome import Outcome
from edge_agent.mqtt.pacing import ReadPacing
from edge_agent.mqtt.pahoclient import Will, connect, prepared
from edge_agent.mqtt.plainwire import PlainWire
from edge_agent.mqtt.reasons import LinkLost
from edge_agent.mqtt.subscribing import Subscriptions
from edge_agent.mqtt.wire import Arrivals, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.clock import Clock
    from edge_agent.config.schema import MqttLink
    from edge_agent.instruments import Instruments
    from edge_agent.mqtt.dialing import Connection
    from edge_agent.mqtt.frames import Frame, PublishProperties
    from edge_agent.mqtt.grants import Grants
    from edge_agent.mqtt.wire import Wire

__all__ = ["Arrivals", "LinkLost", "MqttSession", "Will"]

CONNECT_TIMEOUT = 10.0
"""Seconds for each of: the connection, CONNACK, SUBACK."""

GOODBYE_TIMEOUT = 1.0
"""Seconds a close waits for output that the kernel does not take."""

HIGH_WATER = 1 << 20
"""Unsent bytes above which the caller should wait before it publishes more."""

MAX_PAYLOAD = 262_144
_TOO_LARGE = 0x95
_PACKET_OVERHEAD = 16


def _ignore(*_: object) -> None:
    """Nobody wants to know."""


class MqttSession:
    """One connection to one broker.

    Args:
        link: where to, how.
        client_id: unique among all clients of the broker.
        clock: for the time of arrival.
        instruments: counts connections and refusals, by client id.
        password: goes with ``link.user``.
        will: published by the broker when the session ends without a goodbye.
        subscriptions: topic filters with their QoS.
        on_messages: takes what one read brought; QoS 1 is acknowledged when it
            returns. An exception in it is a bug and ends the session with it.
        on_acked: takes packet ids the broker has taken.
        on_refused: takes a packet id the broker will never take, and why.
        clean_start: forget what the broker kept for this client id.
        session_expiry: seconds the broker keeps subscriptions and messages after
            the link is lost (MQTT 5).
        batch_window: seconds reads are held back at most, under load only.
        fast_path: False leaves every packet to paho.
        max_payload: bytes; larger messages are reported, not delivered.
        connect_timeout: seconds for each step of connecting.
    """

    def __init__(
        self,
        link: MqttLink,
        *,
        client_id: str,
        clock: Clock,
        instruments: Instruments,
        password: str | None = None,
        will: Will | None = None,
        subscriptions: Sequence[tuple[str, int]] = (),
        on_messages: Callable[[Arrivals], None] | None = None,
        on_acked: Callable[[list[int]], None] | None = None,
        on_refused: Callable[[int, int], None] | None = None,
        clean_start: bool = True,
        session_expiry: int = 0,
        batch_window: float = 0.0,
        fast_path: bool = True,
        max_payload: int = MAX_PAYLOAD,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.link = link
        self.client_id = client_id
        self._instruments = instruments
        self._terms = Terms(
            on_messages or _ignore,
            on_acked or _ignore,
            on_refused or _ignore,
            clock,
            version5=link.version == "5",
            max_payload=max_payload,
        )
        self._clean_start = clean_start
        self._session_expiry = session_expiry
        self._fast = fast_path
        self._timeout = connect_timeout
        self._turned_away = 0
        self._client = prepared(
            link, client_id, password, will, clean_start=clean_start
        )
        self._where = f"broker {address_of(link)}"
        self._bridge = Bridge(
            self._client, self._where, ReadPacing(batch_window), connect_timeout
        )
        self._subscriptions = Subscriptions(self._client, link, subscriptions)
        self._outcome = Outcome(
            self._client, self._bridge, link, client_id, self._subscriptions
        )

    # -- life -----------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect and subscribe.

        Raises:
            LinkLost: not reached, refused, or every subscription refused.
        """
        try:
            self._attach(await dial(self.link, self._timeout))
            await self._bridge.answer("the MQTT connection")
            while self._subscriptions.next_packet():
                await self._bridge.answer("a subscription")
            self._subscriptions.check(self._where)
        except BaseException:
            self._bridge.detach()
            raise
        self._instruments.count("mqtt_connects", client=self.client_id)

    async def run_until_lost(self) -> NoReturn:
        """Wait for the end of the link.

        Raises:
            LinkLost: broker, why, what to do.
        """
        await self._bridge.over.wait()
        raise self._bridge.failure or LinkLost(f"{self._where} was left")

    async def close(self) -> None:
        """Send what waits, then say goodbye: the broker keeps the will to itself."""
        if self.connected:
            await self._bridge.drained(GOODBYE_TIMEOUT)
        if self.connected:
            self._client.on_disconnect = None
            self._client.disconnect()
            await self._bridge.drained(GOODBYE_TIMEOUT)
        self._bridge.detach()

    # -- publishing -----------------------------------------------------------

    def publish_many(
        self,
        frames: Sequence[Frame],
        properties: PublishProperties | None = None,
    ) -> list[int]:
        """Send topic, payload, QoS (0 or 1) and retain of each, in one go.

        Args:
            frames: QoS 1 ones not more than `room`.
            properties: of MQTT 5, for all of them; left out at 3.1.1.

        Returns:
            Packet ids, 0 for QoS 0. ``on_acked`` or ``on_refused`` follows for
            each other one, never before this returns. A message larger than the
            broker takes gets a negative id and is refused without being sent.

        Raises:
            LinkLost: there is no link; nothing was sent.
            ValueError: more QoS 1 messages than `room`.
        """
        wire = self._bridge.wire
        if wire is None or self._bridge.failure is not None:
            raise self._bridge.failure or LinkLost(f"{self._where} is not connected")
        if sum(1 for frame in frames if frame[2]) > self.room:
            raise ValueError("more unacknowledged messages than the broker allows")
        limit = self.grants.max_packet_size
        if limit is None:
            return wire.publish(frames, properties)
        return self._publish_fitting(wire, frames, properties, limit)

    def _publish_fitting(
        self,
        wire: Wire,
        frames: Sequence[Frame],
        properties: PublishProperties | None,
        limit: int,
    ) -> list[int]:
        """Refuse here what the broker would end the connection for."""
        block = len(properties.encoded()) if properties else 1
        room = limit - _PACKET_OVERHEAD - block
        fits = [len(topic) + len(payload) <= room for topic, payload, *_ in frames]
        good = [frame for frame, fit in zip(frames, fits, strict=True) if fit]
        sent = iter(wire.publish(good, properties) if good else ())
        return [
            next(sent) if fit else self._refuse(frame[2])
            for frame, fit in zip(frames, fits, strict=True)
        ]

    def _refuse(self, qos: int) -> int:
        self._instruments.count("mqtt_too_large", client=self.client_id)
        if not qos:
            return 0
        self._turned_away -= 1
        loop = asyncio.get_running_loop()
        loop.call_soon(self._terms.refused, self._turned_away, _TOO_LARGE)
        return self._turned_away

    @property
    def grants(self) -> Grants:
        """What the broker allows."""
        return self._outcome.grants

    @property
    def inflight(self) -> int:
        """QoS 1 messages sent, neither acknowledged nor refused."""
        return self._bridge.wire.inflight() if self._bridge.wire else 0

    @property
    def window(self) -> int:
        """Most QoS 1 messages that may be open: the broker's limit, or the ids'."""
        return min(self.grants.receive_maximum, FIRST_OWN_ID - 1)

    @property
    def room(self) -> int:
        """QoS 1 messages that may be published now."""
        return self.window - self.inflight

    @property
    def writable(self) -> bool:
        """The kernel takes what is published; else wait before publishing more."""
        wire = self._bridge.wire
        return wire is not None and wire.unsent() < HIGH_WATER

    @property
    def connected(self) -> bool:
        """There is a link, as far as is known."""
        return self._bridge.wire is not None and self._bridge.failure is None

    @property
    def refused_filters(self) -> dict[str, str]:
        """Subscriptions the broker did not accept, with the reason in words."""
        return self._subscriptions.refused

    # -- making ---------------------------------------------------------------

    def _attach(self, connection: Connection) -> None:
        wire, socket = self._wired(connection)
        self._bridge.attach(connection, wire, self.link.keepalive)
        connect(
            self._client,
            self.link,
            socket,
            clean_start=self._clean_start,
            session_expiry=self._session_expiry,
        )

    def _wired(self, connection: Connection) -> tuple[Wire, Connection | FastSocket]:
        client, bridge = self._client, self._bridge
        if not self._fast:
            client.on_socket_register_write = lambda *_: bridge.blocked(True)
            client.on_socket_unregister_write = lambda *_: bridge.blocked(False)
            return PlainWire(client, connection, self._terms), connection
        socket = FastSocket(connection, bridge.blocked)
        client.on_socket_register_write = bridge.let_paho_write_soon
        return FastWire(client, socket, self._terms), socket
