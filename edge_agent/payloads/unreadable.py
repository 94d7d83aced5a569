"""A message that cannot be used."""

from __future__ import annotations

from edge_agent.errors import PayloadInvalid


class Unreadable(PayloadInvalid):
    """Nothing of a message could be used.

    Args:
        reason: one word or two, a label of the counter.
        detail: for the operator.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
