"""How long an outage the store holds, against what `store.survive` promises. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from edge_agent.samples import NANOSECONDS

#: Bytes of the outbox where the operator gives no limit and little is needed.
USUAL = 1 << 30
_LEAST = 1 << 20
#: What is taken beyond need, in hundredths: rates change.
_HEADROOM = 125
#: Of the disk, what the store leaves to models, labels, evidence and its own log.
_FREE_PART, _FREE_LEAST, _FREE_MOST = 10, 64 << 20, 2 << 30
#: Of what may be taken, what the outbox has; the rest is for reports and saved state.
_OUTBOX = 75
#: A promise that broke is kept again when it is so by this many hundredths.
_SURE = 110


class Promise(StrEnum):
    """Whether an outage of `store.survive` would lose nothing."""

    UNKNOWN = "unknown"
    KEPT = "kept"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Room:
    """What the disk of the store has, in bytes.

    Attributes:
        free: that this user may still take.
        total: of the file system.
        file: that the store's file and its log take.
        reusable: of the file, pages that hold nothing.
    """

    free: int
    total: int
    file: int = 0
    reusable: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What is promised, and what there is to keep it with.

    Attributes:
        promised: seconds.
        rate: bytes a second that an outage stores.
        limit: bytes of the outbox.
        held: bytes that are owed now.
        room: of the disk; None where it cannot be read.
        age: seconds the oldest record owed has waited.
        chosen: the limit is the operator's.
        measured: the rate was measured for long enough.
    """

    promised: float
    rate: float
    limit: int
    held: int = 0
    room: Room | None = None
    age: float = 0.0
    chosen: bool = False
    measured: bool = True

    @property
    def capacity(self) -> int:
        """Bytes of the outbox that limit and disk allow."""
        if self.room is None:
            return self.limit
        return min(self.limit, self.held + self.room.free + self.room.reusable)

    @property
    def need(self) -> int:
        """Bytes that the promise takes."""
        return round(self.rate * self.promised)

    @property
    def full_in(self) -> float | None:
        """Seconds until a record is dropped if none is taken; None: never."""
        left = max(self.capacity - self.held, 0)
        return left / self.rate if self.rate > 0 else None

    @property
    def kept(self) -> float | None:
        """Seconds of outage that are held: from the oldest record to the first loss.

        None where nothing is stored.
        """
        if self.full_in is None:
            return None
        return min(self.capacity / self.rate, self.age + self.full_in)


def limit_of(rate: float, survive: float, room: Room | None, before: int) -> int:
    """Bytes of the outbox where the operator gives no limit.

    What is needed and some more, within what the disk spares. Within a run it grows
    with the need, and gives way only to the disk: what is held must not go because
    less is made.

    Args:
        rate: bytes a second that an outage stores.
        survive: seconds promised.
        room: of the disk; None where it cannot be read.
        before: the limit so far, 0 for none.
    """
    wanted = max(USUAL, round(rate * survive) * _HEADROOM // 100, before)
    if room is None:
        return wanted
    kept = min(max(room.total // _FREE_PART, _FREE_LEAST), _FREE_MOST, room.total // 2)
    spared = (room.file + room.free - kept) * _OUTBOX // 100
    return max(min(wanted, spared), _LEAST)


def judged(before: Promise, now: Standing) -> Promise:
    """Whether the promise is kept; what is broken is not kept again by a hair."""
    if not now.measured:
        return before
    if now.kept is None:
        return Promise.KEPT
    sure = _SURE if before is Promise.BROKEN else 100
    enough = now.kept * 100 >= now.promised * sure
    return Promise.KEPT if enough else Promise.BROKEN


def sentence(promise: Promise, now: Standing, date: int) -> str:
    """What a technician should know of the promise.

    Args:
        promise: as it was judged.
        now: what there is.
        date: wall-clock time in ns, for when the store is full.
    """
    asked = f"an outage of {span(now.promised)} is promised"
    if promise is Promise.UNKNOWN:
        return (
            f"{asked}; what it takes is not measured yet,"
            f" until then the limit is {size(now.limit)}"
        )
    if now.kept is None:
        return f"{asked}; nothing is stored at present"
    full = _full(now, date)
    if promise is Promise.KEPT:
        return f"{asked} and {span(now.kept)} would be held{full}"
    return (
        f"{asked} but only {span(now.kept)} are held: it needs {size(now.need)} at"
        f" the present rate and there are {size(now.capacity)}{full}. {_advice(now)}"
    )


def span(seconds: float) -> str:
    """A duration in the unit it is read in."""
    for unit, length, most in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 1000)):
        if seconds < length * most:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def size(count: float) -> str:
    """Bytes in the unit they are read in."""
    for unit, length, digits in (("GiB", 30, 1), ("MiB", 20, 1), ("KiB", 10, 0)):
        if count >= 1 << length:
            return f"{count / (1 << length):.{digits}f} {unit}"
    return f"{count:.0f} B"


def moment(wall: int) -> str:
    """A wall-clock time in ns, for people."""
    return f"{datetime.fromtimestamp(wall // NANOSECONDS, UTC):%Y-%m-%d %H:%M} UTC"


_FAR = 1000 * 86_400.0


def _full(now: Standing, date: int) -> str:
    if now.full_in is None or now.full_in > _FAR:
        return ""
    when = moment(date + int(now.full_in * NANOSECONDS))
    return f"; if nothing is taken it is full in {span(now.full_in)}, on {when}"


def _advice(now: Standing) -> str:
    wanted = size(now.need * _HEADROOM / 100).replace(" ", "")
    if now.chosen and now.limit <= now.capacity:
        return f"Raise store.limit to {wanted}, leave it out, or lower store.survive"
    free = size(now.room.free) if now.room is not None else "too little"
    return (
        f"The disk has {free} left: free some, take a larger one,"
        " or lower store.survive"
    )
