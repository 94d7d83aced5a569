"""Snapshots as they are kept, read leniently: what `monitoring.snapshots` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.store.snapshots import Snapshot


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
