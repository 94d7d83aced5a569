"""Who is told of records, and of which."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge_agent.records import RecordClass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.store.outbox import Entry, Stored

    Listener = Callable[[list[Stored]], None]


class _Listening(NamedTuple):
    bit: int
    callback: Listener
    live: bool


class Audience:
    """Outputs that listen; each is told of what it is owed."""

    def __init__(self) -> None:
        self._each: dict[str, _Listening] = {}

    def join(self, sink: str, bit: int, callback: Listener, *, live: bool) -> None:
        """Tell an output from now on."""
        self._each[sink] = _Listening(bit, callback, live)

    def is_live(self, sink: str) -> bool:
        """Whether an output gets scores before their commit."""
        listening = self._each.get(sink)
        return listening.live if listening else False

    def submitted(self, scores: list[Stored]) -> None:
        """Tell those of scores who get them at once."""
        for listening in tuple(self._each.values()):
            if listening.live:
                listening.callback(scores)

    def committed(self, entries: Sequence[Entry]) -> None:
        """Tell the rest."""
        for bit, callback, live in tuple(self._each.values()):
            wanted = [
                entry.stored
                for entry in entries
                if entry.owed & bit and not (live and entry.kind is RecordClass.SCORE)
            ]
            if wanted:
                callback(wanted)
