"""A sink in memory that can be slow, refuse, and be lost: typed against the seam."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from edge_agent.errors import SinkLost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.sinks.sink import Callbacks, Frame


@dataclass
class MemoryPeer:
    """What a broker would know: everything taken, and what it keeps."""

    taken: list[Frame] = field(default_factory=list)
    retained: dict[bytes, bytes] = field(default_factory=dict)
    answering: bool = True
    """Acknowledge at once; else when `answer` is called."""
    telling: bool = True
    """What is taken is acknowledged; else the acknowledgement is lost on its way."""
    refuse: Callable[[Frame], int] = lambda _: 0
    """Reason code for a message; 0 takes it."""

    def take(self, frame: Frame) -> None:
        """A message arrived."""
        self.taken.append(frame)
        if frame[3]:
            self.retained[frame[0]] = frame[1]

    def read(self, leaf: str) -> list[dict[str, Any]]:
        """Messages of all topics with this last level, in order."""
        end = f"/{leaf}".encode()
        return [json.loads(f[1]) for f in self.taken if f[0].endswith(end)]

    def kept(self, leaf: str) -> dict[str, dict[str, Any]]:
        """Retained messages with this last level, by topic."""
        end = f"/{leaf}".encode()
        return {
            topic.decode(): json.loads(payload)
            for topic, payload in self.retained.items()
            if topic.endswith(end)
        }


class MemoryLink:
    """One connection to the peer."""

    def __init__(
        self, peer: MemoryPeer, window: int, will: Frame, callbacks: Callbacks
    ) -> None:
        self.peer = peer
        self._window = window
        self._will = will
        self._callbacks = callbacks
        self._open: dict[int, Frame] = {}
        self._unacknowledged: dict[int, Frame] = {}
        self._next = 0
        self._over = asyncio.Event()
        self._why = ""

    @property
    def room(self) -> int:
        """Messages that may be sent now."""
        return self._window - len(self._open) - len(self._unacknowledged)

    def send(self, frames: Sequence[Frame], expiry: int | None) -> list[int]:
        """Send messages; tickets."""
        del expiry
        if self._over.is_set():
            raise SinkLost(self._why)
        assert 0 < len(frames) <= self.room
        tickets = range(self._next, self._next + len(frames))
        self._next += len(frames)
        self._open.update(zip(tickets, frames, strict=True))
        if self.peer.answering:
            asyncio.get_running_loop().call_soon(self.answer)
        return list(tickets)

    def answer(self) -> None:
        """Take or refuse everything that is open."""
        if self._over.is_set():
            return
        opened, self._open = self._open, {}
        for ticket, frame in opened.items():
            code = self.peer.refuse(frame)
            if code:
                self._callbacks.refused(ticket, code, f"code {code}")
            else:
                self.peer.take(frame)
                if self.peer.telling:
                    self._callbacks.taken([ticket])
                else:
                    self._unacknowledged[ticket] = frame

    def cut(self, why: str = "cut") -> None:
        """Lose the link: the peer announces the will."""
        self.peer.take(self._will)
        self._why = why
        self._over.set()

    async def until_lost(self) -> NoReturn:
        """Wait for the end."""
        await self._over.wait()
        raise SinkLost(self._why)

    async def close(self) -> None:
        """Part in good order."""
        self._over.set()


class MemorySink:
    """A sink whose links go to one peer."""

    def __init__(self, window: int = 20) -> None:
        self.name = "scada"
        self.peer = MemoryPeer()
        self.window = window
        self.links: list[MemoryLink] = []

    async def connect(self, will: Frame, callbacks: Callbacks) -> MemoryLink:
        """Make a link."""
        link = MemoryLink(self.peer, self.window, will, callbacks)
        self.links.append(link)
        return link
