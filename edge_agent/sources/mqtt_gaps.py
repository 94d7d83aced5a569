"""What a broker's messages tell of others that did not come.

- A session that was not kept: what was sent while the link was down is lost, and nobody
  knows how much.
- Numbers in the payload (``sequence_field``), each topic's for itself: one that jumps
  ahead says how many are missing. A number that goes back, or ahead by more than
  `LARGEST_GAP`, is a new count: its device was started again, or has counted to its
  end and begins anew. What is missing there is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge_agent.payloads.paths import found, parsed
from edge_agent.sources.refusals import told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.config.schema import MqttSource as Settings
    from edge_agent.losses import Losses

#: A jump beyond this is a new count.
LARGEST_GAP = 10_000
#: Topics whose numbers are followed; a bound against a hostile broker.
FOLLOWED = 50_000
NOT_KEPT = (
    "the link was down, and the broker keeps nothing for this source: that takes"
    " version: 5, qos: 1 and a time_field"
)
MISSING = "numbers are missing in the payloads' sequence_field"

_ONE_READ = 1_000_000
"""Ns: messages of one read are closer; those too large are told apart from the rest."""

_decode = msgspec.json.Decoder().decode


def session_lost(kept: int) -> str:
    """Why a session that should have been kept was not."""
    return (
        "the link was down, and the broker did not keep the session: it was started"
        f" anew, or the link was down for more than {kept} s"
    )


@dataclass(slots=True)
class _Counting:
    """How far a topic has counted, and what came since that nobody could read."""

    number: int
    at: int
    unread: int = 0
    unread_at: int = 0


class Gaps:
    """Follows one source.

    Args:
        source: its name.
        settings: as configured.
        losses: told what is missing.
        keeps: seconds the broker is asked to keep the session; 0 for not at all.
    """

    def __init__(
        self, source: str, settings: Settings, losses: Losses, *, keeps: int
    ) -> None:
        self._source, self._losses, self._keeps = source, losses, keeps
        field = settings.sequence_field
        self._path = None if field is None else parsed(field)
        self._left: int | None = None
        self._last: dict[bytes, _Counting] = {}

    @property
    def numbered(self) -> bool:
        """Messages have numbers."""
        return self._path is not None

    def left(self, at: int) -> None:
        """The link is down; the last that was heard was at agent time ``at``."""
        self._left = at

    def joined(self, *, kept: bool) -> None:
        """The link is up.

        Args:
            kept: the broker had kept our session, and what came meanwhile.
        """
        left, self._left = self._left, None
        if left is not None and not (self._keeps and kept):
            cause = session_lost(self._keeps) if self._keeps else NOT_KEPT
            self._losses.add("messages", self._source, cause, 0, first=left)

    def message(self, topic: bytes, payload: bytes, at: int) -> None:
        """A message came, at agent time ``at``, whatever could be made of it."""
        assert self._path is not None  # noqa: S101 - the caller asked
        try:
            number = found(_decode(payload), self._path)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.unread([topic], at)
            return
        if type(number) is int:
            self._numbered(topic, number, at)

    def unread(self, topics: Iterable[bytes], at: int) -> None:
        """Messages came whose numbers nobody saw: they are missing, and counted once.

        Args:
            topics: one for each.
            at: agent time.
        """
        for topic in topics:
            if (one := self._last.get(topic)) is not None:
                one.unread, one.unread_at = one.unread + 1, at

    def _numbered(self, topic: bytes, number: int, at: int) -> None:
        one = self._last.get(topic)
        if one is None:
            if len(self._last) >= FOLLOWED:
                self._last.clear()
            self._last[topic] = _Counting(number, at)
            return
        ahead, before = number - one.number - 1, one.at
        one.number, one.at = number, at
        if 0 < ahead <= LARGEST_GAP:
            missing = ahead - min(one.unread, ahead)
            one.unread -= ahead - missing
            if missing:
                self._losses.add(
                    "messages", told(topic), MISSING, missing, first=before, last=at
                )
        elif at - one.unread_at > _ONE_READ:
            one.unread = 0  # it had no number: nothing is missing
