"""The seam between the session and whatever reads and writes packets."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.clock import Clock
    from edge_agent.mqtt.frames import Frame, PublishProperties


@dataclass(slots=True)
class Arrivals:
    """Messages that one read brought, in order.

    Attributes:
        topics: as on the wire, UTF-8.
        payloads: as on the wire.
        retained: positions of messages the broker kept from before we subscribed.
        oversized: topic and size of messages above ``max_payload``, which are
            acknowledged and not delivered.
        received: agent time of the read, ns.
    """

    topics: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    retained: list[int] = field(default_factory=list)
    oversized: list[tuple[bytes, int]] = field(default_factory=list)
    received: int = 0

    def marks(self) -> Iterable[bool]:
        """Which messages the broker had kept from before."""
        if not self.retained:
            return repeat(False)
        kept = set(self.retained)
        return [place in kept for place in range(len(self.topics))]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a wire works to.

    Attributes:
        messages: called with what a read brought, once; QoS 1 is acknowledged
            when it has returned.
        acked: called with packet ids the broker took.
        refused: called with a packet id the broker will not take, and the reason.
        clock: for the time of arrival.
        version5: MQTT 5.
        max_payload: bytes of the largest payload that is delivered.
    """

    messages: Callable[[Arrivals], None]
    acked: Callable[[list[int]], None]
    refused: Callable[[int, int], None]
    clock: Clock
    version5: bool
    max_payload: int


@dataclass(frozen=True, slots=True)
class Read:
    """What one read did: messages, how many had to be acknowledged, bytes."""

    messages: int = 0
    to_ack: int = 0
    again: bool = False
    """There is more that the selector will not tell of."""


class Wire(Protocol):
    """Moves packets of one connection."""

    def read(self) -> Read:
        """Take what arrived, deliver it, acknowledge it.

        Raises:
            MalformedFrame: what arrived is not MQTT.
        """
        ...

    def flush(self) -> None:
        """The kernel has room: send what waits."""
        ...

    def publish(
        self, frames: Sequence[Frame], properties: PublishProperties | None
    ) -> list[int]:
        """Send; packet ids, 0 for QoS 0."""
        ...

    def unsent(self) -> int:
        """Bytes (or packets) that wait for the kernel."""
        ...

    def inflight(self) -> int:
        """QoS 1 messages neither taken nor refused."""
        ...

    def trouble(self) -> str:
        """The operating system's word for what ended the link, if it had one."""
        ...
