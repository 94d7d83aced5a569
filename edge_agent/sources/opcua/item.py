"""A node we want, whether the server monitors it for us or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.sources.opcua.addresses import Address, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua import ua

    from edge_agent.config.plant import Binding


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how patiently wanted and actual are compared, in seconds.

    Attributes:
        period: between looks at the server's tables.
        shortest: between two rounds at least.
        mute: after which an item without a first value is made anew.
        first_retry, last_retry: a parked node is asked for after the first, then after
            twice as long each time, up to the last.
    """

    period: float = 10.0
    shortest: float = 0.5
    mute: float = 30.0
    first_retry: float = 5.0
    last_retry: float = 300.0


@dataclass(slots=True)
class Item:
    """One wanted node.

    Attributes:
        handle: position of its binding; the client handle of its values.
        address: as the operator wrote it; None for the server's own state.
        node: what the address is on this server, once known.
        monitored: the server's id of the item; None while it does not run.
        since: loop time since which it runs.
        problem: why it does not run, in words.
        retry_at: loop time of the next attempt.
        unfiltered: the server refused deadband or time stamp trigger.
        sampling, queue: what the server granted.
    """

    handle: int
    binding: Binding | None
    address: Address | None
    node: ua.NodeId | None = None
    monitored: int | None = None
    since: float = 0.0
    problem: str = ""
    retry_at: float = 0.0
    delay: float = 0.0
    unfiltered: bool = False
    sampling: float = 0.0
    queue: int = 0

    @property
    def running(self) -> bool:
        """True while the server monitors it."""
        return self.monitored is not None

    @property
    def name(self) -> str:
        """How the operator calls it."""
        if self.binding is None:
            return "server state"
        return f"{self.binding.asset}/{self.binding.role}"

    def park(self, problem: str, now: float, pace: Pace) -> None:
        """Leave it for later, and longer each time."""
        self.monitored = None
        self.problem = problem
        self.delay = min(max(self.delay * 2, pace.first_retry), pace.last_retry)
        self.retry_at = now + self.delay

    def run(self, result: ua.MonitoredItemCreateResult, now: float) -> None:
        """The server monitors it from now on."""
        self.monitored = int(result.MonitoredItemId)
        self.since = now
        self.problem = ""
        self.sampling = float(result.RevisedSamplingInterval) / 1000
        self.queue = int(result.RevisedQueueSize)


def wanted(bindings: Sequence[Binding]) -> list[Item]:
    """Items for all bindings and, last, the server's own state.

    Raises:
        ValueError: an address has none of the known forms.
    """
    items = [Item(h, b, parse(b.address)) for h, b in enumerate(bindings)]
    return [*items, Item(len(bindings), None, None)]
