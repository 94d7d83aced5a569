"""paho and its connection, driven by the event loop: no thread.

The loop's reader, writer and one timer call the wire and paho's ``loop_misc``.
paho's surprises at this seam, learnt from aiomqtt 2.5.1's comments and its source:

- With ``on_socket_register_write`` set, paho never writes by itself; without, it
  writes from within whatever called it.
- ``loop_read`` takes one packet; bytes that TLS or our own socket hold do not make
  the selector fire again.
- It closes its socket itself, on every path: the reader must go before, or the
  file descriptor is watched under its next owner.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.mqtt.frames import MalformedFrame
from edge_agent.mqtt.reasons import LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mqtt.dialing import Connection
    from edge_agent.mqtt.pacing import ReadPacing
    from edge_agent.mqtt.pahoclient import ReadyClient
    from edge_agent.mqtt.wire import Wire

TICK = 1.0
"""Seconds between looks at the keep-alive, at most."""


class Bridge:
    """One connection's place on the event loop.

    Args:
        client: paho, prepared.
        where: the broker's name in messages.
        pacing: how reads are joined.
        timeout: seconds the broker has for an answer.
    """

    def __init__(
        self, client: ReadyClient, where: str, pacing: ReadPacing, timeout: float
    ) -> None:
        self.where = where
        self.wire: Wire | None = None
        self.failure: Exception | None = None
        self.over = asyncio.Event()
        self._client = client
        self._pacing = pacing
        self._timeout = timeout
        self._connection: Connection | None = None
        self._fileno = -1
        self._paused: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._awaited: asyncio.Future[None] | None = None

    def attach(self, connection: Connection, wire: Wire, keepalive: float) -> None:
        """Watch a connection; paho has it already, or gets it next."""
        self._connection = connection
        self.wire = wire
        self._fileno = connection.fileno()
        self._client.on_socket_close = self._closing
        asyncio.get_running_loop().add_reader(self._fileno, self._readable)
        self._tick(max(0.1, min(TICK, keepalive / 4)))

    def detach(self) -> None:
        """Watch no more, and close."""
        self._unwatch()
        self.wire = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def end(self, why: Exception) -> None:
        """The link is of no use any more; the first reason is the one that counts."""
        if self.failure is None:
            self.failure = why
        self._unwatch()
        self.over.set()
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(self.failure)

    async def answer(self, what: str) -> None:
        """Wait for `answered`.

        Raises:
            LinkLost: the link ended first, or nothing came in time.
        """
        if self.failure is not None:
            raise self.failure
        self._awaited = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._timeout):
                await self._awaited
        except TimeoutError:
            raise LinkLost(
                f"{self.where} accepts connections but does not answer to {what} within"
                f" {self._timeout:g} s; check that it is an MQTT broker and that tls is"
                " set as on its side"
            ) from None
        finally:
            self._awaited = None

    def answered(self) -> None:
        """The broker answered what is being waited for."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    async def drained(self, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until everything has been sent, for as long as that is reasonable."""
        for _ in range(max(1, int(timeout / 0.01))):
            await asyncio.sleep(0)
            if self.failure is not None or self.wire is None:
                return
            if not self._client.want_write() and not self.wire.unsent():
                return
            await asyncio.sleep(0.01)

    # -- output ---------------------------------------------------------------

    def blocked(self, is_blocked: bool) -> None:
        """Output waits for the kernel, or no longer does."""
        if self._fileno < 0:
            return
        loop = asyncio.get_running_loop()
        if is_blocked:
            loop.add_writer(self._fileno, self._writable)
        else:
            loop.remove_writer(self._fileno)

    def let_paho_write_soon(self, *_: object) -> None:
        """Take paho's packet soon; its socket takes all, so no writer is needed."""
        asyncio.get_running_loop().call_soon(self._paho_writes)

    def _paho_writes(self) -> None:
        self._guarded(self._client.loop_write)

    def _writable(self) -> None:
        if self.wire is not None:
            self._guarded(self.wire.flush)
            self._readable()  # TLS may have waited for this to read on

    # -- input ----------------------------------------------------------------

    def _readable(self) -> None:
        wire, loop = self.wire, asyncio.get_running_loop()
        if wire is None or self._pausing:
            return
        try:
            read = wire.read()
        except MalformedFrame as bad:
            self.end(LinkLost(f"{self.where} sent {bad}; look at what is between"))
            return
        except Exception as bug:  # noqa: BLE001  (it ends the process, one level up)
            self.end(bug)
            return
        if self._fileno < 0:
            return
        pause = self._pacing.pause(loop.time(), read.messages, read.to_ack)
        if pause:
            self._paused = loop.call_later(pause, self._resume, self._fileno)
            loop.remove_reader(self._fileno)
        elif read.again:
            loop.call_soon(self._readable)

    def _resume(self, fileno: int) -> None:
        self._paused = None
        if fileno != self._fileno:
            return
        self._readable()
        if not self._pausing and self._fileno >= 0:
            asyncio.get_running_loop().add_reader(self._fileno, self._readable)

    @property
    def _pausing(self) -> bool:
        return self._paused is not None

    def _tick(self, period: float) -> None:
        self._guarded(self._client.loop_misc)
        if self._fileno >= 0:
            loop = asyncio.get_running_loop()
            self._ticking = loop.call_later(period, self._tick, period)

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as bug:  # noqa: BLE001  (it ends the process, one level up)
            self.end(bug)

    def _closing(self, *_: object) -> None:
        self._unwatch()

    def _unwatch(self) -> None:
        for timer in (self._paused, self._ticking):
            if timer is not None:
                timer.cancel()
        self._paused = self._ticking = None
        fileno, self._fileno = self._fileno, -1
        if fileno >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(fileno)
            loop.remove_writer(fileno)
