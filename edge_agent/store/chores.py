"""What the writer does while nothing is due: bring over, and look through.

A damaged file of a gigabyte takes minutes to be carried over, a sound one some to be
read. Both go on in pieces between commits, so that nobody waits for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge_agent.store import salvage as salvages
from edge_agent.store.answers import DAMAGED_ROW

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from edge_agent.clock import Clock
    from edge_agent.store.answers import Unread
    from edge_agent.store.database import Database
    from edge_agent.store.outbox import Loss, LossKey
    from edge_agent.store.salvage import Salvage

log = structlog.get_logger()

#: Seconds between two pieces at most: a slow processor has other work, too.
PAUSE = 0.02
#: Pieces done before anything else: a usual store is finished by then.
AT_ONCE = 10


class Chores:
    """Pieces of work on one store.

    Args:
        outputs: names of the configured outputs.
        clock: agent time.
        unread: told what was lost, after it was put into the ledger.
    """

    def __init__(self, outputs: Sequence[str], clock: Clock, unread: Unread) -> None:
        self._outputs = outputs
        self._clock = clock
        self._unread = unread
        self._steps: Generator[dict[LossKey, Loss], None, None] | None = None
        self.told = ""
        """What is being done, for the status."""

    def begin(self, database: Database, salvage: Salvage | None) -> None:
        """Take on what a store that was just opened needs."""
        self.end()
        self._steps = self._all(database, salvage)

    @property
    def pause(self) -> float | None:
        """Seconds until the next piece; None: there is none."""
        return None if self._steps is None else PAUSE

    def end(self) -> None:
        """Let go of the files; what is left is done after the next start."""
        if self._steps is not None:
            self._steps.close()

    def step(self) -> None:
        """Do one piece.

        Raises:
            sqlite3.Error: the disk fails, or the store is damaged.
            OSError: the disk fails.
        """
        if self._steps is None:
            return
        lost = next(self._steps, None)
        if lost is None:
            self._steps, self.told = None, ""
        elif lost:
            self._unread(lost)

    def _all(
        self, database: Database, salvage: Salvage | None
    ) -> Generator[dict[LossKey, Loss], None, None]:
        while salvage is not None:
            yield from self._salvaged(database, salvage)
            salvage = salvages.unfinished(database.path)
        if not database.whole:
            yield from self._looked_through(database)

    def _salvaged(
        self, database: Database, salvage: Salvage
    ) -> Iterator[dict[LossKey, Loss]]:
        records = 0
        self.told = f"carrying over {salvage.aside.name}"
        steps = salvages.carry_over(database, salvage, self._outputs, self._clock.now())
        for done in steps:
            records += done.records
            self.told = f"carrying over {salvage.aside.name}: {records} records so far"
            yield done.losses
        log.warning("store salvaged", records=records, put_aside=str(salvage.aside))

    def _looked_through(self, database: Database) -> Iterator[dict[LossKey, Loss]]:
        self.told = "checking all records of a large store"
        bad, after = database.look_at(-1)
        while after is not None:
            yield database.discard(bad, DAMAGED_ROW) if bad else {}
            bad, after = database.look_at(after)
        database.whole = True
        log.info("store checked", path=str(database.path))
