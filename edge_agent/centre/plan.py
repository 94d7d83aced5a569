"""What is being sent, written down before it is: after a crash the same again. Pure.

One small document, replaced whole. While a plan stands in it, its records are sent
again under the same names, byte for byte; nobody has to know how far it had come.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import msgspec

#: Days with new objects that are remembered for compaction.
DAYS = 400
_LARGEST = 16 << 20


class Planned(msgspec.Struct, frozen=True):
    """An object: its name below the prefix, rows and bytes."""

    name: str
    rows: int
    size: int


class Plan(msgspec.Struct, frozen=True):
    """Objects that are under way.

    Attributes:
        ids: of the records, rising.
        entries: of the evidence log: after this number, to that one.
        objects: made of them.
    """

    ids: tuple[int, ...] = ()
    entries: tuple[int, int] = (0, 0)
    objects: tuple[Planned, ...] = ()


class Position(msgspec.Struct, frozen=True):
    """How far the archive is.

    Attributes:
        plan: what is under way; None for nothing.
        settled: records that are there, in case the store has not yet written down
            that it may forget them; rising.
        evidence: number of the last entry that is there.
        days: whose folders have had new objects since they were put together.
    """

    plan: Plan | None = None
    settled: tuple[int, ...] = ()
    evidence: int = 0
    days: tuple[str, ...] = ()


class _Written(msgspec.Struct):
    """The document; ids as differences, which is a third of the bytes."""

    ids: list[int]
    entries: tuple[int, int]
    objects: tuple[Planned, ...]
    underway: bool
    settled: list[int]
    evidence: int
    days: tuple[str, ...]


def encoded(position: Position) -> bytes:
    """The document's bytes."""
    plan = position.plan or Plan()
    return msgspec.json.encode(
        _Written(
            _steps(plan.ids),
            plan.entries,
            plan.objects,
            position.plan is not None,
            _steps(position.settled),
            position.evidence,
            position.days[-DAYS:],
        )
    )


def decoded(body: bytes) -> Position:
    """Inverse of `encoded`.

    Raises:
        ValueError: the document is damaged.
    """
    if len(body) > _LARGEST:
        raise ValueError("it is too long")
    found: Any = msgspec.json.decode(body, type=_Written)
    plan = Plan(tuple(accumulate(found.ids)), found.entries, found.objects)
    return Position(
        plan if found.underway else None,
        tuple(accumulate(found.settled)),
        found.evidence,
        found.days,
    )


def _steps(ids: tuple[int, ...]) -> list[int]:
    return [*ids[:1], *(later - earlier for earlier, later in pairwise(ids))]
