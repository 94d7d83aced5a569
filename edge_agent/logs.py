"""Where log lines go: the journal, a person's terminal, or JSON for machines.

Only changes of condition are logged, at four levels: ERROR: data was lost or a
person is needed; WARNING: something is degraded and mends itself; INFO: what the
agent does, a few lines a day; DEBUG: for whoever debugs the agent itself.

The libraries' own logging comes in from WARNING up, one line for the first of a
kind and then at most one a minute with a count: asyncua repeats itself every
second while a server is away, and the journal lives on flash.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import structlog

from edge_agent.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from structlog.typing import EventDict, Processor, WrappedLogger

    from edge_agent.clock import Clock

#: Nanoseconds between two lines of the same kind from a library.
REPEAT = 60 * 1_000_000_000

#: Kinds of library lines remembered; beyond it the oldest is forgotten.
KINDS = 256

#: Libraries whose troubles our own lines tell, once and in plain words: theirs, an
#: error a second while a link is down, are for those who search for a fault.
TOLD_BY_US = frozenset({"asyncua"})

# syslog's numbers, which the journal reads from the start of a line
_PRIORITY = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}


def configure(
    *,
    json: bool = False,
    level: str = "info",
    stream: TextIO | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Set up logging for the whole process; call once, before anything logs.

    Args:
        json: one JSON object a line.
        level: lowest level shown of the agent's own lines.
        stream: where lines go; standard error by default, standard output belongs
            to a command's result.
        clock: times the libraries' repeated lines.
        environ: JOURNAL_STREAM, NO_COLOR and TERM are read from it.
    """
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=_processors(out, json=json, environ=environ),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,  # lines are few; the level may still change
    )
    _adopt_libraries(clock or SystemClock())


def to_journal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """True when the stream is the journal's own socket, as systemd declares it."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _processors(
    out: TextIO, *, json: bool, environ: Mapping[str, str]
) -> list[Processor]:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    utc = structlog.processors.TimeStamper(fmt="iso", utc=True)
    text = structlog.processors.format_exc_info
    if json:
        return [*shared, utc, text, structlog.processors.JSONRenderer(default=str)]
    if to_journal(out, environ):  # the journal stamps the lines itself
        return [*shared, text, _journal_line]
    coloured = out.isatty() and "NO_COLOR" not in environ
    local = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    plain = structlog.dev.plain_traceback
    console = structlog.dev.ConsoleRenderer(colors=coloured, exception_formatter=plain)
    return [*shared, local, console]


def _journal_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Event, key=value; every line of a traceback carries the priority."""
    priority = _PRIORITY.get(event.pop("level"), 6)
    trace = event.pop("exception", "")
    name = event.pop("event")
    pairs = [f"{key}={_value(value)}" for key, value in event.items()]
    lines = [*_lines(" ".join([str(name), *pairs])), *trace.splitlines()]
    return "\n".join(f"<{priority}>{line}" for line in lines)


def _value(value: object) -> str:
    text = str(value)
    return repr(text) if not text or set(text) & set(' "=\n') else text


def _lines(text: str) -> list[str]:
    return text.splitlines() or [""]


def _adopt_libraries(clock: Clock) -> None:
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, LibraryLines)]:
        root.removeHandler(handler)
    root.addHandler(LibraryLines(clock))
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


class LibraryLines(logging.Handler):
    """Hands a library's lines to our log: the first of a kind, then one a minute.

    A kind is logger, level and unformatted message. The line's traceback is left
    out, its last error kept: why a link is lost is told by our own lines.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._kinds: dict[tuple[str, int, str], tuple[int, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on, or count it."""
        kind = (record.name, record.levelno, str(record.msg))
        now = self._clock.now()
        last, held = self._kinds.pop(kind, (now - REPEAT, 0))
        if now - last < REPEAT:
            self._kinds[kind] = (last, held + 1)
            return
        self._kinds[kind] = (now, 0)
        if len(self._kinds) > KINDS:
            self._kinds.pop(next(iter(self._kinds)))
        self._pass_on(record, held)

    def _pass_on(self, record: logging.LogRecord, held: int) -> None:
        extra: dict[str, object] = {"repeated": held} if held else {}
        if record.exc_info and record.exc_info[1] is not None:
            extra["error"] = repr(record.exc_info[1])
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a library's own wrong format string
            message = f"{record.msg} {record.args}"
        logger = structlog.get_logger()
        own = record.name.partition(".")[0] in TOLD_BY_US
        level = logging.DEBUG if own else record.levelno
        logger.log(level, message, library=record.name, **extra)
