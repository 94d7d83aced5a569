"""A broker that is slow, far, deaf or gone: a proxy in front of a real one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import Self

from tests import peers

_PIECE = 4096


@dataclass(frozen=True, slots=True)
class Manner:
    """How the link behaves.

    Attributes:
        delay: seconds every piece takes, each way.
        rate: bytes a second towards the broker; 0 for as many as there are.
        deaf: connections are accepted and nothing passes: half open.
        gone: connections are reset.
    """

    delay: float = 0.0
    rate: float = 0.0
    deaf: bool = False
    gone: bool = False


MANNERS = {
    "quick": Manner(),
    "far": Manner(delay=0.15),
    "slow": Manner(delay=0.05, rate=30_000),
    "narrow": Manner(rate=8_000),
    "deaf": Manner(deaf=True),
    "gone": Manner(gone=True),
}


class SlowLink:
    """Forwards a port of its own to a server's, in some manner.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self.manner = Manner()
        self.host, self.port = peers.HOST, 0
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._work: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in self._work:
            task.cancel()
        if self._work:
            self._loop.run_until_complete(
                asyncio.gather(*self._work, return_exceptions=True)
            )
        self._loop.close()

    def behave(self, manner: Manner) -> None:
        """From now on; connections end when it is gone."""
        self.manner = manner
        if manner.gone:
            self._loop.call_soon_threadsafe(self._reset)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._accepted, self.host, 0)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accepted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        mine = asyncio.current_task()
        assert mine is not None
        self._work.add(mine)
        try:
            if self.manner.gone:
                writer.transport.abort()
                return
            there = await asyncio.open_connection(self.host, self._to)
            self._writers |= {writer, there[1]}
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pass(reader, there[1], narrow=True))
                    both.create_task(self._pass(there[0], writer, narrow=False))
            except* OSError:
                pass
            finally:
                self._writers -= {writer, there[1]}
                writer.transport.abort()
                there[1].transport.abort()
        except OSError:
            writer.transport.abort()
        finally:
            self._work.discard(mine)

    async def _pass(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, narrow: bool
    ) -> None:
        while piece := await source.read(_PIECE):
            while self.manner.deaf:  # noqa: ASYNC110 - changed from another thread
                await asyncio.sleep(0.02)
            manner = self.manner
            pause = manner.delay
            if narrow and manner.rate:
                pause = max(pause, len(piece) / manner.rate)
            if pause:
                await asyncio.sleep(pause)
            to.write(piece)
            await to.drain()
        with contextlib.suppress(OSError):
            to.write_eof()
        raise ConnectionResetError
