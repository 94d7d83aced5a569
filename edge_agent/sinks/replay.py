"""The backlog of one link: old records, at their pace, when nobody has them.

Looks through the outbox from its beginning, alarms first, hands over what is not
in hand, then waits until told to look again or for a while: a record that was
forgotten anywhere is found by the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge_agent.store.outbox import Stored

#: Old records fetched at once.
CHUNK = 50
#: Seconds between two looks through the outbox.
RESCAN = 30.0


class Replay:
    """Finds what is owed.

    Args:
        fetch: records above an id, urgent or not, oldest first, not in hand.
        offer: takes some; waits as long as there is no room for them.
        looked: told when a look came to the end and had found nothing.
    """

    def __init__(
        self,
        fetch: Callable[[int, bool], Awaitable[tuple[list[Stored], int]]],
        offer: Callable[[list[Stored]], Awaitable[None]],
        looked: Callable[[], None],
    ) -> None:
        self._fetch = fetch
        self._offer = offer
        self._looked = looked
        self._look = asyncio.Event()

    def look_again(self) -> None:
        """There is something in the outbox that nobody has in hand."""
        self._look.set()

    async def run(self) -> None:
        """Look, wait, look again."""
        while True:
            self._look.clear()
            found = [await self._through(urgent) for urgent in (True, False)]
            if not any(found) and not self._look.is_set():
                self._looked()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESCAN):
                    await self._look.wait()

    async def _through(self, urgent: bool) -> bool:
        """Whether anything was found."""
        after, any_ = -1, False
        while True:
            found, last = await self._fetch(after, urgent)
            if last <= after:
                return any_
            after, any_ = last, any_ or bool(found)
            await self._offer(found)
