"""systemd hears the truth: ready, stopping, alive only while work is done."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from edge_agent.health import Notifier, Watchdog, watchdog_interval

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Systemd:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Messages since the last call."""
        messages: list[str] = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    """A listening socket, in the file system and in the abstract namespace."""
    abstract = f"@edge-agent-{secrets.token_hex(8)}"
    address = str(tmp_path / "notify") if request.param == "path" else abstract
    listener = Systemd(address)
    yield listener
    listener.socket.close()


def test_states_arrive(systemd: Systemd) -> None:
    """Each call is one datagram in systemd's words."""
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": systemd.address})
    notifier.ready()
    notifier.status("24 pumps\nscored")
    notifier.status("24 pumps scored")
    notifier.alive()
    notifier.extend(2.5)
    notifier.stopping()

    assert systemd.heard() == [
        "READY=1",
        "STATUS=24 pumps scored",
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=2500000",
        "STOPPING=1",
    ]


def test_outside_systemd_nothing_happens() -> None:
    """Without NOTIFY_SOCKET every call is silent and free."""
    with capture_logs() as lines:
        Notifier.from_environment({}).ready()

    assert lines == []


def test_a_lost_socket_is_told_once(tmp_path: Path) -> None:
    """A systemd gone and back gives two lines, whatever the number of messages."""
    address = str(tmp_path / "notify")
    notifier = Notifier(address)
    with capture_logs() as lines:
        for _ in range(5):
            notifier.alive()
        listener = Systemd(address)
        for _ in range(5):
            notifier.alive()
        listener.socket.close()

    assert [line["log_level"] for line in lines] == ["warning", "info"]


def test_a_full_queue_does_not_block(systemd: Systemd) -> None:
    """A systemd that does not read costs nothing but its messages."""
    notifier = Notifier(systemd.address)
    with capture_logs() as lines:
        for _ in range(5000):
            notifier.alive()

    assert len(lines) == 1


def test_the_watchdog_is_fed_by_progress(systemd: Systemd) -> None:
    """Every part must have moved since the last look."""
    counts = {"turns": 0, "journal": 0}
    parts = {name: lambda name=name: counts[name] for name in counts}
    watchdog = Watchdog(Notifier(systemd.address), parts, interval=30.0)
    counts.update(turns=1, journal=1)

    assert watchdog.look()
    assert systemd.heard() == ["WATCHDOG=1", "STATUS=running"]

    counts.update(turns=2)

    assert not watchdog.look()
    assert systemd.heard() == ["STATUS=STALLED: no progress in journal"]

    counts.update(turns=3, journal=2)

    assert watchdog.look()
    assert systemd.heard() == ["WATCHDOG=1", "STATUS=running"]


def test_a_standstill_is_logged_once(systemd: Systemd) -> None:
    """A stall and its end are a line each; other parts joining are a new line."""
    counts = {"turns": 0, "journal": 0}
    parts = {name: lambda name=name: counts[name] for name in counts}
    watchdog = Watchdog(Notifier(systemd.address), parts, interval=30.0)
    with capture_logs() as lines:
        for step in [(0, 1), (0, 2), (0, 2), (1, 3)]:
            counts.update(turns=step[0], journal=step[1])
            watchdog.look()

    assert [(line["log_level"], line["parts"]) for line in lines] == [
        ("error", "turns"),
        ("error", "journal, turns"),
        ("warning", "journal, turns"),
    ]


async def test_a_blocked_turn_silences_a_running_loop(systemd: Systemd) -> None:
    """The loop goes on looking, but only finished turns are signs of life."""
    turns = 0
    notifier = Notifier(systemd.address)
    watchdog = Watchdog(notifier, {"turns": lambda: turns}, interval=0.03)
    task = asyncio.get_running_loop().create_task(watchdog.run())
    heard: list[str] = []
    while heard.count("WATCHDOG=1") < 3:
        turns += 1
        await asyncio.sleep(0.01)
        heard += systemd.heard()
    while "STATUS=STALLED: no progress in turns" not in heard:
        await asyncio.sleep(0.01)
        heard += systemd.heard()
    await asyncio.sleep(0.1)
    task.cancel()

    assert systemd.heard() == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
    ],
)
def test_the_interval_is_systemds(
    environ: dict[str, str], expected: float | None
) -> None:
    """Meant for another process, empty or not a number means no watchdog."""
    assert expected == watchdog_interval(environ)
