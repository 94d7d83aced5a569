"""When a gateway comes, and what it need not bring again. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Ns for which a record that was acknowledged is remembered: longer than any flush.
REMEMBERED = 60 * NANOSECONDS
#: Records remembered at most, but for those of the last plan.
MOST = 20_000


def phase(gateway: str, every: int) -> int:
    """When within an interval a gateway comes, ns: all of a fleet at other times."""
    digest = hashlib.sha256(gateway.encode()).digest()
    return int.from_bytes(digest[:8], "big") % every


def next_due(now: int, every: int, start: int) -> int:
    """The next of a gateway's moments after now."""
    return now + every - (now - start) % every


class Settled:
    """Records that are in the archive, while the store may not have noted it yet."""

    def __init__(self) -> None:
        self._plans: list[tuple[int, tuple[int, ...]]] = []

    def add(self, ids: Sequence[int], now: int) -> None:
        """Those of one more plan are there."""
        self._plans = [one for one in self._plans if now - one[0] < REMEMBERED]
        self._plans.append((now, tuple(ids)))
        while sum(len(known) for _, known in self._plans[:-1]) > MOST:
            del self._plans[0]

    def ids(self) -> set[int]:
        """All that are remembered."""
        return {one for _, known in self._plans for one in known}
