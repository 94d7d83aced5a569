"""Which segments go: those too old, and the oldest when there is no room."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from edge_agent.durable import sync_folder
from edge_agent.evidence.opening import Removal
from edge_agent.records import LossRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.evidence.report import Stretch

    #: Number up to which another place has the log too; None where there is none.
    Sent = Callable[[], int | None]

_DAY = 86_400.0
_SECOND = 1_000_000_000
#: More time than this between two segments is not believed: a clock that is set into
#: the next century must not empty the log. A gateway that was off keeps for longer.
_LEAP = 7 * _DAY
TOO_OLD, NO_ROOM = "older than it is kept", "no room for more"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, and how it is cut.

    Attributes:
        keep: seconds; older segments go.
        room: bytes; beyond, the oldest segments go.
        segment: bytes after which a new segment begins.
        anchor: seconds after which lines get an anchor at the latest.
    """

    keep: float = 180 * _DAY
    room: int = 256 << 20
    segment: int = 1 << 20
    anchor: float = 3600.0


@dataclass(slots=True)
class Retention:
    """Segments that have ended, oldest first.

    Args:
        folder: of the log.
        limits: how much is kept.
        sent: up to where another place has it.
    """

    folder: Path
    limits: Limits
    sent: Sent
    ended: list[Stretch] = field(default_factory=list)
    _lost: list[tuple[int, int, int, str]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Of them."""
        return sum(one.size for one in self.ended)

    @property
    def oldest(self) -> str:
        """Date of the first line, empty where none has ended."""
        return self.ended[0].opened if self.ended else ""

    def due(self, wall: int, current: Stretch) -> Removal | None:
        """What is to go now.

        Args:
            wall: the wall clock, ns.
            current: the segment that is written, which stays.
        """
        gone, why, room = [], TOO_OLD, self.bytes + current.size
        for one, age in zip(self.ended, self._ages(wall, current), strict=True):
            full = room > self.limits.room
            if not full and age <= self.limits.keep:
                break
            why = NO_ROOM if full else why
            gone.append(one)
            room -= one.size
        return self._removal(gone, current, why) if gone else None

    def _ages(self, wall: int, current: Stretch) -> list[float]:
        """Seconds since each segment ended, as far as the clock is believed."""
        begun = [_seconds(one.opened) for one in (*self.ended[1:], current)]
        ages, age, after = [], 0.0, wall / _SECOND
        for at in reversed(begun[: len(self.ended)]):
            age += min(max(after - at, 0.0), _LEAP)
            ages.append(age)
            after = at
        return ages[::-1]

    def _removal(self, gone: list[Stretch], current: Stretch, why: str) -> Removal:
        stays = self.ended[len(gone)] if len(gone) < len(self.ended) else current
        last, sent = gone[-1].last, self.sent()
        owed = sent is not None or why == NO_ROOM
        unsent = sum(_unsent(one, sent or 0) for one in gone) if owed else 0
        return Removal(
            gone[0].first,
            last,
            gone[-1].hash,
            stays.first,
            [one.name for one in gone],
            sum(one.size for one in gone),
            why,
            unsent,
        )

    def remove(self, removal: Removal) -> None:
        """Remove what the log now says is gone.

        Raises:
            OSError: the disk refused; the next start does it.
        """
        gone = [one for one in self.ended if one.name in removal.segments]
        self.ended = self.ended[len(gone) :]
        if removal.unsent:
            first, last = _seconds(gone[0].opened), _seconds(gone[-1].date)
            times = (round(first * _SECOND), round(last * _SECOND))
            self._lost.append((removal.unsent, *times, removal.why))
        for one in gone:
            (self.folder / one.name).unlink(missing_ok=True)
        sync_folder(self.folder)

    def losses(self, now: int) -> list[LossRecord]:
        """What went and had reached no other place; told once.

        Args:
            now: agent time.
        """
        lost, self._lost = self._lost, []
        return [
            LossRecord(
                now,
                "entries",
                "evidence",
                count,
                first,
                last,
                f"{why}, and no other place had it",
            )
            for count, first, last, why in lost
        ]


def _unsent(one: Stretch, sent: int) -> int:
    return max(one.last - max(sent, one.first - 1), 0)


def _seconds(date: str) -> float:
    try:
        return datetime.fromisoformat(date).timestamp()
    except ValueError:
        return 0.0
