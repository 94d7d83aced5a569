"""Which models give up their session when memory is short; a pure rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Kept:
    """A session in memory.

    Attributes:
        used: agent time of its last call, ns.
        size: its bytes.
    """

    used: int
    size: int


def who_rests(
    kept: Sequence[Kept], budget: int, now: int, idle: int
) -> tuple[int, ...]:
    """Positions of the sessions to give up, those unused for longest first.

    As many as bring the rest under the budget, but none that was called within
    ``idle``: what is in use stays, and the budget is then exceeded rather than every
    turn spent on loading.

    Args:
        kept: the sessions in memory.
        budget: bytes all together may take.
        now: agent time, ns.
        idle: ns without a call after which a session may be given up.
    """
    over = sum(one.size for one in kept) - budget
    chosen: list[int] = []
    for place in sorted(range(len(kept)), key=lambda i: kept[i].used):
        if over <= 0 or now - kept[place].used < idle:
            break
        chosen.append(place)
        over -= kept[place].size
    return tuple(chosen)
