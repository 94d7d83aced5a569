"""What passes between the tray, the writer and the journal."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from edge_agent.errors import StoreBusy

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from edge_agent.records import EventRecord
    from edge_agent.store import looking
    from edge_agent.store.history import Page, Query
    from edge_agent.store.looking import Found
    from edge_agent.store.outbox import Entry, Loss, LossKey, Stored
    from edge_agent.store.rows import Refused


T = TypeVar("T")
#: Seconds that somebody who asks waits for the store.
PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the start found, for those who start.

    Attributes:
        boot: number of this opening; ids of this run start with it.
        checkpoint: state of the core by name after the last committed turn.
        events: what an operator should know; already submitted, do not repeat.
        last_seen: when the store was last written before this start, ns UTC by the
            file's date; 0 where there was none.
        findings: those that are open as far as the store knows, oldest first. An
            output must know them; who makes findings closes those it does not know.
    """

    boot: int
    checkpoint: dict[str, bytes]
    events: list[EventRecord]
    findings: tuple[Stored, ...] = ()
    last_seen: int = 0


@dataclass(slots=True)
class Opened:
    """What the start found, for the journal."""

    boot: int
    seq: int = 0
    checkpoint: dict[str, bytes] = field(default_factory=dict)
    events: list[EventRecord] = field(default_factory=list)
    findings: list[Stored] = field(default_factory=list)
    last_seen: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """Someone wants records that an output still owes."""

    bit: int
    after: int
    limit: int
    urgent: bool
    live: bool
    answer: Future[list[Stored]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Look:
    """Someone wants to know what alarms have left behind."""

    query: looking.Query
    answer: Future[Found] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Recall:
    """Someone wants a page of what is kept."""

    query: Query
    answer: Future[Page] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Inquiry(Generic[T]):
    """Someone wants what a function reads from the file, and only from there."""

    read: Callable[[sqlite3.Connection], T]
    otherwise: T
    """The answer while the disk fails."""
    answer: Future[T] = field(default_factory=Future)


#: What the writer answers between two commits.
Ask = Read | Look | Recall | Inquiry[Any]


def soon(answer: Future[T]) -> T:
    """An answer, waited for, but not for long.

    Raises:
        StoreBusy: the store does not answer now.
    """
    try:
        return answer.result(PATIENCE)
    except TimeoutError as why:
        answer.cancel()
        raise StoreBusy(
            "the store's disk does not answer; look at edge-agent status, ask again"
        ) from why


@dataclass(slots=True)
class Work:
    """What the writer does next: reads to answer, or one transaction."""

    reads: list[Ask] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    acks: dict[int, int] = field(default_factory=dict)
    checkpoint: dict[str, bytes] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    losses: dict[LossKey, Loss] = field(default_factory=dict)
    told: dict[LossKey, Loss] = field(default_factory=dict)
    """Losses from elsewhere: of sources, labels, outputs."""
    last: bool = False
    """Nothing follows: the agent stops."""
