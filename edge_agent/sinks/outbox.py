"""What an output needs of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from edge_agent.store.outbox import Stored
    from edge_agent.store.owing import Owed


class Outbox(Protocol):
    """The part of the journal that outputs see."""

    def listen(
        self, sink: str, callback: Callable[[list[Stored]], None], *, live: bool = True
    ) -> None:
        """Tell of new records, from any thread."""
        ...

    def backlog(
        self, sink: str, after_id: int, limit: int, *, urgent: bool = False
    ) -> Future[list[Stored]]:
        """Records still owed."""
        ...

    def owed(self, sink: str, after_id: int, limit: int) -> Future[Owed]:
        """Debts among some records of the file above an id."""
        ...

    def acknowledge(self, sink: str, ids: Iterable[int]) -> None:
        """The output has them."""
        ...

    def quarantine(
        self, sink: str, stored: Stored, reason: str, rows: Sequence[int] = ()
    ) -> None:
        """The output will never take these rows."""
        ...

    def reserve(self, rows: int) -> int:
        """Id of the first of some ids for messages that are not stored."""
        ...

    def status(self) -> dict[str, Any]:
        """Depth, among others under ``rows``."""
        ...
