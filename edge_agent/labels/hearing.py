"""MQTT sessions that bring labels and verdicts.

The broker keeps them while the agent is away (QoS 1, a session that is not cleaned,
for `KEPT` seconds with MQTT 5). Where labels come faster than they are joined the
session is left, and the broker keeps the rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from edge_agent.errors import SourceLost
from edge_agent.labels.refusals import Refusals
from edge_agent.labels.telling import LabelRefused
from edge_agent.labels.verdicts import VerdictRefused, read
from edge_agent.mqtt.dialing import address_of
from edge_agent.mqtt.reasons import LinkLost
from edge_agent.mqtt.session import MqttSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge_agent.clock import Clock
    from edge_agent.config.schema import MqttLink
    from edge_agent.instruments import Instruments
    from edge_agent.labels.desk import LabelDesk
    from edge_agent.labels.messages import Messages
    from edge_agent.labels.telling import Label
    from edge_agent.mqtt.wire import Arrivals

#: Seconds a broker keeps labels for an agent that is away.
KEPT = 14 * 86_400
#: Bytes of a message with labels, and of a verdict.
LARGEST, LARGEST_VERDICT = 262_144, 8_192
#: Seconds until a session is made again that was left as too much waited.
REST = 5.0
_LOOK = 0.5


class Heard(Protocol):
    """Takes what one read brought."""

    largest: int

    def take(self, arrivals: Arrivals) -> None:
        """Must not block."""
        ...

    def status(self) -> dict[str, Any]:
        """Counts, and the last message that could not be used."""
        ...


class Hearing:
    """One session; `supervision` calls `run` again and again.

    Args:
        name: of the link, for the log.
        link: which broker.
        heard: takes messages.
        client_id: unique among all clients of the broker, and the same after a
            restart.
        filters: topic filters.
        desk: is asked whether it is crowded.
        clock: agent time.
        instruments: counters.
        password: goes with ``link.user``.
    """

    def __init__(
        self,
        name: str,
        link: MqttLink,
        heard: Heard,
        *,
        client_id: str,
        filters: Sequence[str],
        desk: LabelDesk,
        clock: Clock,
        instruments: Instruments,
        password: str | None = None,
    ) -> None:
        self.name = name
        self._link, self._heard, self._desk = link, heard, desk
        self._client_id, self._filters = client_id, list(filters)
        self._clock, self._instruments = clock, instruments
        self._password = password
        self._state, self._error, self._messages = "down", "", 0
        self._resumed = False

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            SourceLost: the link failed, or too much waits to be joined.
        """
        session = MqttSession(
            self._link,
            client_id=self._client_id,
            clock=self._clock,
            instruments=self._instruments,
            password=self._password,
            subscriptions=[(name, 1) for name in self._filters],
            on_messages=self._take,
            clean_start=False,
            session_expiry=KEPT,
            max_payload=self._heard.largest,
        )
        try:
            async with session:
                self._state = "up"
                self._resumed = session.grants.session_present
                await self._listen(session)
        except LinkLost as lost:
            self._error = str(lost)
            raise SourceLost(
                f"{self.name}: {lost}", retry_after=lost.retry_after
            ) from lost
        finally:
            self._state = "down"

    async def _listen(self, session: MqttSession) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK):
                    await session.run_until_lost()
            except TimeoutError:
                self._check_room()

    def _check_room(self) -> None:
        if self._desk.crowded:
            self._error = "labels come faster than they are joined"
            raise SourceLost(
                f"{self.name}: {self._error}; the broker keeps the rest",
                retry_after=REST,
            )

    def _take(self, arrivals: Arrivals) -> None:
        self._messages += len(arrivals.topics) + len(arrivals.oversized)
        self._heard.take(arrivals)

    def status(self) -> dict[str, Any]:
        """For the status document."""
        return {
            "type": "mqtt",
            "endpoint": address_of(self._link),
            "state": self._state,
            "last_error": self._error,
            "client_id": self._client_id,
            "session_resumed": self._resumed,
            "subscriptions": self._filters[:20],
            "messages": self._messages,
            "bad_payloads": self._heard.status(),
        }


class HeardLabels:
    """Labels of the pipelines that one source feeds.

    Args:
        source: its name.
        messages: reader of each pipeline.
        desk: takes labels.
        clock: agent time.
    """

    largest = LARGEST

    def __init__(
        self,
        source: str,
        messages: Mapping[str, Messages],
        desk: LabelDesk,
        clock: Clock,
    ) -> None:
        self._messages, self._desk = messages, desk
        self._refusals = Refusals(source, clock)

    def take(self, arrivals: Arrivals) -> None:
        """Hand labels over in order of arrival."""
        found: dict[str, list[Label]] = {name: [] for name in self._messages}
        for topic, payload in zip(arrivals.topics, arrivals.payloads, strict=True):
            for name, asset in self._about(topic):
                found[name] += self._read(name, asset, topic, payload)
        for topic, _ in arrivals.oversized:
            for name, _asset in self._about(topic):
                said = f"larger than {LARGEST} bytes"
                self._refuse(name, topic, LabelRefused("size", "", said))
        for name, labels in found.items():
            if labels:
                self._desk.labelled(name, labels)

    def _about(self, topic: bytes) -> list[tuple[str, str]]:
        """Pipelines that a topic is about, and the asset."""
        assets = [(name, each.asset(topic)) for name, each in self._messages.items()]
        return [(name, asset) for name, asset in assets if asset is not None]

    def _read(
        self, name: str, asset: str, topic: bytes, payload: bytes
    ) -> Iterator[Label]:
        for found in self._messages[name].read(payload, asset):
            if isinstance(found, LabelRefused):
                self._refuse(name, topic, found)
            else:
                yield found

    def _refuse(self, pipeline: str, topic: bytes, why: LabelRefused) -> None:
        self._desk.refused(pipeline, why.cause)
        self._refusals.add(topic, why.cause, why.message)

    def status(self) -> dict[str, Any]:
        """How many could not be used, and the last one."""
        return self._refusals.status()


class HeardVerdicts:
    """Verdicts of operators.

    Args:
        output: name of the output whose broker brings them.
        topics: pipeline and asset of each topic.
        desk: takes verdicts.
        clock: agent time.
    """

    largest = LARGEST_VERDICT

    def __init__(
        self,
        output: str,
        topics: Mapping[str, tuple[str, str]],
        desk: LabelDesk,
        clock: Clock,
    ) -> None:
        self._topics = {topic.encode(): of for topic, of in topics.items()}
        self._desk = desk
        self._refusals = Refusals(output, clock)

    def take(self, arrivals: Arrivals) -> None:
        """Hand verdicts over; one the broker had retained is an old one."""
        old = set(arrivals.retained)
        for place, topic in enumerate(arrivals.topics):
            of = self._topics.get(topic)
            if of is None or place in old or not arrivals.payloads[place]:
                continue
            pipeline, asset = of
            try:
                verdict = read(arrivals.payloads[place])
            except VerdictRefused as why:
                self._refusals.add(topic, "verdict", str(why))
                self._desk.verdict_refused(pipeline, f"{pipeline}/{asset}", str(why))
            else:
                self._desk.verdict(pipeline, verdict, asset=asset)
        for topic, _ in arrivals.oversized:
            if topic in self._topics:
                self._refusals.add(topic, "size", f"larger than {LARGEST_VERDICT} B")

    def status(self) -> dict[str, Any]:
        """How many could not be used, and the last one."""
        return self._refusals.status()
