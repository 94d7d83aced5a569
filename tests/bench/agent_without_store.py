"""The agent with a journal that numbers records, hands scores on and forgets both.

``python -m tests.bench.agent_without_store run --config FILE``: what the store costs is
what this saves. Alarms and events wait for a commit that never comes; the bench's
plant raises none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from edge_agent.cli.main import main
from edge_agent.store.tray import Tray
from edge_agent.store.upcoming import Upcoming

if TYPE_CHECKING:
    from edge_agent.records import Record
    from edge_agent.store.outbox import Stored


def _numbered(tray: Tray, record: Record, now: int, offset: int) -> Stored:
    return tray.numbering.entry(record, now, offset).stored


def _forget(*_: object) -> None:
    """Nothing was kept, nothing is owed."""


if __name__ == "__main__":
    Tray._add = _numbered  # type: ignore[assignment, method-assign]
    Upcoming.merge = _forget  # type: ignore[assignment, method-assign]
    Tray.acknowledge = _forget  # type: ignore[assignment, method-assign]
    sys.exit(main())
