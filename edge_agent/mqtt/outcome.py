"""What paho tells of a session's fate, as sentences for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.mqtt.grants import Grants, granted
from edge_agent.mqtt.reasons import OWN_MATTERS, LinkLost, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edge_agent.config.schema import MqttLink
    from edge_agent.mqtt.bridge import Bridge
    from edge_agent.mqtt.pahoclient import ReadyClient
    from edge_agent.mqtt.subscribing import Subscriptions


class Outcome:
    """Takes paho's callbacks of one session.

    Args:
        client: paho.
        bridge: told when the link is up, answered or ended.
        link: as configured.
        client_id: as connected with.
        subscriptions: told what was answered.
    """

    def __init__(
        self,
        client: ReadyClient,
        bridge: Bridge,
        link: MqttLink,
        client_id: str,
        subscriptions: Subscriptions,
    ) -> None:
        self.grants = Grants()
        self._greeted = False
        self._client_id = client_id
        self._bridge = bridge
        self._link = link
        self._subscriptions = subscriptions
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe

    def _on_connect(
        self,
        _client: object,
        _data: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            happened = f"{self._bridge.where} refused the connection"
            why = sentence(happened, str(reason), reason.value)
            self._bridge.end(LinkLost(why, code=reason.value))
            return
        self._greeted = True
        self.grants = granted(flags.session_present, properties)
        self._bridge.answered()

    def _on_disconnect(
        self,
        _client: object,
        _data: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            happened = f"{self._bridge.where} ended the connection"
            why = sentence(happened, str(reason), reason.value)
            hung_up = reason.value not in OWN_MATTERS
            self._bridge.end(LinkLost(why, code=reason.value, hung_up=hung_up))
            return
        trouble = self._bridge.wire.trouble() if self._bridge.wire else ""
        hung_up = self._greeted and str(reason) != "Keep alive timeout"
        self._bridge.end(LinkLost(self._lost(str(reason), trouble), hung_up=hung_up))

    def _lost(self, reason: str, trouble: str) -> str:
        if reason == "Keep alive timeout":
            return (
                f"{self._bridge.where} has not answered for {self._link.keepalive:g} s"
                " (keepalive); check the network and the broker's load"
            )
        why = f" ({trouble})" if trouble else ""
        if reason == "Protocol error":
            return (
                f"{self._bridge.where} sent what is not MQTT{why}; check host and port"
            )
        if not self._greeted:
            hint = "check that this port is MQTT, and tls and version as on its side"
            return f"{self._bridge.where} hung up before it answered{why}; {hint}"
        hint = f"check its log; another client with client_id {self._client_id}"
        return (
            f"{self._bridge.where} closed the connection{why}; {hint} is a usual cause"
        )

    def _on_subscribe(
        self,
        _client: object,
        _data: object,
        _packet_id: object,
        reasons: Sequence[ReasonCode],
        _properties: object,
    ) -> None:
        self._subscriptions.answered(reasons)
        self._bridge.answered()
