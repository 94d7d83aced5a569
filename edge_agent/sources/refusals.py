"""Messages that could not be used: counted, one kept to look at, told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from edge_agent.clock import Clock
    from edge_agent.instruments import Instruments

log = structlog.get_logger()

KEPT_BYTES = 200
"""Of a bad payload: enough to recognise it, too little to be a secret store."""

QUIET = 60 * 1_000_000_000
"""Nanoseconds without a bad message after which the condition is over."""


def told(name: bytes) -> str:
    """Bytes from outside as text that can be printed anywhere."""
    return name[:KEPT_BYTES].decode("utf-8", "backslashreplace")


class Refusals:
    """The bad messages of one source.

    Args:
        source: its name.
        clock: agent time.
        instruments: ``payload_invalid`` by source and reason; the ledger by topic.
    """

    def __init__(self, source: str, clock: Clock, instruments: Instruments) -> None:
        self._source = source
        self._clock = clock
        self._instruments = instruments
        self._count = 0
        self._last_at = 0
        self._standing = False
        self._last: dict[str, str] = {}
        instruments.count("payload_invalid", 0, source=source, reason="malformed")

    def add(
        self,
        topic: bytes,
        payload: bytes,
        reason: str,
        detail: str,
        what: str = "messages",
    ) -> None:
        """Count one, keep it; the first after a good time is logged."""
        self._count += 1
        self._last_at = self._clock.now()
        self._last = {
            "topic": told(topic),
            "payload": told(payload),
            "reason": reason,
            "detail": detail[:KEPT_BYTES],
        }
        self._instruments.count("payload_invalid", source=self._source, reason=reason)
        cause = f"could not be used: {reason}"
        self._instruments.losses.add(what, self._last["topic"], cause)
        if not self._standing:
            self._standing = True
            log.warning("payloads unreadable", source=self._source, **self._last)

    def add_fields(
        self, topic: bytes, payload: bytes, refused: list[tuple[str, str]]
    ) -> None:
        """Count fields of a message whose others were used; empties the list."""
        for reason, detail in refused:
            self.add(topic, payload, reason, detail, "values")
        refused.clear()

    def settle(self) -> None:
        """Called now and then: after a good time the condition is over."""
        if self._standing and self._clock.now() - self._last_at > QUIET:
            self._standing = False
            log.info("payloads readable again", source=self._source, bad=self._count)

    def status(self) -> dict[str, Any]:
        """How many, and the last one."""
        if not self._count:
            return {"count": 0}
        age = (self._clock.now() - self._last_at) / 1e9
        return {"count": self._count, "last_age_s": age, **self._last}
