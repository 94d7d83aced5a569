"""The backlog of one link: old records, at their pace, when nobody has them.

Looks through the outbox from its beginning, alarms first, hands over what is not
in hand, then waits until told to look again or for a while: a record that was
forgotten anywhere is found by the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge_agent.store.outbox import Stored

#: Old records fetched at once.
CHUNK = 50
#: Seconds between two looks through the outbox.
RESCAN = 30.0


#: Nanoseconds after the last live score during which old ones keep to their pace.
LIVE_FOR = 5 * NANOSECONDS


class Pace:
    """How long to wait between old records: not at all where nothing is live.

    Args:
        rate: old messages a second beside live ones.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._live_at: int | None = None

    def live(self, now: int) -> None:
        """A live score is going out."""
        self._live_at = now

    def pause(self, messages: int, now: int) -> float:
        """Seconds to wait after some old messages."""
        if self._live_at is None or now - self._live_at >= LIVE_FOR:
            return 0.0
        return messages / self._rate


class Replay:
    """Finds what is owed.

    Args:
        fetch: records above an id, urgent or not, oldest first, not in hand.
        offer: takes one; waits as long as there is no room or no pace for it.
    """

    def __init__(
        self,
        fetch: Callable[[int, bool], Awaitable[tuple[list[Stored], int]]],
        offer: Callable[[Stored], Awaitable[None]],
    ) -> None:
        self._fetch = fetch
        self._offer = offer
        self._look = asyncio.Event()

    def look_again(self) -> None:
        """There is something in the outbox that nobody has in hand."""
        self._look.set()

    async def run(self) -> None:
        """Look, wait, look again."""
        while True:
            self._look.clear()
            for urgent in (True, False):
                await self._through(urgent)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESCAN):
                    await self._look.wait()

    async def _through(self, urgent: bool) -> None:
        after = -1
        while True:
            found, last = await self._fetch(after, urgent)
            if last <= after:
                return
            after = last
            for stored in found:
                await self._offer(stored)
