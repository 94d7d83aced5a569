"""Log lines for the journal, for people and for machines; libraries kept quiet."""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import capture_logs

from edge_agent.clock import ManualClock
from edge_agent.logs import KINDS, REPEAT, LibraryLines, configure, to_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_person_reads_event_and_values() -> None:
    """Without the journal a line is time, level, event and values, uncoloured."""
    out = io.StringIO()
    configure(stream=out)
    structlog.get_logger().warning("link lost", link="source:a")
    structlog.get_logger().debug("not shown")

    line = out.getvalue()

    assert "link lost" in line
    assert "link=source:a" in line
    assert "\x1b" not in line
    assert line.count("\n") == 1


def test_machines_get_json() -> None:
    """With json each line is an object with level, event and UTC time."""
    out = io.StringIO()
    configure(stream=out, json=True)
    structlog.get_logger().info("started", pipelines=5)

    line = json.loads(out.getvalue())

    assert (line["event"], line["level"], line["pipelines"]) == ("started", "info", 5)
    assert line["timestamp"].endswith("Z")


def test_the_journal_gets_priorities(tmp_path: Path) -> None:
    """Every line, those of a traceback too, starts with its syslog priority."""
    path = tmp_path / "stderr"
    with path.open("w", encoding="utf-8") as out:
        status = os.fstat(out.fileno())
        environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}

        assert to_journal(out, environ)

        configure(stream=out, environ=environ)
        structlog.get_logger().warning("link lost", link="a", reason="no route")
        try:
            int("bug")
        except ValueError:
            structlog.get_logger().exception("turn failed")
    lines = path.read_text("utf-8").splitlines()

    assert lines[0] == "<4>link lost link=a reason='no route'"
    assert lines[1] == "<3>turn failed"
    assert all(line.startswith("<3>") for line in lines[1:])
    assert lines[-1] == "<3>ValueError: invalid literal for int() with base 10: 'bug'"


def test_a_terminal_is_not_the_journal() -> None:
    """A stream without a descriptor, or with another one, is no journal."""
    assert not to_journal(io.StringIO(), {"JOURNAL_STREAM": "8:1"})


def test_library_lines_are_aggregated() -> None:
    """The first of a kind passes, then one a minute that counts the others."""
    clock = ManualClock(now=10 * REPEAT)
    handler = LibraryLines(clock)
    logger = logging.Logger("asyncua.client")  # noqa: LOG001 - away from the root
    logger.addHandler(handler)
    with capture_logs() as lines:
        for number in range(100):
            logger.error("disconnected from %s", number)
        clock.time += REPEAT
        logger.error("disconnected from %s", "press1")

    assert [line["event"] for line in lines] == [
        "disconnected from 0",
        "disconnected from press1",
    ]
    assert [line.get("repeated") for line in lines] == [None, 99]
    assert lines[0]["library"] == "asyncua.client"


def test_library_tracebacks_become_one_line() -> None:
    """The error is kept, its traceback is not."""
    logger = logging.Logger("paho")  # noqa: LOG001 - away from the root
    logger.addHandler(LibraryLines(ManualClock(now=REPEAT)))
    with capture_logs() as lines:
        try:
            int("slow")
        except ValueError:
            logger.exception("oops %d", "not a number")

    assert lines[0]["error"].startswith("ValueError(")
    assert "exception" not in lines[0]
    assert "not a number" in lines[0]["event"]


def test_library_kinds_are_bounded() -> None:
    """A library that formats its texts itself cannot fill the memory."""
    handler = LibraryLines(ManualClock(now=REPEAT))
    logger = logging.Logger("amqtt")  # noqa: LOG001 - away from the root
    logger.addHandler(handler)
    with capture_logs():
        for number in range(3 * KINDS):
            logger.warning("client-%d gone" % number)  # noqa: G002, UP031 - the point

    assert len(handler._kinds) == KINDS


def test_configure_takes_the_libraries_in() -> None:
    """Their warnings come out in our form; their information does not."""
    out = io.StringIO()
    configure(stream=out, json=True)
    configure(stream=out, json=True)
    logging.getLogger("amqtt").info("chatter")
    logging.getLogger("amqtt").warning("trouble")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old interface", UserWarning, stacklevel=1)
    written = [json.loads(line) for line in out.getvalue().splitlines()]

    assert [line["library"] for line in written] == ["amqtt", "py.warnings"]


def test_what_our_own_lines_tell_is_for_fault_finding() -> None:
    """Errors of asyncua are debug lines: a lost link is told once, by us."""
    handler = LibraryLines(ManualClock(now=REPEAT))
    logger = logging.Logger("asyncua.client.ua_client")  # noqa: LOG001 - apart
    logger.addHandler(handler)
    with capture_logs() as lines:
        logger.error("connection lost")

    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("debug", "connection lost")
    ]
