"""How long to leave the socket alone so that one read brings many messages.

A broker writes message by message, and waking up for each costs more than reading
it. Under load the socket is therefore left alone for a moment; when calm never.

QoS 1 sets a limit: a broker sends only so many messages ahead of our PUBACKs
(often 20) and then waits for us. Nobody tells us how many, so the most that ever
came in one read is taken as proven, and a pause aims at half of that.
"""

from __future__ import annotations

MIN_JOINED = 4.0
"""A pause that would join fewer messages than this saves nothing."""

SHORTEST = 0.001
"""Seconds; the event loop's timer cannot be shorter, epoll counts in ms."""

FIRST_ROOM = 10
"""Unacknowledged messages that even the most cautious broker sends ahead."""

SMOOTHING = 0.02
"""Seconds over which the rate of arrival is averaged."""


class ReadPacing:
    """Adaptive pause after a read.

    Args:
        window: seconds a pause may last; 0 for never.
    """

    def __init__(self, window: float) -> None:
        self.window = window
        self._last = 0.0
        self._rate = 0.0
        self._room = FIRST_ROOM

    def pause(self, now: float, messages: int, must_ack: int) -> float:
        """Seconds to wait before the next read; 0 to read as soon as there is data.

        Args:
            now: the loop's time, seconds.
            messages: how many this read brought.
            must_ack: how many of them the broker waits for us to acknowledge.
        """
        if self.window <= 0:
            return 0.0
        self._learn(now, messages)
        self._room = max(self._room, must_ack)
        longest = self.window
        if must_ack and self._rate > 0:
            longest = min(longest, self._room / 2 / self._rate)
            # the timer rounds up, and a broker held up once looks slow for ever
            longest = int(longest / SHORTEST) * SHORTEST
        joins = self._rate * longest
        return longest if joins >= MIN_JOINED and longest >= SHORTEST else 0.0

    def _learn(self, now: float, messages: int) -> None:
        passed = max(now - self._last, 1e-6)
        weight = passed / (passed + SMOOTHING)
        self._rate += (messages / passed - self._rate) * weight
        self._last = now
