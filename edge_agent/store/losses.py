"""Losses that wait to be told: what the ledger holds, and when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import LossRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.store.outbox import Loss, add_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.store.outbox import LossKey

#: Seconds between two reports of the same loss: one record a minute, not one a flush.
REPORT_LOSSES = 60.0


class Losses:
    """The ledger as the writer knows it; the file has the same."""

    def __init__(self) -> None:
        self.known: dict[LossKey, Loss] = {}
        self._reported_at: int | None = None

    def add(self, key: LossKey, loss: Loss) -> None:
        """Something was dropped in a transaction that held."""
        add_loss(self.known, key, loss)

    def due(self, now: int, *, last: bool) -> dict[LossKey, Loss]:
        """What the next transaction should report: nothing too soon."""
        before = self._reported_at
        if last or before is None or now - before >= int(REPORT_LOSSES * NANOSECONDS):
            return dict(self.known)
        return {}

    def records(self, due: Mapping[LossKey, Loss], now: int) -> list[LossRecord]:
        """The reports."""
        return [
            LossRecord(now, what, subject, loss.count, loss.first, loss.last, cause)
            for (what, subject, cause), loss in due.items()
        ]

    def reported(self, now: int) -> None:
        """The transaction with the reports held."""
        self.known.clear()
        self._reported_at = now
