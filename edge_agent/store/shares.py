"""Who goes first when there is no room: reserved shares of the classes. Pure.

Each class may always hold its share of what is kept; what it does not use, others may.
Room is made by the lowest class that holds more than its share, then by the next one.
A flood of one class therefore ends at its own expense, however important it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import RecordClass

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Hundredths of what is kept that a class has for itself.
SHARES: dict[RecordClass, int] = {
    RecordClass.ALARM: 30,
    RecordClass.AUDIT: 20,
    RecordClass.DRIFT: 10,
    RecordClass.SCORE: 30,
    RecordClass.RAW: 10,
}
NONE: tuple[int, ...] = (0,) * len(RecordClass)
"""Nothing of any class."""


def reserves(kept: int) -> list[int]:
    """Bytes each class has for itself in a room of so many bytes, by class."""
    return [kept * SHARES[kind] // 100 for kind in RecordClass]


def to_drop(held: Sequence[int], excess: int) -> list[int]:
    """Bytes that each class has to give so that some become free.

    No class is asked for what its share of the rest covers. Together they give
    ``excess``, or all there is.

    Args:
        held: bytes of each class, by class.
        excess: bytes to make free.
    """
    rest = max(min(excess, sum(held)), 0)
    kept = reserves(sum(held) - rest)
    wanted = [0] * len(held)
    for kind in sorted(RecordClass, reverse=True):
        wanted[kind] = min(max(held[kind] - kept[kind], 0), rest)
        rest -= wanted[kind]
    return wanted
