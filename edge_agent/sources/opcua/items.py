"""The nodes we want, and which of them the server monitors for us.

The wanted state is held here, never in asyncua: an item that a server refuses (a PLC
still loading its program) is parked and asked for again, 5 s later, then 10, up to
5 minutes, while all others run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asyncua import ua

from edge_agent.sources.opcua.addresses import Unresolved
from edge_agent.sources.opcua.datatypes import DataTypes
from edge_agent.sources.opcua.faults import meaning
from edge_agent.sources.opcua.ids import node_id
from edge_agent.sources.opcua.item import Pace
from edge_agent.sources.opcua.services import Limits, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.config.plant import Binding
    from edge_agent.config.schema import OpcUaSource as Settings
    from edge_agent.sources.opcua.item import Item
    from edge_agent.sources.opcua.link import Link

_FASTEST = 0.01  # what a queue is sized for where sampling is 0, every new value

_STATE = node_id(ua.ObjectIds.Server_ServerStatus_State)
_CODES = ua.StatusCodes
_GONE = {_CODES.BadNodeIdUnknown, _CODES.BadNodeIdInvalid}
_FILTER_REFUSED = {
    _CODES.BadMonitoredItemFilterUnsupported,
    _CODES.BadMonitoredItemFilterInvalid,
    _CODES.BadFilterNotAllowed,
    _CODES.BadDeadbandFilterInvalid,
}


@dataclass(slots=True)
class Items:
    """All wanted nodes of one connection.

    Attributes:
        subscription: id of the subscription they belong to.
        namespaces: the server's namespace table at connect.
    """

    link: Link
    settings: Settings
    limits: Limits
    subscription: int
    namespaces: list[str]
    all: list[Item]
    pace: Pace = field(default_factory=Pace)
    types: DataTypes = field(init=False)

    def __post_init__(self) -> None:
        self.types = DataTypes(self.link)

    @property
    def parked(self) -> list[Item]:
        """Items that do not run."""
        return [item for item in self.all if not item.running]

    async def create_due(self, now: float) -> list[Item]:
        """Ask for every item that does not run and whose time has come.

        Args:
            now: loop time.

        Returns:
            The items that were asked for, running now or parked again.
        """
        due = [i for i in self.all if not i.running and i.retry_at <= now]
        if not due:
            return []
        found = await self._fit(await self._resolved(due, now), now)
        await self._create(found, now)
        again = [i for i in found if i.unfiltered and not i.running and not i.problem]
        await self._create(again, now)
        return due

    async def delete(self, items: Iterable[Item], problem: str, now: float) -> None:
        """Take items that run but give nothing off the server, and park them."""

        async def call(ids: list[int]) -> list[ua.StatusCode]:
            parameters = ua.DeleteMonitoredItemsParameters()
            parameters.SubscriptionId = self.subscription
            parameters.MonitoredItemIds = ids
            codes: list[ua.StatusCode] = await self.link.session.delete_monitored_items(
                parameters
            )
            return codes

        chosen = [item for item in items if item.monitored is not None]
        ids = [item.monitored for item in chosen if item.monitored is not None]
        await self.limits.items.ask(call, ids)
        for item in chosen:
            item.park(problem, now, self.pace)

    async def readable(self, now: float) -> list[Item]:
        """The items whose nodes exist and fit, found without creating anything."""
        return await self._fit(await self._resolved(self.all, now), now)

    async def values(self, items: Sequence[Item]) -> list[tuple[int, ua.DataValue]]:
        """Read the present value of resolved items, by handle."""
        nodes = [item.node for item in items if item.node is not None]
        data = await read(self.link, nodes, ua.AttributeIds.Value, self.limits.reads)
        return [(item.handle, value) for item, value in zip(items, data, strict=True)]

    async def _resolved(self, items: list[Item], now: float) -> list[Item]:
        """Find the node of each address; park what has none."""
        by_path = []
        for item in items:
            if item.address is None:
                item.node = _STATE
            elif item.address.node is None:
                by_path.append(item)
            else:
                try:
                    item.node = item.address.node_id(self.namespaces)
                except Unresolved as error:
                    item.node = None
                    item.park(str(error), now, self.pace)
        paths = [i.address.browse_path() for i in by_path if i.address is not None]
        answers = await self.limits.paths.ask(
            self.link.session.translate_browsepaths_to_nodeids, paths
        )
        for item, answer in zip(by_path, answers, strict=True):
            self._take_path(item, answer, now)
        return [item for item in items if item.node is not None]

    def _take_path(self, item: Item, answer: ua.BrowsePathResult, now: float) -> None:
        targets = list(answer.Targets or [])
        item.node = None
        if answer.StatusCode.is_good() and len(targets) == 1:
            target: ua.NodeId = targets[0].TargetId
            item.node = node_id(
                target.Identifier, target.NamespaceIndex, target.NodeIdType
            )
        elif len(targets) > 1:
            item.park(f"this browse path fits {len(targets)} nodes", now, self.pace)
        else:
            item.park(
                meaning(answer.StatusCode.value or _CODES.BadNoMatch), now, self.pace
            )

    async def _fit(self, items: list[Item], now: float) -> list[Item]:
        """Park what is not there or cannot hold a number (or text)."""
        asked = [i for i in items if i.binding is not None and i.node is not None]
        nodes = [i.node for i in asked if i.node is not None]
        ids, limit = ua.AttributeIds, self.limits.reads
        kinds = await read(self.link, nodes, ids.DataType, limit)
        ranks = await read(self.link, nodes, ids.ValueRank, limit)
        parked = set()
        for item, kind, rank in zip(asked, kinds, ranks, strict=True):
            problem = await self._unfit(item, kind, rank)
            if problem:
                item.park(problem, now, self.pace)
                parked.add(item.handle)
        return [item for item in items if item.handle not in parked]

    async def _unfit(self, item: Item, kind: ua.DataValue, rank: ua.DataValue) -> str:
        code = int(kind.StatusCode.value) if kind.StatusCode else 0
        if code in _GONE or code == _CODES.BadAttributeIdInvalid:
            return meaning(code)
        if code:
            return ""  # it does not let us see its type: the values will tell
        shape = rank.Value.Value if rank.Value else None
        found = kind.Value.Value if kind.Value else None
        if isinstance(shape, int) and shape >= 1:
            return "this node is an array: give the node of one of its elements"
        text = item.binding is not None and item.binding.text
        return await self.types.unfit(found, text=text)

    async def _create(self, items: list[Item], now: float) -> None:
        async def call(
            chunk: list[ua.MonitoredItemCreateRequest],
        ) -> list[ua.MonitoredItemCreateResult]:
            parameters = ua.CreateMonitoredItemsParameters()
            parameters.SubscriptionId = self.subscription
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            parameters.ItemsToCreate = chunk
            results: list[
                ua.MonitoredItemCreateResult
            ] = await self.link.session.create_monitored_items(parameters)
            return results

        requests = [self._request(item) for item in items]
        results = await self.limits.items.ask(call, requests)
        for item, result in zip(items, results, strict=True):
            code = int(result.StatusCode.value)
            if result.StatusCode.is_good():
                item.run(result, now)
            elif code in _FILTER_REFUSED and not item.unfiltered:
                # more samples than asked for are better than none
                item.unfiltered, item.problem = True, ""
            else:
                item.park(meaning(code), now, self.pace)

    def _request(self, item: Item) -> ua.MonitoredItemCreateRequest:
        settings = self.settings
        parameters = ua.MonitoringParameters()
        parameters.ClientHandle = item.handle
        parameters.SamplingInterval = sampling_interval(settings) * 1000
        parameters.QueueSize = settings.queue or queue_size(settings)
        parameters.DiscardOldest = True
        if not item.unfiltered and item.binding is not None:
            parameters.Filter = self._filter(item.binding)
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(
                NodeId=item.node, AttributeId=ua.AttributeIds.Value
            ),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=parameters,
        )

    def _filter(self, binding: Binding) -> Any:  # noqa: ANN401
        """Data change filter, or none at all where the default says the same.

        No filter means trigger StatusValue without deadband (Part 4 7.22.2), and some
        servers accept no filter, not even that one.
        """
        every = self.settings.report == "every-write"
        if not every and not binding.deadband:
            return ua.ExtensionObject()
        wanted = ua.DataChangeFilter()
        trigger = ua.DataChangeTrigger
        wanted.Trigger = trigger.StatusValueTimestamp if every else trigger.StatusValue
        if binding.deadband:
            wanted.DeadbandType = int(ua.DeadbandType.Absolute)
            wanted.DeadbandValue = binding.deadband
        return wanted


def sampling_interval(settings: Settings) -> float:
    """Seconds between two looks at a value; 0 for whenever the server has a new one."""
    return settings.publishing if settings.sampling is None else settings.sampling


def queue_size(settings: Settings) -> int:
    """Values kept per tag by default: four publishing intervals' worth, at least 4."""
    sampling = max(sampling_interval(settings), _FASTEST)
    return max(4, round(4 * settings.publishing / sampling))
