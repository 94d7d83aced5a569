"""What a link says first, while records come."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from edge_agent.clock import SystemClock
from edge_agent.sinks import dispatch, forwarder, newest
from tests.sinks.doubles import MemorySink
from tests.sinks.made import forwarding, until
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge_agent.store.outbox import Stored


@pytest.mark.parametrize("when", ["while it is noted", "while it is greeted"])
async def test_a_record_that_comes_into_a_greeting_stays_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The submitter is held up halfway, or comes in between: no row overtakes one."""
    sink, noted, go_on = MemorySink(), threading.Event(), threading.Event()
    note, rows = newest.Newest.note, newest.Newest.rows
    announce = forwarder.Forwarder._announce
    record = made.scores(6, at=SystemClock().now())
    submits = threading.Thread(target=lambda: outbox.submit([record], {}))

    def held(self: newest.Newest, stored: Stored) -> None:
        note(self, stored)
        noted.set()
        assert go_on.wait(10)

    def greet(self: forwarder.Forwarder, to: dispatch.Dispatch) -> None:
        if when == "while it is noted":
            monkeypatch.setattr(newest.Newest, "note", held)
            submits.start()
            assert noted.wait(10)
        announce(self, to)
        go_on.set()

    def interrupted(self: newest.Newest) -> Iterator[tuple[Stored, Sequence[int]]]:
        if when == "while it is greeted":
            submits.start()
            submits.join()
        return rows(self)

    monkeypatch.setattr(forwarder.Forwarder, "_announce", greet)
    monkeypatch.setattr(newest.Newest, "rows", interrupted)
    async with forwarding(tmp_path, sink) as (outbox, _):
        await until(lambda: len(sink.peer.read("state")) >= 6)
        states = sink.peer.read("state")
        monkeypatch.setattr(newest.Newest, "rows", rows)

    assert [(s["boot"], s["seq"]) for s in states] == [(1, seq) for seq in range(6)]
