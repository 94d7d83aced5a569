"""The southbound seam.

`run` is called by the supervisor, again and again, until the agent stops. A
source holds no retry loop: it raises `SourceLost` when its link fails *or goes
quiet*, and is called again after a back-off. It keeps nothing between calls but
counters and what `status` shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from edge_agent.inbox import Inbox


class Source(Protocol):
    """One configured source of samples."""

    name: str

    async def run(self, inbox: Inbox) -> None:
        """Connect and push samples until cancelled.

        Raises:
            SourceLost: the link failed or went quiet; try again later.
        """
        ...

    def status(self) -> dict[str, Any]:
        """What a technician wants to know: state, since, last error, revised values."""
        ...
