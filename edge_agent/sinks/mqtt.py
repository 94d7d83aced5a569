"""The MQTT sink: the seam of `sink` over one `edge_agent.mqtt` session a link."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from edge_agent.errors import SinkLost
from edge_agent.mqtt.frames import PublishProperties
from edge_agent.mqtt.reasons import refusal
from edge_agent.mqtt.session import LinkLost, MqttSession, Will

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.clock import Clock
    from edge_agent.config.schema import MqttOutput
    from edge_agent.instruments import Instruments
    from edge_agent.sinks.sink import Callbacks, Frame

#: Seconds a broker waits for us to be back before it announces our death (MQTT 5).
WILL_DELAY = 10


class MqttSink:
    """A broker for SCADA.

    Args:
        name: of the output.
        settings: how to reach it.
        client_id: unique among all clients of the broker.
        password: goes with ``settings.user``.
        clock: agent time.
        instruments: counters.
        fast_path: False leaves every packet to paho.
    """

    def __init__(
        self,
        name: str,
        settings: MqttOutput,
        *,
        client_id: str,
        password: str | None = None,
        clock: Clock,
        instruments: Instruments,
        fast_path: bool = True,
    ) -> None:
        self.name = name
        self._settings = settings
        self._client_id = settings.client_id or client_id
        self._password = password
        self._clock = clock
        self._instruments = instruments
        self._fast_path = fast_path

    async def connect(self, will: Frame, callbacks: Callbacks) -> MqttLink:
        """Connect, with a will that the broker publishes if we vanish.

        Raises:
            SinkLost: not reached or not let in.
        """
        topic, payload, qos, retain = will
        session = MqttSession(
            self._settings,
            client_id=self._client_id,
            clock=self._clock,
            instruments=self._instruments,
            password=self._password,
            will=Will(topic.decode(), payload, qos, retain, WILL_DELAY),
            on_acked=callbacks.taken,
            on_refused=lambda mid, code: callbacks.refused(mid, code, refusal(code)),
            fast_path=self._fast_path,
        )
        try:
            await session.connect()
        except LinkLost as lost:
            raise _sink_lost(lost) from lost
        if session.grants.maximum_qos < 1:
            await session.close()
            raise SinkLost(
                f"broker {self._settings.host} takes no QoS 1, without which nothing"
                " is certain to arrive: allow QoS 1 there"
            )
        return MqttLink(session, self._settings.inflight)


class MqttLink:
    """One connection to a broker.

    Args:
        session: connected.
        inflight: messages unacknowledged at most; the broker's own limit wins.
    """

    def __init__(self, session: MqttSession, inflight: int) -> None:
        self._session = session
        self._retain = session.grants.retain
        self._window = min(inflight, session.window)

    @property
    def room(self) -> int:
        """Messages that may be sent now; 0 while the kernel takes no more."""
        if not self._session.writable:
            return 0
        return max(self._window - self._session.inflight, 0)

    def send(self, frames: Sequence[Frame], expiry: int | None) -> list[int]:
        """Send messages in one go; returns their packet ids.

        Raises:
            SinkLost: the link is gone; nothing was sent.
        """
        if not self._retain:
            frames = [(topic, payload, qos, False) for topic, payload, qos, _ in frames]
        try:
            return self._session.publish_many(frames, _properties(expiry))
        except LinkLost as lost:
            raise _sink_lost(lost) from lost

    async def until_lost(self) -> NoReturn:
        """Wait for the end of the link.

        Raises:
            SinkLost: broker, why, what to do.
        """
        try:
            await self._session.run_until_lost()
        except LinkLost as lost:
            raise _sink_lost(lost) from lost

    async def close(self) -> None:
        """Say goodbye; the broker keeps the will to itself."""
        await self._session.close()


def _sink_lost(lost: LinkLost) -> SinkLost:
    return SinkLost(str(lost), retry_after=lost.retry_after, hung_up=lost.hung_up)


@lru_cache(maxsize=64)
def _properties(expiry: int | None) -> PublishProperties:
    return PublishProperties(expiry, "application/json", text=True)
