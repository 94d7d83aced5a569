"""A broker with telemetry: messages in, columns of samples to the inbox.

What the agent decides here, and why:

- **Kept sessions.** Only where the payload carries its own time stamp (and QoS 1,
  and MQTT 5, which lets the broker forget us) does the broker keep messages while
  the link is down. A kept message that is stamped on arrival would put old values
  at the present.
- **Retained messages** without a time stamp are of unknown age: UNCERTAIN. With a
  time stamp they are like any other.
- **Silence is no proof of life**: a broker that says nothing may have lost its
  publisher. Tags turn stale by their age; with ``max_silence`` the link is made
  anew.
- **A bad payload** costs a counter and leaves a sample of itself in `status`.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.config.schema import TimePolicy
from edge_agent.errors import SourceLost
from edge_agent.mqtt.dialing import address_of
from edge_agent.mqtt.reasons import LinkLost
from edge_agent.mqtt.session import MqttSession
from edge_agent.payloads.columns import Columns
from edge_agent.payloads.unreadable import Unreadable
from edge_agent.sources.mqtt_gaps import Gaps
from edge_agent.sources.mqtt_topics import TopicIndex, filters
from edge_agent.sources.refusals import Refusals, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.clock import Clock
    from edge_agent.config.plant import Binding
    from edge_agent.config.schema import MqttSource as Settings
    from edge_agent.inbox import Inbox
    from edge_agent.instruments import Instruments
    from edge_agent.mqtt.wire import Arrivals
    from edge_agent.payloads.columns import Gathered

log = structlog.get_logger()

KEPT = 300
"""Seconds a broker keeps messages for us; more would be history, not telemetry."""

LOOK = 1.0
"""Seconds between looks at silence, at most."""


class MqttSource:
    """One configured broker; see `source.Source` for the contract.

    Args:
        name: as configured.
        index: position among the sources of the tag table.
        settings: as configured.
        bindings: the tags it feeds.
        clock: agent time.
        instruments: counters.
        gateway: name of this gateway, part of the client id.
        password: goes with ``settings.user``.
    """

    def __init__(
        self,
        name: str,
        index: int,
        settings: Settings,
        bindings: Sequence[Binding],
        *,
        clock: Clock,
        instruments: Instruments,
        gateway: str,
        password: str | None = None,
    ) -> None:
        self.name = name
        self._index = index
        self._settings = settings
        self._clock = clock
        self._instruments = instruments
        self._password = password
        self._client_id = settings.client_id or f"edge-agent-{gateway}-{name}"
        stamped = settings.time is not TimePolicy.RECEIVE
        time_field = settings.time_field if stamped else None
        self._topics = TopicIndex(bindings, settings.payload, time_field)
        self._addresses = [bound.address for bound in bindings]
        keeps = time_field is not None and settings.qos == 1 and settings.version == "5"
        self._kept = KEPT if keeps else 0
        self._gaps = Gaps(name, settings, instruments.losses, keeps=self._kept)
        self._join = True
        self._filters = filters(self._addresses)
        self._session: MqttSession | None = None
        self._state, self._since, self._error = "down", clock.now(), ""
        self._connects = 0
        self._heard = 0
        self._messages = self._samples = self._unknown = 0
        self._unknown_topic = ""
        self._refused_filters: dict[str, str] = {}
        self._refusals = Refusals(name, clock, instruments)

    async def run(self, inbox: Inbox) -> None:
        """Connect and push samples until cancelled.

        Raises:
            SourceLost: the link failed, or nothing came for ``max_silence``.
        """
        session = self._session = self._made(inbox)
        try:
            async with session:
                self._became("up")
                self._connects += 1
                self._gaps.joined(kept=session.grants.session_present)
                self._check_filters(session)
                await self._watch(session)
        except LinkLost as lost:
            self._error = str(lost)
            raise SourceLost(
                f"source {self.name}: {lost}", retry_after=lost.retry_after
            ) from lost
        except SourceLost as lost:
            self._error = str(lost)
            raise
        finally:
            self._session = None
            if self._state == "up":
                # a dead link is noticed late: nothing is sure since the last message
                self._gaps.left(self._heard or self._clock.now())
            self._became("down")
            inbox.lost(self._index, self._clock.now())

    def _made(self, inbox: Inbox) -> MqttSession:
        settings = self._settings
        return MqttSession(
            settings,
            client_id=self._client_id,
            clock=self._clock,
            instruments=self._instruments,
            password=self._password,
            subscriptions=[(name, settings.qos) for name in self._filters],
            on_messages=lambda arrivals: self._take(arrivals, inbox),
            clean_start=not self._kept,
            session_expiry=self._kept,
            batch_window=settings.batch_window,
            fast_path=settings.fast_path,
            max_payload=settings.max_payload,
        )

    def _check_filters(self, session: MqttSession) -> None:
        """Some subscriptions refused: the others go on, and the operator is told."""
        refused = dict(session.refused_filters)
        if self._join and set(refused) - set(self._addresses):
            self._join = False
            self._filters = filters(self._addresses, join=False)
            name = next(iter(set(refused) - set(self._addresses)))
            raise SourceLost(
                f"source {self.name}: {name} was refused ({refused[name]});"
                " asking for each topic by its name instead"
            )
        if refused and refused != self._refused_filters:
            name, why = next(iter(refused.items()))
            log.warning(
                "subscriptions refused",
                source=self.name,
                count=len(refused),
                example=name,
                why=why,
            )
        self._refused_filters = refused

    async def _watch(self, session: MqttSession) -> None:
        limit = self._settings.max_silence
        period = LOOK if limit is None else min(LOOK, limit / 4)
        self._heard = self._clock.now()
        while True:
            try:
                async with asyncio.timeout(period):
                    await session.run_until_lost()
            except TimeoutError:
                self._refusals.settle()
            silent = (self._clock.now() - self._heard) / 1e9
            if limit is not None and silent > limit:
                raise SourceLost(
                    f"source {self.name}: no message from broker"
                    f" {address_of(self._settings)} for {silent:.0f} s (max_silence);"
                    " check that its publisher runs and writes the configured topics"
                )

    # -- messages -------------------------------------------------------------

    def _take(self, arrivals: Arrivals, inbox: Inbox) -> None:
        """Everything one read brought: one push."""
        received = self._heard = arrivals.received
        columns, find = Columns(), self._topics.find
        self._gaps.unread([topic for topic, _ in arrivals.oversized], received)
        # a read's messages a nanosecond apart: two of one tag are two samples
        moments = count(received + 1 - len(arrivals.topics))
        for moment, topic, payload, old in zip(
            moments, arrivals.topics, arrivals.payloads, arrivals.marks(), strict=False
        ):
            reader = find(topic)
            if reader is None:
                self._not_ours(topic)
            else:
                if self._gaps.numbered and not old:
                    self._gaps.message(topic, payload, moment)
                try:
                    reader.read(payload, columns, moment, old)
                except Unreadable as bad:
                    self._refusals.add(topic, payload, bad.reason, bad.detail)
                if columns.refusals:
                    self._refusals.add_fields(topic, payload, columns.refusals)
        for topic, size in arrivals.oversized:
            self._too_large(topic, size)
        self._push(columns.gathered(), received, inbox)
        self._count(arrivals)

    def _push(self, samples: Gathered, received: int, inbox: Inbox) -> None:
        columns = (samples.tag, samples.time, samples.value, samples.quality)
        inbox.push(*columns, received, samples.texts)
        self._samples += len(samples.tag)
        if samples.missing:
            self._instruments.count(
                "payload_missing_field", samples.missing, source=self.name
            )

    def _count(self, arrivals: Arrivals) -> None:
        messages, old = (
            len(arrivals.topics) + len(arrivals.oversized),
            arrivals.retained,
        )
        self._messages += messages
        self._instruments.count("mqtt_messages", messages, source=self.name)
        if old:
            self._instruments.count("mqtt_retained", len(old), source=self.name)

    def _not_ours(self, topic: bytes) -> None:
        self._unknown += 1
        self._unknown_topic = told(topic)
        self._instruments.count("mqtt_unknown_topic", source=self.name)

    def _too_large(self, topic: bytes, size: int) -> None:
        limit = self._settings.max_payload
        detail = f"{size} bytes, max_payload is {limit}"
        self._refusals.add(topic, b"", "too-large", detail)

    # -- status ---------------------------------------------------------------

    def _became(self, state: str) -> None:
        if state != self._state:
            self._state, self._since = state, self._clock.now()

    def status(self) -> dict[str, Any]:
        """What a technician wants to know of the link and of what it brings."""
        session, settings = self._session, self._settings
        heard = (self._clock.now() - self._heard) / 1e9 if self._heard else None
        return {
            "type": "mqtt",
            "endpoint": address_of(settings),
            "security": "TLS" if settings.tls else "none",
            "state": self._state,
            "since": self._since,
            "last_error": self._error,
            "connects": self._connects,
            "tags": len(self._addresses),
            "version": settings.version,
            "client_id": self._client_id,
            "session_resumed": bool(session and session.grants.session_present),
            "subscriptions": self._filters[:20],
            "subscriptions_refused": dict(self._refused_filters),
            "messages": self._messages,
            "samples": self._samples,
            "silent_s": heard,
            "unknown_topics": self._unknown,
            "unknown_topic_example": self._unknown_topic,
            "bad_payloads": self._refusals.status(),
            "notes": self._notes(),
        }

    def _notes(self) -> list[str]:
        """What works, and should not be left as it is."""
        notes = []
        if self._settings.tls is None:
            notes.append("no TLS: anyone on the network can read and interfere")
        if self._messages and not self._samples:
            notes.append(
                "messages arrive but none gives a value: check topic and field"
            )
        return notes
