"""Messages that were no labels: counted by cause, the last one told, once an episode.

Of what was in a message nothing is kept: it may name people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from edge_agent.clock import Clock

log = structlog.get_logger()

_LONGEST = 200
_NS = 1_000_000_000
#: Ns without a bad message after which the condition is over.
QUIET = 60 * _NS


class Refusals:
    """The bad messages of one source.

    Args:
        source: its name.
        clock: agent time.
    """

    def __init__(self, source: str, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._count, self._last_at = 0, -(2**62)
        self._last: dict[str, str] = {}

    def add(self, topic: bytes, cause: str, message: str) -> None:
        """Count one; the first after a good time is logged."""
        now = self._clock.now()
        self._count += 1
        self._last = {
            "topic": topic[:_LONGEST].decode("utf-8", "backslashreplace"),
            "cause": cause,
            "message": message[:_LONGEST],
        }
        if now - self._last_at > QUIET:
            log.warning("labels unreadable", source=self._source, **self._last)
        self._last_at = now

    def status(self) -> dict[str, Any]:
        """How many, and the last one."""
        if not self._count:
            return {"count": 0}
        age = (self._clock.now() - self._last_at) / _NS
        return {"count": self._count, "last_age_s": age, **self._last}
