"""What was lost, on its way to the ledger: any thread may tell.

Whoever drops something, or learns that it will never come, says so here; the store adds
it to the ledger on disk. Subjects come from outside (topics), so they are bounded: one
that is new when its minute has seen `SUBJECTS` others is counted among `OTHERS`.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    #: What, subject, cause; count, first, last.
    Take = Callable[[tuple[str, str, str], int, int, int], None]

#: Subjects of one kind of loss that are told apart, a minute.
SUBJECTS = 200
OTHERS = "others"
_MINUTE = 60_000_000_000
_KEPT = 2 * SUBJECTS


class Losses:
    """Passes losses on to the ledger; those from before there is one are kept."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: list[tuple[tuple[str, str, str], int, int, int]] = []
        self._to: Take | None = None
        self._minute = -1
        self._seen: dict[str, set[str]] = {}

    def add(
        self,
        what: str,
        subject: str,
        cause: str,
        count: int = 1,
        *,
        first: int,
        last: int,
    ) -> None:
        """Something was lost.

        Args:
            what: in the plural: samples, messages, rows, labels ...
            subject: tag, topic, source, pipeline or output.
            cause: one sentence, one of few.
            count: how many; 0 where nobody can know.
            first: agent time of the first of it, ns.
            last: of the last.
        """
        with self._lock:
            subject = self._bounded(what, subject, last)
            given = ((what, subject, cause), int(count), int(first), int(last))
            if self._to is not None:
                self._to(*given)
            elif len(self._kept) < _KEPT:
                self._kept.append(given)

    def pass_on(self, to: Take) -> None:
        """From now on losses go there, those kept so far first."""
        with self._lock:
            for given in self._kept:
                to(*given)
            self._kept, self._to = [], to

    def _bounded(self, what: str, subject: str, at: int) -> str:
        minute = int(at) // _MINUTE
        if minute > self._minute:
            self._minute = minute
            self._seen.clear()
        seen = self._seen.setdefault(what, set())
        if subject not in seen and len(seen) >= SUBJECTS:
            return OTHERS
        seen.add(subject)
        return subject
