"""How many bytes a second each class of records takes on disk, smoothed. Pure.

What an output takes at once is never written, yet it is in an outage. So every record
is counted by its size in memory, and what that makes on the disk is measured on
records that were really encoded: see `footprint`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from edge_agent.records import RecordClass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HOUR, _DAY = 3600.0, 86_400.0
#: Seconds of measuring before a rate is one.
ENOUGH = 300.0
#: How much of a new ratio counts: a minute's record is one of many.
_NEW = 0.2
_FORMAT = 1
_ABSURD = 1e15


@dataclass(frozen=True, slots=True)
class Rate:
    """Bytes a second, over the last hour and over the last day.

    The mean since the start of measuring until there was as much, then smoothed
    exponentially. Time that the agent did not run does not count.
    """

    hour: float = 0.0
    day: float = 0.0

    def after(self, amount: float, seconds: float, measured: float) -> Rate:
        """With one more stretch.

        Args:
            amount: bytes in it.
            seconds: its length.
            measured: seconds measured so far, this stretch included.
        """
        now = amount / seconds
        return Rate(
            self.hour + seconds / min(measured, _HOUR + seconds) * (now - self.hour),
            self.day + seconds / min(measured, _DAY + seconds) * (now - self.day),
        )

    @property
    def expected(self) -> float:
        """The higher one: a quiet night does not hide what the day needs."""
        return max(self.hour, self.day)


@dataclass(frozen=True, slots=True)
class Rates:
    """What an outage stores.

    Attributes:
        kinds: by class, of sizes in memory.
        ratios: by class, bytes on disk for a byte in memory; 1 before it is known,
            which is much.
        seconds: how long was measured, in all lives.
    """

    kinds: tuple[Rate, ...] = (Rate(),) * len(RecordClass)
    ratios: tuple[float, ...] = (1.0,) * len(RecordClass)
    seconds: float = 0.0
    known: frozenset[int] = field(default_factory=frozenset)
    """Classes whose ratio was measured."""

    def after(self, made: Sequence[int], seconds: float) -> Rates:
        """With one more stretch of time.

        Args:
            made: bytes in memory of what was made in it, by class.
            seconds: its length; nothing is learnt of none.
        """
        if seconds <= 0:
            return self
        measured = self.seconds + seconds
        kinds = zip(self.kinds, made, strict=True)
        after = tuple(rate.after(amount, seconds, measured) for rate, amount in kinds)
        return replace(self, kinds=after, seconds=measured)

    def weighed(self, weights: Mapping[int, float]) -> Rates:
        """With what some classes' records took on disk.

        Args:
            weights: bytes on disk for a byte in memory, by class.
        """
        ratios = [*self.ratios]
        for kind, weight in weights.items():
            share = _NEW if kind in self.known else 1.0
            ratios[kind] += share * (weight - ratios[kind])
        return replace(self, ratios=tuple(ratios), known=self.known | {*weights})

    @property
    def enough(self) -> bool:
        """Whether it was measured long enough to promise anything."""
        return self.seconds >= ENOUGH

    @property
    def stored(self) -> list[float]:
        """Bytes a second that an outage writes, by class."""
        pairs = zip(self.kinds, self.ratios, strict=True)
        return [rate.expected * ratio for rate, ratio in pairs]

    def need(self, survive: float) -> int:
        """Bytes that an outage of so many seconds takes."""
        return round(sum(self.stored) * survive)


class _Kept(msgspec.Struct, array_like=True):
    format: int
    seconds: float
    hours: list[float]
    days: list[float]
    ratios: list[float]
    known: list[int]


def packed(rates: Rates) -> bytes:
    """For a file."""
    kept = _Kept(
        _FORMAT,
        rates.seconds,
        [rate.hour for rate in rates.kinds],
        [rate.day for rate in rates.kinds],
        [*rates.ratios],
        sorted(rates.known),
    )
    return msgspec.json.encode(kept)


def unpacked(body: bytes) -> Rates:
    """From a file; what is no such thing begins anew."""
    try:
        kept = msgspec.json.decode(body, type=_Kept)
    except msgspec.DecodeError:
        return Rates()
    numbers = [kept.seconds, *kept.hours, *kept.days, *kept.ratios]
    lists = (kept.hours, kept.days, kept.ratios)
    fits = (
        kept.format == _FORMAT
        and all(len(one) == len(RecordClass) for one in lists)
        and all(0 <= x < _ABSURD for x in numbers)
        and all(kind in range(len(RecordClass)) for kind in kept.known)
    )
    if not fits:
        return Rates()
    pairs = zip(kept.hours, kept.days, strict=True)
    kinds = tuple(Rate(hour, day) for hour, day in pairs)
    return Rates(kinds, tuple(kept.ratios), kept.seconds, frozenset(kept.known))
