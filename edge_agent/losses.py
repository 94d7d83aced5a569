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

    #: What, subject, cause.
    Key = tuple[str, str, str]
    Take = Callable[[Key, int, int, int], None]

#: Subjects of one kind of loss that are told apart, a minute.
SUBJECTS = 200
OTHERS = "others"
_MINUTE = 60_000_000_000
_KEPT = 2 * SUBJECTS


class Losses:
    """Passes losses on to the ledger; those from before there is one are kept."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: list[tuple[Key, int, int | None, int | None]] = []
        self._to: Take | None = None
        self._now: Callable[[], int] = int
        self._minute = -1
        self._seen: dict[str, set[str]] = {}

    def add(
        self,
        what: str,
        subject: str,
        cause: str,
        count: int = 1,
        *,
        first: int | None = None,
        last: int | None = None,
    ) -> None:
        """Something was lost.

        Args:
            what: in the plural: samples, messages, rows, labels ...
            subject: tag, topic, source, pipeline or output.
            cause: one sentence, one of few.
            count: how many; 0 where nobody can know.
            first: agent time of the first of it, ns; None for now.
            last: of the last; None for now.
        """
        with self._lock:
            if self._to is not None:
                self._tell((what, subject, cause), count, first, last)
            elif len(self._kept) < _KEPT:
                self._kept.append(((what, subject, cause), count, first, last))

    def pass_on(self, to: Take, now: Callable[[], int]) -> None:
        """From now on losses go there, those kept so far first.

        Args:
            to: takes what, subject and cause, count, first and last.
            now: agent time.
        """
        with self._lock:
            self._to, self._now = to, now
            for given in self._kept:
                self._tell(*given)
            self._kept = []

    def _tell(self, key: Key, count: int, first: int | None, last: int | None) -> None:
        assert self._to is not None  # noqa: S101 - the caller has looked
        now = self._now()
        what, subject, cause = key
        first, last = (now if at is None else int(at) for at in (first, last))
        key = (what, self._bounded(what, subject, now), cause)
        self._to(key, int(count), first, last)

    def _bounded(self, what: str, subject: str, now: int) -> str:
        minute = now // _MINUTE
        if minute != self._minute:
            self._minute = minute
            self._seen.clear()
        seen = self._seen.setdefault(what, set())
        if subject not in seen and len(seen) >= SUBJECTS:
            return OTHERS
        seen.add(subject)
        return subject
