"""So many messages a second. Pure: time is an argument."""

from __future__ import annotations

from edge_agent.samples import NANOSECONDS

#: Seconds at the rate that may be made up for at once.
_BURST = 0.1
#: Seconds that the shortest wait takes.
_SHORTEST = 0.002


class Bucket:
    """Tokens that come at a rate, one a message.

    Args:
        rate: messages a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(rate * _BURST, 1.0)
        self._tokens = 1.0
        self._at = 0

    def room(self, now: int) -> int:
        """Messages that may be sent at a time in ns."""
        passed = max(now - self._at, 0) / NANOSECONDS
        self._tokens = min(self._tokens + passed * self._rate, self._most)
        self._at = now
        return max(int(self._tokens), 0)

    def spend(self, messages: int) -> None:
        """So many were sent."""
        self._tokens -= messages

    def wait(self) -> float:
        """Seconds until there is room for one."""
        return max((1.0 - self._tokens) / self._rate, _SHORTEST)
