"""asyncua's own log lines, few and once.

asyncua writes an error with traceback every second while a link is down. Here
whatever it says becomes at most one line a minute and kind, with a count; conditions
are logged by the source itself.
"""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from edge_agent.clock import Clock

log = structlog.get_logger()

PERIOD = 60 * 10**9
KINDS = 200
"""Different lines remembered at most; more of them are counted as one kind."""


class Aggregated(logging.Handler):
    """Passes the first line of a kind on, then one a minute with a count."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._lines: dict[str, tuple[int, int]] = {}
        self._guard = Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record of asyncua, unless its kind was logged a moment ago."""
        now, kind = self._clock.now(), str(record.msg)
        with self._guard:
            if kind not in self._lines and len(self._lines) >= KINDS:
                kind = "other"
            last, held = self._lines.get(kind, (now - PERIOD, 0))
            due = now - last >= PERIOD
            self._lines[kind] = (now, 0) if due else (last, held + 1)
        if due:
            log.debug(
                "asyncua", text=_text(record), level_there=record.levelname, held=held
            )


def quieten(clock: Clock) -> None:
    """Route asyncua's loggers through `Aggregated`; harmless when called again."""
    # asyncua logs with the standard library: this is the one place that meets it
    root = logging.getLogger("asyncua")  # noqa: TID251
    if any(isinstance(handler, Aggregated) for handler in root.handlers):
        return
    root.setLevel(logging.WARNING)
    root.propagate = False
    root.addHandler(Aggregated(clock))


def _text(record: logging.LogRecord) -> str:
    said = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        said += f": {record.exc_info[1]!r}"
    return said[:500]
