"""What the broker allows, read from its CONNACK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties

UNLIMITED = 0xFFFF


@dataclass(frozen=True, slots=True)
class Grants:
    """The broker's side of the agreement; the defaults are MQTT's.

    Attributes:
        session_present: it still had this client's subscriptions and messages.
        receive_maximum: QoS 1 messages it takes unacknowledged.
        max_packet_size: bytes of the largest packet it takes; None for any.
        maximum_qos: highest QoS it takes.
        retain: it keeps retained messages.
        keepalive: seconds, where it overruled ours.
        client_id: the one it assigned, if we sent none.
    """

    session_present: bool = False
    receive_maximum: int = UNLIMITED
    max_packet_size: int | None = None
    maximum_qos: int = 2
    retain: bool = True
    keepalive: int | None = None
    client_id: str | None = None


def granted(session_present: bool, properties: Properties | None) -> Grants:
    """Read a CONNACK; 3.1.1 has no properties, an absent one has a default."""

    def number(name: str, default: int) -> int:
        value = getattr(properties, name, default)
        return value if isinstance(value, int) else default

    return Grants(
        session_present=session_present,
        receive_maximum=number("ReceiveMaximum", UNLIMITED),
        max_packet_size=number("MaximumPacketSize", 0) or None,
        maximum_qos=number("MaximumQoS", 2),
        retain=number("RetainAvailable", 1) > 0,
        keepalive=number("ServerKeepAlive", 0) or None,
        client_id=getattr(properties, "AssignedClientIdentifier", None),
    )
