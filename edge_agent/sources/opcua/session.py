"""One subscription on one link: everything between connect and the loss of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, NoReturn

import structlog
from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary

from edge_agent.errors import SourceLost
from edge_agent.sources.opcua.faults import translated
from edge_agent.sources.opcua.intake import Intake
from edge_agent.sources.opcua.item import Pace, wanted
from edge_agent.sources.opcua.items import Items
from edge_agent.sources.opcua.publishing import MAKERS, PublishLoop
from edge_agent.sources.opcua.reconcile import Reconcile
from edge_agent.sources.opcua.services import Limits, namespaces
from edge_agent.sources.opcua.stock import to_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.clock import Clock
    from edge_agent.config.plant import Binding
    from edge_agent.config.schema import OpcUaSource as Settings
    from edge_agent.inbox import Inbox
    from edge_agent.instruments import Instruments
    from edge_agent.sources.opcua.columns import Published
    from edge_agent.sources.opcua.intake import Gap
    from edge_agent.sources.opcua.link import Link

log = structlog.get_logger()

#: Keep-alives that may fail to come before the link counts as lost.
PATIENCE = 2.5
_SHORTEST_LIFE = 600.0  # seconds a server keeps our subscription without a request
_DAY = 86_400.0
_MOST_NOTIFICATIONS = 10_000
NOT_REPUBLISHED = (
    "numbers are missing in the subscription, and the server could not send them again"
)


@dataclass(frozen=True, slots=True)
class Granted:
    """What the server made of the subscription we asked for, in seconds."""

    subscription: int
    publishing: float
    keepalive: float
    lifetime: float
    session_timeout: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What a session needs of its source.

    Attributes:
        told: handles of nodes that the log has called unavailable; kept over
            reconnects, so that a flapping link does not repeat them.
        gap: between an earlier session and this one.
        looked: called now and then with the link, for what changes with the days.
    """

    name: str
    index: int
    settings: Settings
    bindings: Sequence[Binding]
    clock: Clock
    instruments: Instruments
    inbox: Inbox
    pace: Pace
    told: set[int]
    looked: Callable[[Link], None]
    gap: Gap | None


class Session:
    """Runs one subscription until something fails.

    Attributes:
        link, granted, intake, items, reconcile: what `status` looks at.
    """

    def __init__(self, setting: Setting, link: Link, granted: Granted) -> None:
        self.link, self.granted = link, granted
        self._setting = setting
        self.intake = Intake(
            setting.name,
            setting.bindings,
            setting.settings.time,
            setting.inbox,
            setting.instruments,
            gap=setting.gap,
        )
        self.items: Items | None = None
        self.reconcile: Reconcile | None = None
        self._refresh = asyncio.Event()
        self._overflowing = False
        self._heard = (setting.clock.now(),) * 2
        """Agent times of the last sign of life but one, and of the last."""

    async def run(self) -> NoReturn:
        """Publish, reconcile, renew: three tasks, and the first failure ends all.

        Raises:
            SourceLost: one of them failed.
        """
        setting, name = self._setting, self._setting.name
        with translated(f"{name}: asking what the server can do"):
            limits = await Limits.of(self.link)
            table = await namespaces(self.link)
        self.items = Items(
            self.link,
            setting.settings,
            limits,
            self.granted.subscription,
            table,
            wanted(setting.bindings),
            setting.pace,
        )
        self.reconcile = Reconcile(self.items, self.intake, setting.clock, setting.told)
        publishing = PublishLoop(
            self.link,
            self.granted.subscription,
            MAKERS[setting.settings.decoder](),
            setting.clock,
            self,
            # asked for more often, to vouch for values, it is no sooner a lost link
            PATIENCE * max(self.granted.keepalive, setting.settings.keepalive),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(publishing.run(), name=f"{name}:publish")
            tasks.create_task(self.reconcile.run(), name=f"{name}:reconcile")
            tasks.create_task(self._refreshed(self.items), name=f"{name}:refresh")
            tasks.create_task(self.link.renewed(), name=f"{name}:renew")
            tasks.create_task(self._looked(), name=f"{name}:certificate")
        raise SourceLost(f"{name}: the session ended")

    def heard(self, at: int) -> None:
        """The server gave a sign of life: silent tags are unchanged, not stale."""
        self._setting.inbox.alive(self._setting.index, at)
        self._heard = (self._heard[1], at)

    @property
    def heard_at(self) -> int:
        """Agent time of the last sign of life."""
        return self._heard[1]

    def took(self, message: Published, at: int) -> None:
        """Push a message's samples."""
        intake, state = self.intake, self.intake.state
        if len(message.items):
            intake.take(message.items, at, message.published)
        if intake.state != state:
            self._state_changed(state, intake.state)
        if intake.overflows and not self._overflowing:
            self._overflowing = True
            log.warning(
                "values lost in the server's queue",
                source=self._setting.name,
                remedy="raise queue, or publishing closer to sampling",
            )

    def missed(self, count: int, first: int, last: int) -> None:
        """Messages are gone for good: read all tags, so that none stays outdated."""
        self._count("opcua_sequence_gaps_total", 1)
        self._count("opcua_messages_lost_total", count)
        began, ended = self._heard
        self._setting.instruments.losses.add(
            "messages",
            self._setting.name,
            NOT_REPUBLISHED,
            count,
            first=began,
            last=ended,
        )
        log.error(
            "messages lost",
            source=self._setting.name,
            count=count,
            first=first,
            last=last,
        )
        self._refresh.set()

    def recovered(self, count: int) -> None:
        """Messages were got back: counted, nothing is lost."""
        self._count("opcua_sequence_gaps_total", 1)
        self._count("opcua_messages_republished_total", count)

    def garbled(self, error: Exception) -> None:
        """A response made no sense to asyncua either."""
        self._count("opcua_messages_unreadable_total", 1)
        log.warning(
            "response not readable", source=self._setting.name, error=repr(error)[:200]
        )

    def _state_changed(self, before: int, now: int) -> None:
        log.warning(
            "server state changed",
            source=self._setting.name,
            before=state_name(before),
            now=state_name(now),
        )
        self._refresh.set()

    async def _refreshed(self, items: Items) -> NoReturn:
        """Read all tags whenever asked: after a loss, and when the state changes."""
        while True:
            await self._refresh.wait()
            self._refresh.clear()
            with translated(f"{self._setting.name}: reading all tags"):
                tags = [i for i in items.all if i.running and i.binding is not None]
                rows = await items.values(tags)
            self.intake.take(to_columns(rows), self._setting.clock.now())

    async def _looked(self) -> NoReturn:
        """A session may last for years: its certificate is looked at every day."""
        while True:
            self._setting.looked(self.link)
            await asyncio.sleep(_DAY)

    def _count(self, name: str, amount: int) -> None:
        self._setting.instruments.count(name, amount, source=self._setting.name)


async def subscribed(
    link: Link, settings: Settings, keepalive: float | None = None
) -> Granted:
    """Create the subscription with every parameter said.

    asyncua's defaults would give one keep-alive in 45 minutes, and servers drop a
    subscription whose lifetime is below three keep-alives.

    Args:
        link: the session.
        settings: of the source.
        keepalive: seconds; asked for where the settings say longer.

    Raises:
        SourceLost: the server refuses.
    """
    interval = settings.publishing
    keepalives = max(1, round(settings.keepalive / interval))
    if keepalive is not None:
        keepalives = max(1, min(keepalives, floor(keepalive / interval)))
    lifetime = max(3 * settings.keepalive, _SHORTEST_LIFE)
    asked = ua.CreateSubscriptionParameters()
    asked.RequestedPublishingInterval = interval * 1000
    asked.RequestedMaxKeepAliveCount = keepalives
    asked.RequestedLifetimeCount = max(3 * keepalives, round(lifetime / interval))
    asked.MaxNotificationsPerPublish = _MOST_NOTIFICATIONS
    asked.PublishingEnabled = True
    request = ua.CreateSubscriptionRequest()
    request.Parameters = asked
    with translated(f"{link.name}: creating the subscription"):
        got = await _create(link, request)
    publishing = got.RevisedPublishingInterval / 1000
    return Granted(
        int(got.SubscriptionId),
        publishing,
        publishing * got.RevisedMaxKeepAliveCount,
        publishing * got.RevisedLifetimeCount,
        link.client.session_timeout / 1000,
    )


async def _create(
    link: Link, request: ua.CreateSubscriptionRequest
) -> ua.CreateSubscriptionResult:
    # session.create_subscription would start asyncua's own publish loop
    data = await link.session._send_request(request)  # noqa: SLF001
    response = struct_from_binary(ua.CreateSubscriptionResponse, data)
    response.ResponseHeader.ServiceResult.check()
    result: ua.CreateSubscriptionResult = response.Parameters
    return result


def state_name(state: int) -> str:
    """Name of a ServerState."""
    try:
        return str(ua.ServerState(state).name)
    except ValueError:
        return str(state)
