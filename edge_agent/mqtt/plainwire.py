"""Every packet left to paho: slower, for fault finding, same behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.mqtt.wire import Arrivals, Read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from edge_agent.mqtt.dialing import Connection
    from edge_agent.mqtt.frames import Frame, PublishProperties
    from edge_agent.mqtt.wire import Terms

READS = 200
"""Packets taken before the event loop has its turn again."""

_FAILED = 0x80


class PlainWire:
    """One connection's packets; arguments as for `fastwire.FastWire`."""

    def __init__(self, client: Client, socket: Connection, terms: Terms) -> None:
        self._client = client
        self._socket = socket
        self._terms = terms
        self._open: set[int] = set()
        self._arrived = Arrivals()
        self._acked: list[int] = []
        self._to_ack = 0
        client.on_message = self._on_message
        client.on_publish = self._on_publish

    def read(self) -> Read:
        """Let paho read until nothing is left, then deliver all of it."""
        before = -1
        taken = 0
        while self._client.socket() is not None and taken < READS:
            if taken and self._progress() == before and not self._pending():
                break
            before = self._progress()
            self._client.loop_read()
            taken += 1
        return self._deliver()

    def _progress(self) -> int:
        arrived = self._arrived
        return len(arrived.topics) + len(arrived.oversized) + len(self._acked)

    def _pending(self) -> bool:
        pending = getattr(self._socket, "pending", None)
        return self._client.socket() is not None and bool(pending and pending())

    def _deliver(self) -> Read:
        arrivals, self._arrived = self._arrived, Arrivals()
        acked, self._acked = self._acked, []
        to_ack, self._to_ack = self._to_ack, 0
        if arrivals.topics or arrivals.oversized:
            arrivals.received = self._terms.clock.now()
            self._terms.messages(arrivals)
        if acked:
            self._terms.acked(acked)
        return Read(len(arrivals.topics), to_ack, self._pending())

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        topic = message._topic  # noqa: SLF001  (.topic decodes, and raises on bad UTF-8)
        if message.qos == 1:
            self._to_ack += 1
        if len(message.payload) > self._terms.max_payload:
            self._arrived.oversized.append((topic, len(message.payload)))
            return
        if message.retain:
            self._arrived.retained.append(len(self._arrived.topics))
        self._arrived.topics.append(topic)
        self._arrived.payloads.append(bytes(message.payload))

    def _on_publish(
        self,
        _client: object,
        _data: object,
        packet_id: int,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        # also called for QoS 0, when sent
        if packet_id not in self._open:
            return
        self._open.discard(packet_id)
        if reason.value >= _FAILED:
            self._terms.refused(packet_id, reason.value)
        else:
            self._acked.append(packet_id)

    def flush(self) -> None:
        """Let paho send what waits."""
        self._client.loop_write()

    def publish(
        self, frames: Sequence[Frame], properties: PublishProperties | None
    ) -> list[int]:
        """One frame after the other."""
        block = self._block(properties)
        packet_ids = []
        for topic, payload, qos, retain in frames:
            info = self._client.publish(topic.decode(), payload, qos, retain, block)
            while info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # its id is still open
                info = self._client.publish(topic.decode(), payload, qos, retain, block)
            packet_ids.append(info.mid if qos else 0)
            if qos:
                self._open.add(info.mid)
        return packet_ids

    def _block(self, given: PublishProperties | None) -> Properties | None:
        if given is None or not self._terms.version5:
            return None
        block = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if given.text:
            block.PayloadFormatIndicator = 1
        if given.expiry is not None:
            block.MessageExpiryInterval = given.expiry
        if given.content_type is not None:
            block.ContentType = given.content_type
        return block

    def unsent(self) -> int:
        """1 while packets wait for the kernel."""
        return int(self._client.want_write())

    def inflight(self) -> int:
        """QoS 1 messages neither taken nor refused."""
        return len(self._open)

    def trouble(self) -> str:
        """Nothing: paho keeps the error to itself."""
        return ""
