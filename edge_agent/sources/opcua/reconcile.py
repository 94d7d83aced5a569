"""Wanted against actual, every few seconds, for as long as a session lives."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import structlog
from asyncua import ua

from edge_agent.errors import SourceLost
from edge_agent.samples import NANOSECONDS
from edge_agent.sources.opcua.faults import translated
from edge_agent.sources.opcua.ids import node_id
from edge_agent.sources.opcua.services import Limit, namespaces, read
from edge_agent.sources.opcua.stock import to_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.clock import Clock
    from edge_agent.sources.opcua.intake import Intake
    from edge_agent.sources.opcua.item import Item
    from edge_agent.sources.opcua.items import Items

log = structlog.get_logger()

_CURRENT_TIME = node_id(ua.ObjectIds.Server_ServerStatus_CurrentTime)
_NAMED = 5  # nodes named in a log line; the rest is a number, and in `status`


class Reconcile:
    """Creates what is missing, replaces what is dead, notices what has moved.

    Attributes:
        skew: seconds the server's clock is ahead of agent time; None until known.
    """

    def __init__(
        self, items: Items, intake: Intake, clock: Clock, told: set[int]
    ) -> None:
        self.items, self.intake = items, intake
        self.skew: float | None = None
        self._clock, self._pace = clock, items.pace
        self._looked = -np.inf
        self._told = told

    async def run(self) -> NoReturn:
        """Go on until the session ends.

        Raises:
            SourceLost: a request failed, or the server must be approached anew.
        """
        loop = asyncio.get_running_loop()
        while True:
            with translated(f"{self.items.link.name}: asking for the tags' nodes"):
                await self.step(loop.time())
            await asyncio.sleep(self._pause(loop.time()))

    async def step(self, now: float) -> None:
        """One round at loop time ``now``.

        Raises:
            SourceLost: the server changed under us, or gives nothing at all.
        """
        await self._replace_dead(now)
        asked = await self.items.create_due(now)
        if asked:
            self._tell(asked)
        if now - self._looked >= self._pace.period:
            self._looked = now
            await self._look()

    def _pause(self, now: float) -> float:
        soonest = [i.retry_at - now for i in self.items.parked]
        wait = min([self._pace.period, *soonest])
        return max(wait, self._pace.shortest)

    async def _replace_dead(self, now: float) -> None:
        """Items that run but are mute, or whose node was deleted under them."""
        seen, gone = self.intake.seen, self.intake.gone
        running = [i for i in self.items.all if i.running]
        old = [i for i in running if now - i.since > self._pace.mute]
        if old and not seen.any():
            raise SourceLost(
                f"{self.items.link.name}: the server took {len(running)} items and"
                " sends no value of any"
            )
        mute = [i for i in old if not seen[i.handle]]
        await self.items.delete(mute, "the server took it and sends no value", now)
        deleted = [i for i in running if i.handle in gone]
        gone.clear()
        await self.items.delete(deleted, "the node was deleted on the server", now)
        if mute or deleted:
            self._tell([*mute, *deleted])

    def _tell(self, asked: Iterable[Item]) -> None:
        """Log nodes that became unavailable, and those that came back."""
        tags = [i for i in asked if i.binding is not None]
        lost = [i for i in tags if not i.running and i.handle not in self._told]
        back = [i for i in tags if i.running and i.handle in self._told]
        self._told.update(i.handle for i in lost)
        self._told.difference_update(i.handle for i in back)
        source = self.items.link.name
        if lost:
            log.warning(
                "nodes not available",
                source=source,
                count=len(lost),
                nodes=[f"{i.name}: {i.problem}" for i in lost[:_NAMED]],
                reasons=dict(Counter(i.problem for i in lost).most_common(_NAMED)),
            )
        if back:
            log.info(
                "nodes available again",
                source=source,
                count=len(back),
                nodes=[i.name for i in back[:_NAMED]],
            )

    async def _look(self) -> None:
        """Is the namespace table as it was, and what time is it there?"""
        link = self.items.link
        if await namespaces(link) != self.items.namespaces:
            raise SourceLost(
                f"{link.name}: the server's namespaces changed: every node is looked up"
                " anew"
            )
        before = self._clock.now()
        answer = await read(link, [_CURRENT_TIME], ua.AttributeIds.Value, Limit(1))
        after = self._clock.now()
        self.skew = _seconds_ahead(answer[0], (before + after) // 2)


def _seconds_ahead(answer: ua.DataValue, now: int) -> float | None:
    value: Any = to_columns([(0, answer)]).value[0]
    return None if np.isnan(value) else round(float(value) - now / NANOSECONDS, 3)
