"""Which messages of a subscription are missing.

Messages with notifications are numbered 1, 2, ... 4294967295, 1 (never 0). A
keep-alive uses up no number and names the next one (OPC UA Part 4 5.14.1.1).
"""

from __future__ import annotations

_NUMBERS = 2**32 - 1

#: A jump beyond this is a new count, not a gap: nothing holds so many messages.
LARGEST_GAP = 10_000


def following(sequence: int) -> int:
    """The number after this one."""
    return sequence % _NUMBERS + 1


class SequenceCheck:
    """Follows the numbers of one subscription.

    Attributes:
        expected: number of the next message; None before the first.
    """

    def __init__(self, expected: int | None = None) -> None:
        self.expected = expected

    def missing(self, sequence: int, *, keep_alive: bool) -> list[int]:
        """Numbers between the last message and this one, oldest first."""
        expected, self.expected = (
            self.expected,
            sequence if keep_alive else following(sequence),
        )
        if expected is None:
            return []
        ahead = (sequence - expected) % _NUMBERS
        if ahead <= LARGEST_GAP:
            return [(expected - 1 + i) % _NUMBERS + 1 for i in range(ahead)]
        if keep_alive and ahead == _NUMBERS - 1:
            # some servers repeat the last number instead of naming the next
            self.expected = expected
        return []

    def seen(self, sequence: int) -> bool:
        """True for a message taken before: the server sent it twice."""
        if self.expected is None:
            return False
        behind = (self.expected - sequence) % _NUMBERS
        return 0 < behind <= LARGEST_GAP
