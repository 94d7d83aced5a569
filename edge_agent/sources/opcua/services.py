"""Questions to a server, asked in pieces it can take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from asyncua import ua
from asyncua.ua.uaerrors import (
    BadEncodingLimitsExceeded,
    BadRequestTooLarge,
    BadResponseTooLarge,
    BadTooManyOperations,
)

from edge_agent.errors import SourceLost
from edge_agent.sources.opcua.ids import node_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edge_agent.sources.opcua.link import Link

_Ask = TypeVar("_Ask")
_Answer = TypeVar("_Answer")

#: Siemens S7-1500 counts outstanding items, others allow 100 a call: a hundred, one
#: call after the other, suits all (epics-modules/opcua #177, #201).
MOST_ITEMS = 100
MOST_READS = 500

_TOO_MUCH = (
    BadTooManyOperations,
    BadRequestTooLarge,
    BadResponseTooLarge,
    BadEncodingLimitsExceeded,
)


@dataclass(slots=True)
class Limit:
    """How much a server takes in one call; shrinks when it says too much."""

    size: int

    async def ask(
        self,
        call: Callable[[list[_Ask]], Awaitable[Sequence[_Answer] | None]],
        items: Sequence[_Ask],
    ) -> list[_Answer]:
        """Answers to all items, asked for in chunks one after the other.

        Raises:
            SourceLost: the server answered some items and not others.
            UaStatusCodeError: it refuses the call, and not for its size.
        """
        answers: list[_Answer] = []
        while len(answers) < len(items):
            chunk = list(items[len(answers) : len(answers) + self.size])
            try:
                got = await call(chunk) or ()
            except _TOO_MUCH:
                if self.size == 1:
                    raise
                self.size = max(1, min(self.size, len(chunk)) // 2)
                continue
            if len(got) != len(chunk):
                raise SourceLost(
                    f"the server gave {len(got)} answers to {len(chunk)} questions"
                )
            answers.extend(got)
        return answers


@dataclass(slots=True)
class Limits:
    """What the server says it takes in one call, within what is reasonable."""

    reads: Limit
    paths: Limit
    items: Limit

    @staticmethod
    async def of(link: Link) -> Limits:
        """Ask the server; one that has no such nodes gets our own limits."""
        ids = ua.ObjectIds
        prefix = "Server_ServerCapabilities_OperationLimits_"
        names = (
            "MaxNodesPerRead",
            "MaxNodesPerTranslateBrowsePathsToNodeIds",
            "MaxMonitoredItemsPerCall",
        )
        nodes = [node_id(getattr(ids, prefix + name)) for name in names]
        most = (MOST_READS, MOST_ITEMS, MOST_ITEMS)
        values = [
            _whole(v) for v in await read(link, nodes, ua.AttributeIds.Value, Limit(1))
        ]
        reads, paths, items = (
            Limit(min(value or limit, limit))
            for value, limit in zip(values, most, strict=True)
        )
        return Limits(reads, paths, items)


def _whole(data: ua.DataValue) -> int:
    value: Any = data.Value.Value if data.Value else None
    good = data.StatusCode is None or data.StatusCode.is_good()
    return max(value, 0) if good and isinstance(value, int) else 0


async def read(
    link: Link,
    nodes: Sequence[ua.NodeId],
    attribute: ua.AttributeIds,
    limit: Limit,
) -> list[ua.DataValue]:
    """One attribute of many nodes, with source and server time."""

    async def call(chunk: list[ua.ReadValueId]) -> list[ua.DataValue]:
        parameters = ua.ReadParameters()
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        parameters.NodesToRead = chunk
        answers: list[ua.DataValue] = await link.session.read(parameters)
        return answers

    return await limit.ask(
        call, [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes]
    )


async def namespaces(link: Link) -> list[str]:
    """The server's namespace table.

    Raises:
        SourceLost: the server does not give it.
    """
    node = node_id(ua.ObjectIds.Server_NamespaceArray)
    (data,) = await read(link, [node], ua.AttributeIds.Value, Limit(1))
    table = data.Value.Value if data.Value else None
    if not isinstance(table, list):
        raise SourceLost(f"{link.name}: the server does not give its namespace table")
    return [str(uri) for uri in table]


async def supertype(link: Link, kind: ua.NodeId) -> ua.NodeId | None:
    """The data type that this one is derived from, None if the server does not say."""
    question = ua.BrowseParameters()
    question.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=kind,
            BrowseDirection=ua.BrowseDirection.Inverse,
            ReferenceTypeId=node_id(ua.ObjectIds.HasSubtype),
            IncludeSubtypes=True,
            ResultMask=0,
        )
    ]
    (answer,) = await link.session.browse(question)
    for reference in answer.References or ():
        found: ua.NodeId = reference.NodeId
        return found
    return None
