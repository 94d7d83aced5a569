"""What instruments tell the ledger, for tests without a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.instruments import Instruments


@dataclass(frozen=True)
class Given:
    """One loss as the ledger gets it."""

    what: str
    subject: str
    cause: str
    count: int
    first: int
    last: int


def taken(
    instruments: Instruments, now: Callable[[], int] | None = None
) -> list[Given]:
    """From now on their losses are in this list."""
    found: list[Given] = []
    instruments.losses.pass_on(
        lambda key, count, first, last: found.append(Given(*key, count, first, last)),
        now or SystemClock().now,
    )
    return found
