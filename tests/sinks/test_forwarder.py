from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.clock import SystemClock
from edge_agent.records import AlarmState, FindingState
from edge_agent.sinks import dispatch, feed, forwarder, pace
from tests.sinks.doubles import MemorySink
from tests.sinks.made import PREFIX, forwarding, until
from tests.store import made

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from edge_agent.sinks.sink import Frame
    from edge_agent.store.journal import Journal

NOW = 1_790_000_000_000_000_000


def _keys(messages: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(m["boot"], m["seq"]) for m in messages]


async def _empty(journal: Journal) -> None:
    await until(lambda: journal.status()["rows"] == 0)


async def test_live_scores_arrive_once_in_order(tmp_path: Path) -> None:
    """Every row of every turn is published once, in order, and then forgotten."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        for at in range(50):
            journal.submit([made.scores(3, at=NOW + at)], {})
        await until(lambda: len(sink.peer.read("state")) >= 150)
        await _empty(journal)
        states = sink.peer.read("state")

    assert _keys(states) == [(1, seq) for seq in range(150)]
    assert sink.peer.read("history") == []


async def test_drift_never_sticks_in_the_outbox(tmp_path: Path) -> None:
    """An output that is owed drift, yet tells nobody, has it: live and from before."""
    lonely = made.journal(tmp_path / "outbox.db", central=("scada",))
    lonely.start()
    lonely.submit([made.drift(), made.snapshot()], {})
    lonely.stop(10)
    waiting = lonely.status()["rows"]
    sink = MemorySink(window=5)
    async with forwarding(tmp_path, sink, central=("scada",)) as (journal, _):
        await _empty(journal)
        # also when the window is full: there is nothing to wait for
        sink.peer.answering = False
        journal.submit([made.scores(3, at=NOW)] * 20, {})
        await until(lambda: sink.links[0].room == 0)
        (drift, _) = journal.submit([made.drift(), made.snapshot()], {})
        await until(lambda: not _owed(journal, drift.id))
        sink.peer.answering = True
        sink.links[0].answer()
        await _empty(journal)
        await until(lambda: journal.status()["drift_kept"] == 2)

    assert waiting == 2


def _owed(journal: Journal, id_: int) -> bool:
    found = journal.backlog("scada", id_ - 1, 1, urgent=True).result(10)
    return [one.id for one in found] == [id_]


async def test_an_open_finding_is_told_to_a_broker_that_forgot(tmp_path: Path) -> None:
    """After a reconnect, and after a restart, what is open is there at once."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        journal.submit([made.finding(NOW, id="a"), made.finding(NOW, id="b")], {})
        journal.submit([made.finding(NOW, FindingState.CLOSED, id="a")], {})
        await until(lambda: len(sink.peer.read("events")) == 3)
        await _empty(journal)
        sink.peer.retained.clear()
        sink.links[0].cut()
        await until(lambda: sink.peer.kept("diagnostic"))
        (again,) = sink.peer.kept("diagnostic").values()
    other = MemorySink()
    async with forwarding(tmp_path, other):
        await until(lambda: other.peer.kept("diagnostic"))
        (later,) = other.peer.kept("diagnostic").values()

    assert (again["episode"], again["open"], again["state"]) == ("b", 1, "OPEN")
    assert later == again
    assert other.peer.read("events") == []


async def test_what_was_missed_follows_as_history(tmp_path: Path) -> None:
    """After an outage live values go on at once; old ones come marked, in order."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink, stop=False) as (journal, _):
        journal.submit([made.alarm(NOW)], {})
        await until(lambda: sink.peer.read("alarm"))
    for at in range(20):
        # an agent without a link, started again and again
        lonely = made.journal(tmp_path / "outbox.db")
        lonely.start()
        lonely.submit([made.scores(3, at=NOW + at)], {})
        lonely.stop(10)
    async with forwarding(tmp_path, sink) as (journal, _):
        await _empty(journal)
        history = sink.peer.read("history")

    assert [m["ts_ms"] for m in history] == sorted(m["ts_ms"] for m in history)
    assert _keys(history) == [(b, s) for b in range(2, 22) for s in range(3)]
    assert all(m["hist"] for m in history)


async def test_alarm_of_the_outage_comes_before_its_scores(tmp_path: Path) -> None:
    """A person waits for the alarm; a thousand old scores can wait."""
    lonely = made.journal(tmp_path / "outbox.db")
    lonely.start()
    for at in range(100):
        lonely.submit([made.scores(3, at=NOW + at)], {})
    lonely.submit([made.alarm(NOW)], {})
    lonely.stop(10)
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as (journal, _):
        await _empty(journal)

    leaves = [frame[0].rsplit(b"/", 1)[1] for frame in sink.peer.taken]
    assert leaves.index(b"alarm") < leaves.index(b"history")
    assert len(sink.peer.read("history")) == 300


async def test_unacknowledged_messages_are_sent_again_with_equal_ids(
    tmp_path: Path,
) -> None:
    """What was in flight when the link broke is still owed, under the same id."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        sink.peer.answering = False
        journal.submit([made.scores(3, at=NOW), made.alarm(NOW)], {})
        await until(lambda: sink.links[0].room <= 15)
        sink.peer.answering = True
        sink.links[0].cut()
        await _empty(journal)
        again = _keys(sink.peer.read("history"))
        (alarm,) = sink.peer.read("alarm")

    assert again == [(1, 0), (1, 1), (1, 2)]
    assert alarm["id"] == "gw-07-1-3"


async def test_broker_that_forgot_is_told_the_newest_values(tmp_path: Path) -> None:
    """After a reconnect the live topics are filled at once, not with the next turn."""
    sink, now = MemorySink(), made.journal(tmp_path / "x.db")._clock.now()
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        journal.submit([made.scores(3, at=now)], {})
        await _empty(journal)
        sink.peer.retained.clear()
        sink.links[0].cut()
        await until(lambda: len(sink.peer.kept("state")) == 3)
        kept = _keys(list(sink.peer.kept("state").values()))

    assert sorted(kept) == [(1, 0), (1, 1), (1, 2)]


async def test_a_newest_value_never_overtakes_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores that come just while the link is made: the live topic stays in order."""
    sink = MemorySink()
    announce = forwarder.Forwarder._announce

    def late(self: forwarder.Forwarder, to: dispatch.Dispatch) -> None:
        for at in range(3):
            outbox.submit([made.scores(6, at=SystemClock().now() + at)], {})
        announce(self, to)

    monkeypatch.setattr(forwarder.Forwarder, "_announce", late)
    async with forwarding(tmp_path, sink) as (outbox, _):
        await _empty(outbox)
        await until(lambda: len(sink.peer.read("state")) >= 18)
        states = sink.peer.read("state")

    assert _keys(states) == sorted(_keys(states))


async def test_overflow_of_live_goes_to_history_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer slower than the plant: newest stay live, the others follow, all arrive."""
    monkeypatch.setattr(feed, "LIVE_ROWS", 60)
    monkeypatch.setattr(pace, "LIVE_FOR", 0)
    sink = MemorySink(window=5)
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        sink.peer.answering = False
        for at in range(100):
            journal.submit([made.scores(3, at=NOW + at)], {})
        await until(lambda: sink.links[0].room == 0)
        sink.peer.answering = True
        sink.links[0].answer()
        await _empty(journal)
        live, old = sink.peer.read("state"), sink.peer.read("history")

    assert sorted(_keys(live + old)) == [(1, seq) for seq in range(300)]
    assert _keys(live)[-1] == (1, 299)
    assert old


async def test_refused_row_is_kept_aside_and_the_others_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message the broker never takes is tried thrice and does not hold the rest."""
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.01)
    sink, tried = MemorySink(), list[bytes]()

    def refuse(frame: Frame) -> int:
        if b"P-102" in frame[0] and frame[0].endswith(b"/state"):
            tried.append(frame[1])
            return 0x95
        return 0

    sink.peer.refuse = refuse
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        journal.submit([made.scores(3, at=NOW)], {})
        await until(lambda: len(sink.peer.read("events")) == 2)
        await _empty(journal)
        events = sink.peer.read("events")
        states = _keys(sink.peer.read("state"))

    assert len(tried) >= 3
    assert len(set(tried[:3])) == 1
    assert states[:2] == [(1, 0), (1, 2)]
    # told at once, and counted in the ledger
    assert {one["event"] for one in events} == {"record refused", "records lost"}


async def test_broker_that_refuses_everything_is_a_lost_link(tmp_path: Path) -> None:
    """A missing permission quarantines nothing: all stays owed until it is given."""
    sink = MemorySink()
    sink.peer.refuse = lambda _: 0x87
    async with forwarding(tmp_path, sink) as (journal, one):
        journal.submit([made.scores(3, at=NOW), made.alarm(NOW)], {})
        await until(lambda: len(sink.links) >= 3)
        assert "every message is refused" in one.status()["last_error"]
        assert journal.status()["rows"] == 4
        sink.peer.refuse = lambda _: 0
        await _empty(journal)

    assert sink.peer.read("alarm")


async def test_stopped_agent_leaves_no_value_that_looks_well(tmp_path: Path) -> None:
    """After a clean stop every state is bad, the status says stopped, no will."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        journal.submit([made.scores(3, at=NOW)], {})
        await _empty(journal)

    states = sink.peer.kept("state").values()
    (status,) = sink.peer.kept("status").values()
    assert {(s["quality"], s["reason"]) for s in states} == {("BAD", "agent stopped")}
    assert len(states) == 3
    assert (status["state"], status["reason"]) == ("offline", "stopped")
    assert all(s["reason"] != "lost" for s in sink.peer.read("status"))


async def test_an_event_just_before_the_stop_is_told(tmp_path: Path) -> None:
    """Its commit is under way when the agent parts: SCADA must see no gap there."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as (journal, one):
        await until(lambda: sink.peer.kept("status"))
        journal.submit([made.scores(3, at=NOW)], {})
        await until(lambda: len(sink.peer.read("state")) == 3)
        journal.submit([made.event(at=NOW)], {})
        one.finish(5.0)

    (event,) = sink.peer.read("events")
    parting = [m for m in sink.peer.read("state") if m["no_score"] == "agent stopped"]
    assert (event["boot"], event["seq"]) == (1, 3)
    assert min(m["seq"] for m in parting) == 4


async def test_lost_agent_is_announced_by_its_will(tmp_path: Path) -> None:
    """The peer says lost, until the agent is back."""
    sink = MemorySink()
    async with forwarding(tmp_path, sink) as _:
        await until(lambda: sink.peer.kept("status"))
        sink.links[0].cut()
        await until(lambda: len(sink.peer.read("status")) == 3)
        said = [(s["state"], s["reason"]) for s in sink.peer.read("status")]

    assert said == [("online", ""), ("offline", "lost"), ("online", "")]
    assert list(sink.peer.kept("status")) == [f"{PREFIX}/gw-07/agent/status"]


async def test_window_of_one_is_enough(tmp_path: Path) -> None:
    """The smallest window: slower, but everything arrives and in order."""
    sink = MemorySink(window=1)
    async with forwarding(tmp_path, sink) as (journal, _):
        await until(lambda: sink.peer.kept("status"))
        for at in range(10):
            journal.submit([made.scores(3, at=NOW + at)], {})
            state = AlarmState(at % 2)
            journal.submit([made.alarm(NOW + at, state=state)], {})
        await _empty(journal)

    assert len(sink.peer.read("alarm")) == len(sink.peer.read("events")) == 10
    assert [m["ts_ms"] for m in sink.peer.read("alarm")] == sorted(
        m["ts_ms"] for m in sink.peer.read("alarm")
    )
