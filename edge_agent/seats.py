"""Between the turn and whoever decides what scores: seatings in, failures out.

Any thread may leave a seating; the turn takes it between two turns.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.clock import Clock
    from edge_agent.lines import Line
    from edge_agent.posts import Post, Seating

_MOST_OFF = 1000


class TakenOff(NamedTuple):
    """A version that failed and was taken off in the turn, or must go, and why."""

    pipeline: str
    key: str
    reason: str
    limits: bool = False
    """Limits shall judge instead, not the version before."""


class Seats:
    """The posts of all lines.

    Args:
        lines: with their posts.
        awake: lets the turn begin soon.
    """

    def __init__(self, lines: Sequence[Line], awake: Callable[[], None]) -> None:
        self.off: deque[TakenOff] = deque(maxlen=_MOST_OFF)
        """Versions taken off since somebody looked; any thread may take from it."""
        self._lines = lines
        self._awake = awake
        self._wanted: dict[str, Seating] = {}
        self._lock = threading.Lock()
        self._place = {
            post.pipeline.info.pipeline: (line, place)
            for line in lines
            for place, post in enumerate(line.posts)
        }

    def seat(self, pipeline: str, seating: Seating) -> None:
        """Let something else score a pipeline from the next turn on."""
        with self._lock:
            self._wanted[pipeline] = seating
        self._awake()

    def breach(
        self, pipeline: str, reason: str, digest: str = "", *, limits: bool = False
    ) -> bool:
        """A judgement from outside the turn: what scores there must go; any thread.

        Args:
            pipeline: where.
            reason: why, as the end of a sentence that begins with the version.
            digest: of the version that was judged; another one stays.
            limits: limits shall judge instead, not the version before.

        Returns:
            Whether it scores there, and so will go.
        """
        post = self.post(pipeline)
        key = post.key
        if not key or digest not in ("", post.pipeline.info.model_digest):
            return False
        self.off.append(TakenOff(pipeline, key, reason, limits))
        return True

    def waiting(self, pipeline: str) -> bool:
        """Whether a seating has not been taken yet."""
        return pipeline in self._wanted

    def post(self, pipeline: str) -> Post:
        """A pipeline's post, to look at.

        Raises:
            KeyError: no such pipeline.
        """
        line, place = self._place[pipeline]
        return line.posts[place]

    def contexts(self, pipeline: str) -> Sequence[str]:
        """Names of the contexts of a pipeline's rows; only ever appended to."""
        found = self.post(pipeline).contexts
        return found.names if found is not None else ()

    def watch(self, clock: Clock) -> None:
        """Let versions that nobody acts on score; the turn's, behind its records."""
        for post in (post for line in self._lines for post in line.posts):
            key = post.beside.key if post.beside is not None else ""
            if off := post.watch(clock):
                self.off.append(TakenOff(post.pipeline.info.pipeline, key, off))

    def fill(self) -> None:
        """Take what was left here; only the turn may call it."""
        if not self._wanted:
            return
        with self._lock:
            wanted, self._wanted = self._wanted, {}
        for name, seating in wanted.items():
            line, place = self._place[name]
            line.seat(place, seating)
