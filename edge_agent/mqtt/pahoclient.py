"""A paho client for one connection that is already made.

paho's surprises, and what is done about each:

- It connects in `_create_socket`, blocking. That method is overridden to return a
  socket that is ready (see `dialing`), so nothing of paho blocks or needs a thread.
- It never gives up an id on its own: packet ids are kept below ours.
- ``max_inflight_messages`` above 0 queues in memory what is beyond it, and forgets
  to count after a reconnect (paho issue 492). The window is the caller's: 0.
- It would downgrade a refused 3.1.1 connection to 3.1 by reconnecting on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.mqtt.dialing import port_of
from edge_agent.mqtt.frames import FIRST_OWN_ID

if TYPE_CHECKING:
    from edge_agent.config.schema import MqttLink
    from edge_agent.mqtt.dialing import Connection
    from edge_agent.mqtt.fastsocket import FastSocket


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when this session ends without a goodbye.

    Attributes:
        delay_s: seconds the broker waits for a new connection first (MQTT 5).
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    delay_s: int = 0


class ReadyClient(Client):
    """paho over a connection that is already made."""

    ready: Connection | FastSocket | None = None

    def _create_socket(self) -> Connection | FastSocket:
        if self.ready is None:
            raise ConnectionError("a client serves one connection")
        ready, self.ready = self.ready, None
        return ready

    def _mid_generate(self) -> int:
        packet_id = super()._mid_generate()
        if packet_id < FIRST_OWN_ID:
            return packet_id
        self._last_mid = 0
        return super()._mid_generate()


def prepared(
    link: MqttLink,
    client_id: str,
    password: str | None,
    will: Will | None,
    *,
    clean_start: bool,
) -> ReadyClient:
    """A client with identity, credentials and will, not connected."""
    version5 = link.version == "5"
    client = ReadyClient(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if version5 else clean_start,
        protocol=MQTTv5 if version5 else MQTTv311,
        reconnect_on_failure=False,
    )
    client.max_inflight_messages_set(0)
    if link.user is not None:
        client.username_pw_set(link.user, password)
    if will is not None:
        client.will_set(
            will.topic,
            will.payload,
            will.qos,
            will.retain,
            _will_properties(will, link),
        )
    return client


def _will_properties(will: Will, link: MqttLink) -> Properties | None:
    if link.version != "5" or not will.delay_s:
        return None
    properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    properties.WillDelayInterval = will.delay_s
    return properties


def connect(
    client: ReadyClient,
    link: MqttLink,
    ready: Connection | FastSocket,
    *,
    clean_start: bool,
    session_expiry: int,
) -> None:
    """Hand the connection to paho, which queues its CONNECT."""
    client.ready = ready
    keepalive = min(math.ceil(link.keepalive), 0xFFFF)
    if link.version != "5":
        client.connect(link.host, port_of(link), keepalive)
        return
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    if session_expiry:
        properties.SessionExpiryInterval = session_expiry
    client.connect(
        link.host,
        port_of(link),
        keepalive,
        clean_start=clean_start,
        properties=properties,
    )
