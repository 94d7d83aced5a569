"""Live scores that a slow peer leaves to the outbox while that is looked through."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.sinks import feed, pace
from edge_agent.store.journal import Journal
from tests.sinks.doubles import MemorySink
from tests.sinks.made import forwarding, until
from tests.store import made

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    import pytest

    from edge_agent.store.outbox import Stored


async def test_scores_left_behind_a_look_follow_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They overflow when the look is past some of them: history stays in order."""
    monkeypatch.setattr(feed, "LIVE_ROWS", 60)
    monkeypatch.setattr(feed, "CHUNK", 10)
    monkeypatch.setattr(pace, "LIVE_FOR", 0)
    sink, now, ask = MemorySink(window=5), SystemClock().now(), Journal.backlog
    looks: list[int] = []
    flooded = threading.Event()

    def submit(rows: int) -> None:
        for _ in range(rows):
            journal.submit([made.scores(1, at=now)], {})

    def overflow() -> None:
        if not flooded.is_set():
            flooded.set()
            submit(40)
            sink.peer.answering = True
            asyncio.get_running_loop().call_soon(sink.links[0].answer)

    def overflowing(
        self: Journal, name: str, after: int, limit: int, *, urgent: bool
    ) -> Future[list[Stored]]:
        looks.append(after)
        if after > -1 and not urgent:
            overflow()
        return ask(self, name, after, limit, urgent=urgent)

    async with forwarding(tmp_path, sink) as (journal, forwarder):
        await until(lambda: sink.peer.kept("status"))
        sink.peer.answering = False
        submit(50)
        made.settle(journal)
        await until(lambda: sink.links[0].room == 0)
        monkeypatch.setattr(Journal, "backlog", overflowing)
        replay = forwarder._feed._replay
        assert replay is not None
        replay.look_again()
        await until(lambda: looks.count(-1) >= 2)
        await asyncio.sleep(0.2)
        overflow()
        await until(lambda: journal.status()["rows"] == 0)
        live, old = sink.peer.read("state"), sink.peer.read("history")

    seqs = [said["seq"] for said in old]
    assert seqs
    assert seqs == sorted(seqs)
    assert len({said["seq"] for said in live + old}) == 90
