"""How much of a link old records may use beside live ones. Pure: time is an argument.

What holds live messages up is how many old ones are under way before them, so that is
what is steered: at most a share of the link's window. By Little's law a share of the
window is that share of the messages a second the link can acknowledge.

Within the share it feels its way, as TCP does: more while live messages are
acknowledged as fast as without any backlog, fewer when they are not, by as much as they
are too slow and at most by half, and where a single one is too many, a rest between
them that grows. What "without" means is measured on the same link: now and then the
backlog waits until a few live records have gone alone. Where nothing is live, old
records have the link.
"""

from __future__ import annotations

from collections import deque

from edge_agent.samples import NANOSECONDS
from edge_agent.sinks.bucket import Bucket

#: Nanoseconds after the last live record during which old ones leave it room.
LIVE_FOR = 5 * NANOSECONDS
#: Live records whose time to the acknowledgement is remembered, each with and without.
_REMEMBERED = 32
#: New ones needed for a judgement, and how many go alone for comparison.
_ENOUGH, _ALONE = 5, 4
#: Slower than this many times the time without a backlog is too slow, ...
_SLOWER = 1.5
#: ... but not by less than this: seconds nobody sees.
_UNSEEN = 0.001
#: Part of the old messages under way that is left at least after that.
_LEAST_PART = 0.5
#: Nanoseconds until live records go alone again, at least, and at most while they do.
_ALONE_EVERY, _ALONE_FOR = 5 * NANOSECONDS, 3 * NANOSECONDS // 2
#: Times as long as the last comparison took until the next.
_RARELY = 15
#: Nanoseconds of the first and the longest rest.
_REST, _LONGEST_REST = NANOSECONDS // 20, NANOSECONDS
#: Part of the window left free for live records where none were seen for a while.
_SPARE = 10
#: Seconds until room is looked for again where nobody says when.
_LOOK = 0.1


class Pace:
    """How many old messages may be under way.

    Args:
        share: of the link's window, 0 to 1, while live records flow.
        rate: old messages a second at most while live ones flow; None for any number.
    """

    def __init__(self, share: float, rate: float | None = None) -> None:
        self._share = share
        self._bucket = None if rate is None else Bucket(rate)
        self._window = 1
        self._live_at: int | None = None
        self._under_way = 1.0
        self._doubling = True
        self._with: deque[float] = deque(maxlen=_REMEMBERED)
        self._without: deque[float] = deque(maxlen=_REMEMBERED)
        self._unjudged = 0
        self._rest = 0
        self._rests_until = 0
        self._alone_since: int | None = None
        self._alone_at = 0
        self._alone_seen = 0

    def begin(self, window: int) -> None:
        """A new link, which takes so many messages unacknowledged."""
        self._window = max(window, 1)
        self._under_way, self._doubling = 1.0, True
        self._with.clear()
        self._without.clear()
        self._unjudged = self._rest = self._rests_until = 0
        self._alone_since, self._alone_at = None, 0

    def live(self, now: int) -> None:
        """A live record is on its way, at a time in ns."""
        self._live_at = now

    def acknowledged(self, seconds: float, now: int, *, alone: bool) -> None:
        """A live record is with the peer.

        Args:
            seconds: since it was handed over.
            now: ns.
            alone: nothing old was under way before it.
        """
        if alone:
            self._without.append(seconds)
            self._alone_seen += 1
            return
        self._with.append(seconds)
        self._unjudged += 1
        if self._unjudged >= _ENOUGH and self._without:
            self._unjudged = 0
            self._judge(now)

    def allowed(self, now: int) -> int:
        """Old messages that may be under way at a time in ns."""
        if not self._flows(now):
            return max(self._window - max(self._window // _SPARE, 1), 1)
        if self._compares(now) or now < self._rests_until:
            return 0
        return max(int(self._under_way), 1)

    def room(self, under_way: int, now: int) -> int:
        """Old messages that may be sent at a time in ns, with some under way."""
        room = self.allowed(now) - under_way
        if self._bucket is not None and self._flows(now):
            room = min(room, self._bucket.room(now))
        return max(room, 0)

    def sent(self, messages: int) -> None:
        """So many old messages were sent."""
        if self._bucket is not None:
            self._bucket.spend(messages)

    def wait(self, now: int) -> float:
        """Seconds after which there may be room that nothing else tells of."""
        if now < self._rests_until:
            return (self._rests_until - now) / NANOSECONDS
        if self._alone_since is not None:
            return max((self._alone_since + _ALONE_FOR - now) / NANOSECONDS, 0.01)
        return _LOOK if self._bucket is None else self._bucket.wait()

    def told(self) -> dict[str, float | None]:
        """Median milliseconds of a live record with and without a backlog."""
        return {
            "live_ack_ms": _median(self._with) if self._with else None,
            "live_ack_alone_ms": _median(self._without) if self._without else None,
        }

    def _flows(self, now: int) -> bool:
        return self._live_at is not None and now - self._live_at < LIVE_FOR

    def _compares(self, now: int) -> bool:
        """Whether live records go alone now."""
        if self._alone_since is None:
            if now < self._alone_at:
                return False
            self._alone_since, self._alone_seen = now, 0
        took = now - self._alone_since
        if self._alone_seen < _ALONE and took < _ALONE_FOR:
            return True
        self._alone_at, self._alone_since = (
            now + max(_ALONE_EVERY, _RARELY * took),
            None,
        )
        return False

    def _judge(self, now: int) -> None:
        most = max(self._share * self._window, 1.0)
        usual, seen = _high(self._without), _high(list(self._with)[-2 * _ENOUGH :])
        bearable = max(_SLOWER * usual, usual + _UNSEEN)
        if seen > bearable:
            if self._under_way <= 1.0:
                self._rest = min(max(2 * self._rest, _REST), _LONGEST_REST)
            # a busy machine is late now and then: halving for that would never recover
            part = max(bearable / seen, _LEAST_PART)
            self._under_way = max(self._under_way * part, 1.0)
            self._doubling = False
        elif self._rest:
            self._rest = self._rest // 2 if self._rest > _REST else 0
        else:
            more = self._under_way if self._doubling else max(most / 16, 1.0)
            self._under_way = min(self._under_way + more, most)
        self._rests_until = now + self._rest


def _high(seconds: deque[float] | list[float]) -> float:
    """What most stay below; not the slowest, which the machine itself may make."""
    ordered = sorted(seconds)
    return ordered[max(len(ordered) * 9 // 10 - 1, 0)]


def _median(seconds: deque[float]) -> float:
    return sorted(seconds)[len(seconds) // 2] * 1000
