"""What the agent makes, whether it is ever written or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.records import RecordClass
from edge_agent.store import shares

if TYPE_CHECKING:
    from edge_agent.records import Record
    from edge_agent.store.outbox import Entry


@dataclass(slots=True)
class Flow:
    """Counts by class since the start; changed under the tray's lock, read without.

    Attributes:
        made: bytes in memory of what is owed to somebody.
        newest: a record of each class, to measure what it takes on disk.
    """

    made: list[int] = field(default_factory=lambda: [*shares.NONE])
    newest: list[Record | None] = field(
        default_factory=lambda: [None for _ in RecordClass]
    )

    def count(self, entry: Entry) -> None:
        """A record was made."""
        if entry.owed:
            self.made[entry.kind] += entry.size
            self.newest[entry.kind] = entry.stored.record
