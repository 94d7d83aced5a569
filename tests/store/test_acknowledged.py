"""When acknowledgements reach the disk: what does not is sent again after a crash."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge_agent.store import tray
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path


def test_many_acknowledgements_do_not_wait_for_the_flush(tmp_path: Path) -> None:
    """As many as are worth a commit are written at once; one fewer waits on."""
    journal = made.journal(tmp_path / "outbox.db", flush="5m")
    journal.start()
    many = [made.scores(1, at=at) for at in range(2 * tray.ROWS_A_COMMIT)]
    first, *others = [stored.id for stored in journal.submit(many, {})]
    made.settle(journal)
    few, commits = others[: tray.ROWS_A_COMMIT - 1], journal.status()["commits"]
    journal.acknowledge("scada", few)
    time.sleep(0.1)
    before = journal.status()
    journal.acknowledge("scada", [first])
    give_up = time.monotonic() + 15
    while journal.status()["rows"] > len(many) - tray.ROWS_A_COMMIT:
        assert time.monotonic() < give_up
        time.sleep(0.01)

    assert (before["rows"], before["commits"]) == (len(many), commits)
    assert journal.stop(10)
