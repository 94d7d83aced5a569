"""Tell systemd how we are: ready, stopping, and alive while turns finish.

The watchdog is fed by finished work, never by a timer alone: an agent whose event
loop still runs while no turn ends is dead for the plant, and is started again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Self

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = structlog.get_logger()

#: Seconds between two looks where systemd asks for no watchdog: for STATUS alone.
STATUS_PERIOD = 10.0


class Notifier:
    """Sends systemd's notifications; does nothing where systemd did not ask.

    Args:
        address: the datagram socket's path; ``@`` first means the abstract
            namespace; None outside systemd.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._status = ""
        self._heard = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Take the address that systemd put into NOTIFY_SOCKET."""
        address = environ.get("NOTIFY_SOCKET")
        return cls(address or None)

    def ready(self) -> None:
        """Start-up is over: units ordered after this one may start."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The agent has begun to stop; the watchdog no longer counts."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Ask for more time to start or stop, for example to repair the store."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def status(self, line: str) -> None:
        """Show one line in `systemctl status`; a repeated line is not sent again."""
        line = " ".join(line.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, text: str) -> None:
        if self._address is None:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)  # a full queue must not stop the loop
                sender.sendto(text.encode(), address)
        except OSError as error:
            self._note(heard=False, error=str(error))
        else:
            self._note(heard=True)

    def _note(self, *, heard: bool, error: str = "") -> None:
        if heard == self._heard:
            return
        self._heard = heard
        if heard:
            log.info("systemd hears us again")
        else:
            log.warning("systemd does not hear us", socket=self._address, error=error)


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds within which systemd wants a sign of life, None when it wants none."""
    for_process = environ.get("WATCHDOG_PID", "")
    if for_process and for_process != str(os.getpid()):
        return None
    micros = environ.get("WATCHDOG_USEC", "")
    return int(micros) / 1e6 if micros.isdigit() and int(micros) else None


class Watchdog:
    """Feeds systemd's watchdog while every watched part makes progress.

    Args:
        notifier: where the sign of life goes.
        parts: by name, a number that moves as long as the part works: turns
            finished, commits or idle rounds of the journal.
        interval: seconds systemd waits before it ends the agent; None: only the
            status line is kept up.
        status: the line shown in `systemctl status` while all is well.
    """

    def __init__(
        self,
        notifier: Notifier,
        parts: Mapping[str, Callable[[], int]],
        *,
        interval: float | None,
        status: Callable[[], str] = lambda: "running",
    ) -> None:
        self.period = interval / 3 if interval else STATUS_PERIOD
        self._notifier = notifier
        self._parts = dict(parts)
        self._status = status
        self._seen = {name: moved() for name, moved in self._parts.items()}
        self._stalled: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look three times an interval, until cancelled."""
        while True:
            await asyncio.sleep(self.period)
            self.look()

    def look(self) -> bool:
        """Feed the watchdog if all parts moved since the last look; True if so."""
        now = {name: moved() for name, moved in self._parts.items()}
        stalled = frozenset(name for name in now if now[name] == self._seen[name])
        self._seen = now
        self._note(stalled)
        if stalled:
            self._notifier.status(f"STALLED: no progress in {_listed(stalled)}")
            return False
        self._notifier.alive()
        self._notifier.status(self._status())
        return True

    def _note(self, stalled: frozenset[str]) -> None:
        if stalled and stalled != self._stalled:
            log.error(
                "no progress: systemd restarts the agent unless it goes on",
                parts=_listed(stalled),
                within_s=self.period,
            )
        elif self._stalled and not stalled:
            log.warning("progress again", parts=_listed(self._stalled))
        self._stalled = stalled


def _listed(parts: frozenset[str]) -> str:
    return ", ".join(sorted(parts))
