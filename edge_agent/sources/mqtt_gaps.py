"""What a broker's messages tell of others that did not come.

- A session that was not kept: what was sent while the link was down is lost, and nobody
  knows how much.
- Numbers in the payload (``sequence_field``), each topic's for itself: one that jumps
  ahead says how many are missing. A number that goes back, or ahead by more than
  `LARGEST_GAP`, is a new count: its device was started again, or has counted to its
  end and begins anew. What is missing there is not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge_agent.payloads.paths import found, parsed
from edge_agent.sources.refusals import told

if TYPE_CHECKING:
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

_decode = msgspec.json.Decoder().decode


def session_lost(kept: int) -> str:
    """Why a session that should have been kept was not."""
    return (
        "the link was down, and the broker did not keep the session: it was started"
        f" anew, or the link was down for more than {kept} s"
    )


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
        self._last: dict[bytes, tuple[int, int]] = {}

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
        """A message came, at agent time ``at``; one without a number is passed over."""
        number = self._number(payload)
        if number is None:
            return
        last, before = self._last.get(topic, (number, at))
        if topic not in self._last and len(self._last) >= FOLLOWED:
            self._last.clear()
        self._last[topic] = number, at
        missing = number - last - 1
        if 0 < missing <= LARGEST_GAP:
            self._losses.add(
                "messages", told(topic), MISSING, missing, first=before, last=at
            )

    def _number(self, payload: bytes) -> int | None:
        assert self._path is not None  # noqa: S101 - the caller asked
        try:
            value = found(_decode(payload), self._path)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None  # counted as what could not be used
        return value if type(value) is int else None
