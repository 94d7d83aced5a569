"""Snapshots as they are kept, read leniently: what `monitoring.snapshots` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from edge_agent.monitoring.snapshots import EVENT
from edge_agent.samples import NANOSECONDS
from edge_agent.store.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.store.lost import Lost

_DAY = 86_400 * NANOSECONDS


class Figure(msgspec.Struct, frozen=True):
    """One measure."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    basis: str = "counted"
    note: str = ""


class Accuracy(msgspec.Struct, frozen=True):
    """What labels say of a version."""

    state: str
    measures: dict[str, Figure]
    model: str = ""
    version: str = ""
    requirement: str = ""
    metric: str = ""
    level: float | None = None
    sentence: str = ""
    labels: int = 0
    coverage: float | None = None
    delay: str = ""
    confusion: tuple[int, int, int, int] | None = None


class Alarms(msgspec.Struct, frozen=True):
    """What people said of alarms."""

    confirmed: int
    rejected: int
    unanswered: int
    model: str = ""
    version: str = ""
    asset_weeks: float = 0.0
    budget: float | None = None
    per_week: float | None = None
    over: bool = False
    sentence: str = ""
    suggestion: str = ""
    applied: bool = False


class Group(msgspec.Struct, frozen=True):
    """One group."""

    name: str
    count: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rest: float | None = None
    p: float | None = None
    differs: bool = False


class Names(msgspec.Struct, frozen=True):
    """Some groups without a figure."""

    count: int = 0
    names: tuple[str, ...] = ()


class Fairness(msgspec.Struct, frozen=True):
    """One rate by one grouping."""

    by: str
    rate: str = ""
    model: str = ""
    version: str = ""
    context: str = ""
    groups: tuple[Group, ...] = ()
    pooled: Names = Names()
    untold: Names = Names()
    finding: str = ""
    refused: str = ""


class Event(msgspec.Struct, frozen=True):
    """What happened."""

    what: str
    subject: str = ""
    message: str = ""


def events_of(losses: Iterable[Lost]) -> list[Snapshot]:
    """Each loss once, as what happened when it was told last."""
    newest: dict[tuple[str, str, str], Lost] = {}
    for one in losses:
        key = (one.what, one.subject, one.cause)
        other = newest.get(key, one)
        amount = one.amount + (other.amount if other is not one else 0)
        newest[key] = max(one, other)._replace(amount=amount)
    return [_event_of(one) for one in newest.values()]


def _event_of(one: Lost) -> Snapshot:
    count = one.amount or "an unknown number of"
    said = f"{count} {one.what}: {one.cause}"
    body = msgspec.json.encode(Event(f"{one.what} lost", one.subject, said)).decode()
    place = (one.at, one.wall_offset, (one.at + one.wall_offset) // _DAY)
    return Snapshot(one.id, one.gateway, EVENT, "", one.subject, *place, body)


Body = TypeVar("Body", Accuracy, Alarms, Fairness, Event)


def read(
    rows: Sequence[Snapshot], kind: type[Body]
) -> tuple[list[tuple[Snapshot, Body]], int]:
    """Rows with what they say, and how many cannot be read."""
    found = []
    for row in rows:
        try:
            found.append((row, msgspec.json.decode(row.body, type=kind)))
        except (msgspec.MsgspecError, RecursionError):
            continue
    return found, len(rows) - len(found)
