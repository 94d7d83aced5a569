"""What a bug ended in monitoring: said once, and scoring goes on without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge_agent.instruments import MONITORING_FAILURES
from edge_agent.records import EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from edge_agent.instruments import Instruments

log = structlog.get_logger()

_LONGEST = 200


class Contained:
    """A block whose errors go to somebody, and no further.

    Args:
        over: is told of the error.
    """

    def __init__(self, over: Callable[[Exception], None]) -> None:
        self._over = over

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        why: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Hand an error over; what ends the process by intent goes on."""
        if not isinstance(why, Exception):
            return False
        self._over(why)
        return True


class Stopped:
    """Watches that are no more; the turn's thread adds to it, any thread reads.

    Args:
        instruments: counters.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._why: dict[str, str] = {}
        self._news: list[EventRecord] = []

    def contained(
        self, part: str, subject: str, now: int, end: Callable[[], object]
    ) -> Contained:
        """Run a watch's own code: an error there ends the watch and nothing else.

        Args:
            part: ``drift`` or ``sensors``.
            subject: pipeline or asset type.
            now: agent time, ns.
            end: takes the watch away, so that it fails only once.
        """

        def over(why: Exception) -> None:
            end()
            self._note(part, subject, now, why)

        return Contained(over)

    def _note(self, part: str, subject: str, now: int, why: Exception) -> None:
        log.error(
            "a bug in monitoring ended a watch", part=part, of=subject, exc_info=why
        )
        said = f"{type(why).__name__}: {why}"[:_LONGEST]
        self._why[f"{part}/{subject}"] = said
        self._instruments.count(MONITORING_FAILURES, part=part, of=subject)
        text = (
            f"{part} of {subject} is not watched until the agent is started again,"
            f" because of an error in the agent ({said}); scoring and alarms go on."
            " Report it with the agent's log"
        )
        self._news.append(EventRecord(now, "monitoring stopped", subject, text))

    def why(self, part: str, subject: str) -> str:
        """The error that ended a watch; empty for one that runs. Any thread."""
        return self._why.get(f"{part}/{subject}", "")

    def news(self) -> list[EventRecord]:
        """What has not been told yet."""
        found, self._news = self._news, []
        return found
