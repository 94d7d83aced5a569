"""What is kept, wherever it is: asked of the running agent, else read from its file.

For commands and reports on the gateway itself, and on a copy of a state folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge_agent.errors import StoreInUse
from edge_agent.status import state_folder
from edge_agent.store import history, offline
from edge_agent.store.history import Of, Page, Query
from edge_agent.store.work import soon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.store.drifts import Drift
    from edge_agent.store.findings import Finding
    from edge_agent.store.journal import Journal
    from edge_agent.store.lost import Lost
    from edge_agent.store.snapshots import Snapshot
    from edge_agent.store.traces import Trace

#: What is asked at ``ask.sock``.
QUESTION = "history"
#: Rows read at most, however many are kept.
MOST = 20_000
_TRIES = 3


def answer(state_dir: Path, journal: Journal, what: str) -> dict[str, Any]:
    """A page of the running agent; waits for its store, but not for long.

    Args:
        state_dir: the agent's state.
        journal: its store.
        what: a `Query` as JSON.

    Raises:
        QuestionWrong: it is none.
        StoreBusy: the store does not answer now.
    """
    page = soon(journal.recall(history.query_of(what)))
    return {"state_dir": str(state_dir), "page": msgspec.to_builtins(page)}


class Kept(NamedTuple):
    """Rows of one kind, newest first.

    Attributes:
        rows: as many as there are, or as many as are read at most.
        cut: there are older ones.
        damaged: rows met that could not be read.
        oldest: when the oldest row was made that was looked at, asked for or not;
            what is older is forgotten, or never was.
    """

    rows: list[Any]
    cut: bool = False
    damaged: int = 0
    oldest: int = history.NEWEST


@dataclass(frozen=True, slots=True)
class History:
    """Reads what is kept of one agent.

    Attributes:
        state_dir: its state folder, or a copy of it.
        runtime_dir: where it can be asked while it runs; None asks nobody.
        most: rows read at most.

    Each method raises OSError where there is no store or it cannot be read, StoreInUse
    where an agent has it and does not answer, StoreDamaged where it is none.
    """

    state_dir: Path
    runtime_dir: Path | None = None
    most: int = field(default=MOST)

    def findings(self, **query: Any) -> list[Finding]:  # noqa: ANN401 - see `Query`
        """Transitions of findings, newest first."""
        return self.read(Query(Of.FINDINGS, **query)).rows

    def drift(self, **query: Any) -> list[Drift]:  # noqa: ANN401 - see `Query`
        """What columns looked like, newest first; `store.drifts.merged` adds up."""
        return self.read(Query(Of.DRIFT, **query)).rows

    def alarms(self, **query: Any) -> list[Trace]:  # noqa: ANN401 - see `Query`
        """Transitions of alarms, newest first."""
        return self.read(Query(Of.ALARMS, **query)).rows

    def losses(self, **query: Any) -> list[Lost]:  # noqa: ANN401 - see `Query`
        """What was lost, newest first."""
        return self.read(Query(Of.LOSSES, **query)).rows

    def snapshots(self, name: str, **query: Any) -> list[Snapshot]:  # noqa: ANN401
        """How things stood, newest first."""
        return self.read(Query(Of.SNAPSHOTS, name=name, **query)).rows

    def read(self, query: Query) -> Kept:
        """Rows of a query, page by page."""
        for _ in range(_TRIES):
            pages = self._asked(query)
            found = _gathered(query, pages, self.most) if pages else self._read(query)
            if found is not None:
                return found
        raise StoreInUse("the agent adds up its drift rows just now; ask again")

    def _asked(self, query: Query) -> Iterator[Page] | None:
        """Pages of the agent that runs on this state folder; None where none does."""
        if self.runtime_dir is None:
            return None
        first = self._ask(query)
        return None if first is None else self._on(query, first)

    def _on(self, query: Query, page: Page) -> Iterator[Page]:
        """A page and those behind it."""
        yield page
        while page.before >= 0:
            query = msgspec.structs.replace(query, before=page.before)
            more = self._ask(query)
            if more is None:
                raise StoreInUse("the agent stopped while it was asked; ask again")
            page = more
            yield page

    def _ask(self, query: Query) -> Page | None:
        assert self.runtime_dir is not None  # noqa: S101 - the caller asked
        what = msgspec.json.encode(query).decode()
        said = state_folder.asked(self.state_dir, self.runtime_dir, QUESTION, what)
        return None if said is None else msgspec.convert(said["page"], Page)

    def _read(self, query: Query) -> Kept | None:
        with state_folder.store_of(self.state_dir, self.runtime_dir) as store:
            return _gathered(query, offline.pages(store, query), self.most)


def _gathered(query: Query, pages: Iterator[Page], most: int) -> Kept | None:
    """Rows of pages; None when the rows were changed between two of them."""
    rows: list[Any] = []
    damaged, changes, oldest = 0, -1, history.NEWEST
    for page in pages:
        if changes not in (-1, page.changes):
            return None
        changes, damaged = page.changes, damaged + page.damaged
        oldest = min(oldest, page.oldest)
        rows += page.of(query.of)
        if len(rows) > most:
            return Kept(rows[:most], cut=True, damaged=damaged, oldest=oldest)
    return Kept(rows, damaged=damaged, oldest=oldest)
