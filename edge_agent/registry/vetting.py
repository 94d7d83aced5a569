"""Vetting a model on the gateway, in a process of its own, before it sees a live row.

The agent's side: starts the room (`vetroom`), asks and waits. A model that asks for
40 GB, never ends or crashes the runtime costs a line in the audit, nothing else.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING, Self

import msgspec

from edge_agent.clock import SystemClock
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.confinement import NO_LIMITS
from edge_agent.registry.verdict import Request, Verdict, VetLimits

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.clock import Clock

__all__ = ["Verdict", "VetLimits", "VettingRoom", "vet"]

_MAX_LINE = 1 << 18
_MARGIN_S, _LEAVE_S, _END_S = 30.0, 5.0, 0.5
#: What systemd gives to the agent alone.
_PRIVATE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY")


class VettingRoom:
    """A warm process that looks at one model after the other; a context manager.

    Use it from one thread. It costs some 45 MB while it is open; entering returns at
    once, the first `vet` waits until it is ready (under a second).

    Args:
        clock: for the time limit.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._room: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the room's process; None while there is none."""
        return self._room.pid if self._room is not None else None

    def vet(self, folder: Path, limits: VetLimits | None = None) -> Verdict:
        """Look at a bundle; a room that has gone is opened anew.

        Args:
            folder: the bundle; nothing in it may change meanwhile.
            limits: what the model may use.

        Raises:
            RegistryUnavailable: the room could not be opened or went away: that says
                nothing about the model, try again later.
        """
        limits = limits or VetLimits()
        room = self._open()
        line = msgspec.json.encode(Request(str(folder.absolute()), limits)) + b"\n"
        try:
            return self._ask(room, line, limits.wall_s + _MARGIN_S)
        except (OSError, msgspec.DecodeError) as error:
            self._end()
            raise RegistryUnavailable(_gone(folder, room.returncode, error)) from error

    def close(self) -> None:
        """Let the room go; it ends by itself when its pipe closes."""
        room = self._room
        if room is None or room.stdin is None:
            return
        room.stdin.close()
        try:
            room.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            room.kill()
        self._end()

    def abandon(self) -> None:
        """End the room at once, whatever it is doing; any thread."""
        room = self._room
        if room is not None and room.poll() is None:
            room.kill()

    def _open(self) -> subprocess.Popen[bytes]:
        if self._room is not None and self._room.poll() is None:
            return self._room
        self._end()
        environment = {k: v for k, v in os.environ.items() if k not in _PRIVATE}
        # a fork copies one thread only, so the room must have no other
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            self._room = subprocess.Popen(
                [sys.executable, "-m", "edge_agent.registry.vetroom"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise RegistryUnavailable(
                f"cannot start the process that vets models: {error}"
            ) from error
        return self._room

    def _ask(
        self, room: subprocess.Popen[bytes], line: bytes, seconds: float
    ) -> Verdict:
        if room.stdin is None or room.stdout is None:
            raise OSError("it has no pipes")
        os.write(room.stdin.fileno(), line)
        until = self._clock.now() + int(seconds * 1e9)
        answer = bytearray()
        source = room.stdout.fileno()
        poller = select.poll()
        poller.register(source, select.POLLIN)
        while not answer.endswith(b"\n"):
            left = until - self._clock.now()
            if left <= 0 or len(answer) > _MAX_LINE:
                raise OSError("it gave no answer")
            if poller.poll(left // 1_000_000 + 1):
                part = os.read(source, _MAX_LINE)
                if not part:
                    raise OSError("it closed its pipe")
                answer += part
        return msgspec.json.decode(answer, type=Verdict)

    def _end(self) -> None:
        """End the room for good; what it had forked goes with it."""
        room, self._room = self._room, None
        if room is None:
            return
        try:
            room.wait(_END_S)  # how it ended by itself tells more
        except subprocess.TimeoutExpired:
            room.kill()
        room.wait()
        for pipe in (room.stdin, room.stdout):
            if pipe is not None:
                pipe.close()


def _gone(folder: Path, status: int, error: Exception) -> str:
    if status == NO_LIMITS:
        return (
            f"no limits can be set for the process that runs {folder}, so it was not "
            "run: does the unit's SystemCallFilter leave prlimit64?"
        )
    return (
        f"the process that vets models ended over {folder} (exit {status}, {error}); "
        "it will be opened anew"
    )


def vet(folder: Path, limits: VetLimits | None = None) -> Verdict:
    """Look at one bundle in a room of its own: a second more than in an open one.

    Raises:
        RegistryUnavailable: the room could not be opened or went away.
    """
    with VettingRoom() as room:
        return room.vet(folder, limits)
