"""Subscriptions of a session: sent in packets of bounded size, answers kept.

They are sent at every connect, whether or not the broker kept the session: it may
have kept those of an older configuration. Subscribing again costs nothing; with
MQTT 5 the retained values are only sent for what is new to the broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.mqtt.reasons import LinkLost, advice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from edge_agent.config.schema import MqttLink
    from edge_agent.mqtt.pahoclient import ReadyClient

PER_PACKET = 100
"""Filters in one SUBSCRIBE; brokers cap the packet, some the count."""

_FAILED = 0x80


class Subscriptions:
    """What to subscribe, what was answered.

    Args:
        client: paho.
        link: for the protocol version.
        filters: topic filters with their QoS.
    """

    def __init__(
        self, client: ReadyClient, link: MqttLink, filters: Sequence[tuple[str, int]]
    ) -> None:
        self._client = client
        self._version5 = link.version == "5"
        self._filters = list(filters)
        self._sent: list[tuple[str, int]] = []
        self._done = 0
        self.refused: dict[str, str] = {}
        self._codes: list[int] = []

    def next_packet(self) -> bool:
        """Send the next SUBSCRIBE; False when all have been answered."""
        self._sent = self._filters[self._done : self._done + PER_PACKET]
        self._done += len(self._sent)
        if self._sent and self._version5:
            self._client.subscribe([(name, _options(qos)) for name, qos in self._sent])
        elif self._sent:
            self._client.subscribe(self._sent)
        return bool(self._sent)

    def answered(self, codes: Sequence[ReasonCode]) -> None:
        """Take a SUBACK."""
        for (name, _), code in zip(self._sent, codes, strict=False):
            if code.value >= _FAILED:
                hint = advice(code.value)
                why = str(code).lower()
                self.refused[name] = f"{why}; {hint}" if hint else why
                self._codes.append(code.value)

    def check(self, where: str) -> None:
        """Nothing at all can be read: that is no link.

        Raises:
            LinkLost: every subscription was refused.
        """
        if self._filters and len(self.refused) == len(
            {name for name, _ in self._filters}
        ):
            name, why = next(iter(self.refused.items()))
            raise LinkLost(
                f"{where} refused every subscription, for example {name}: {why};"
                " allow this user to read these topics in its access rules",
                code=self._codes[0],
            )


def _options(qos: int) -> SubscribeOptions:
    return SubscribeOptions(
        qos=qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
    )
