"""Back-off, one line per change of state, and what is not retried."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tenacity import RetryCallState, wait_none

from edge_agent import supervision
from edge_agent.errors import ConfigError, SinkLost, SourceLost, Transient
from edge_agent.supervision import supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Step = BaseException | float

log = structlog.get_logger()


def script(*steps: Step) -> Callable[[], Any]:
    """A run that raises each error in turn; a number is a life of so many seconds."""
    left = list(steps)

    async def run() -> None:
        step = left.pop(0)
        if isinstance(step, BaseException):
            raise step
        await asyncio.sleep(step)

    return run


class Told:
    """Remembers what a supervisor tells, and the attempt numbers it waits for."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self.attempts: list[int] = []

    def state(self, state: str, reason: str) -> None:
        """Take a change of state."""
        self.states.append((state, reason))

    def wait(self, state: RetryCallState) -> float:
        """Wait for nothing, remember the attempt."""
        self.attempts.append(state.attempt_number)
        return 0.0


async def test_a_run_that_returns_ends_the_supervision() -> None:
    """A replay that reached its end is not started again."""
    run = script(0.0)

    await supervise("source:a", run, log=log, wait=wait_none())


async def test_losses_are_retried_and_told_once() -> None:
    """Many attempts with one reason give one line and one call."""
    told = Told()
    run = script(*[SourceLost("no route to press1")] * 50, 0.0)
    with capture_logs() as lines:
        await supervise("source:a", run, log=log, wait=told.wait, on_state=told.state)

    assert told.states == [("lost", "no route to press1")]
    assert [line["event"] for line in lines] == ["link lost"]
    assert lines[0]["link"] == "source:a"
    assert list(range(1, 51)) == told.attempts


async def test_a_new_reason_is_told() -> None:
    """Once the cable is in, the wrong password behind it must be seen."""
    told = Told()
    reasons = ["no route", "no route", "bad password", "no route", "bad password"]
    run = script(*[SinkLost(reason) for reason in reasons], 0.0)
    with capture_logs() as lines:
        await supervise("forward:a", run, log=log, wait=told.wait, on_state=told.state)

    assert told.states == [("lost", "no route"), ("lost", "bad password")]
    assert [line["reason"] for line in lines] == ["no route", "bad password"]


async def test_reasons_that_never_repeat_do_not_fill_the_log() -> None:
    """A text with a port number in it is logged a few times, not for days."""
    run = script(*[SourceLost(f"port {n} refused") for n in range(100)], 0.0)
    with capture_logs() as lines:
        await supervise("source:a", run, log=log, wait=wait_none())

    assert len(lines) == supervision.REASONS


async def test_recovery_is_told_once_with_the_outage() -> None:
    """A run that lasts is a recovery; the line says how many attempts it took."""
    told = Told()
    run = script(SourceLost("cut"), SourceLost("cut"), 0.1)
    with capture_logs() as lines:
        await supervise(
            "source:a",
            run,
            log=log,
            wait=told.wait,
            on_state=told.state,
            healthy_after=0.02,
        )

    assert told.states == [("lost", "cut"), ("up", "")]
    assert lines[-1]["event"] == "link recovered"
    assert lines[-1]["attempts"] == 2


async def test_the_link_itself_says_when_it_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `is_up` the first connection is told at once, not after half a minute."""
    monkeypatch.setattr(supervision, "LOOK", 0.01)
    told = Told()
    looks = iter([False, False, True])
    up = asyncio.Event()

    def note(state: supervision.State, reason: str) -> None:
        told.state(state, reason)
        up.set()

    async def run() -> None:
        await up.wait()

    await supervise("source:a", run, log=log, on_state=note, is_up=lambda: next(looks))

    assert told.states == [("up", "")]
    assert list(looks) == []


async def test_a_healthy_run_starts_the_wait_anew() -> None:
    """After a run that lasted the first retry is quick again."""
    told = Told()

    async def lasting() -> None:
        await asyncio.sleep(0.35)
        raise SourceLost("cut after a while")

    lives = [script(SourceLost("cut"), SourceLost("cut")), lasting, script(0.0)]
    order = iter([lives[0], lives[0], lives[1], lives[2]])

    async def run() -> None:
        await next(order)()

    await supervise(
        "source:a",
        run,
        log=log,
        wait=told.wait,
        healthy_after=0.3,
    )

    assert told.attempts == [1, 2, 1]


async def test_the_peers_own_wish_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """`retry_after` lengthens the wait and never shortens it."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    errors = [SinkLost("busy", retry_after=7.0), SinkLost("busy", retry_after=0.1)]

    await supervise("forward:a", script(*errors, 0.0), log=log, wait=lambda _: 2.0)

    assert slept[:2] == [7.0, 2.0]


async def test_a_stray_cancellation_is_a_loss() -> None:
    """A library that lets a cancellation slip does not end the link for good."""
    told = Told()
    run = script(asyncio.CancelledError(), asyncio.CancelledError(), 0.0)

    await supervise("source:a", run, log=log, wait=told.wait, on_state=told.state)

    assert told.attempts == [1, 2]
    assert [state for state, _ in told.states] == ["lost"]


async def test_every_life_starts_uncancelled() -> None:
    """What a life leaves on its task's cancellation count does not reach the next."""
    counts: list[int] = []

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        counts.append(task.cancelling())
        if len(counts) < 3:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)
            raise SourceLost("cut")

    await supervise("source:a", run, log=log, wait=wait_none())

    assert counts == [0, 0, 0]


@pytest.mark.parametrize("error", [None, SourceLost("cut"), ValueError("bug")])
async def test_a_stop_waits_for_the_farewell(error: Exception | None) -> None:
    """Stopping lets a life say goodbye; only a bug in doing so is heard."""
    goodbyes: list[str] = []

    async def run() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            goodbyes.append("bye")
            if error is not None:
                raise error

    life = supervise("source:a", run, log=log)
    task = asyncio.get_running_loop().create_task(life)
    await asyncio.sleep(0.01)
    task.cancel()
    wanted = ValueError if isinstance(error, ValueError) else asyncio.CancelledError
    with pytest.raises(wanted):
        await task

    assert goodbyes == ["bye"]


@pytest.mark.parametrize("error", [ValueError("bug"), ConfigError("wrong")])
async def test_anything_else_ends_the_supervision(error: BaseException) -> None:
    """A bug is never retried, not even after a loss."""
    run = script(SourceLost("cut"), error, 0.0)
    with pytest.raises(type(error)):
        await supervise("source:a", run, log=log, wait=wait_none())


async def test_a_group_of_losses_is_a_loss() -> None:
    """A link that runs a TaskGroup inside raises groups."""
    told = Told()
    inner = ExceptionGroup("inner", [SourceLost("went quiet")])
    run = script(ExceptionGroup("outer", [inner]), 0.0)

    await supervise("source:a", run, log=log, wait=told.wait, on_state=told.state)

    assert told.states == [("lost", "went quiet")]


async def test_a_group_with_a_bug_is_a_bug() -> None:
    """One bug among losses ends the process all the same."""
    run = script(ExceptionGroup("mixed", [SourceLost("cut"), KeyError("bug")]), 0.0)
    with pytest.raises(ExceptionGroup, match="mixed"):
        await supervise("source:a", run, log=log, wait=wait_none())


async def test_cancelling_leaves_nothing_behind() -> None:
    """Stopped while it runs, no timer of it fires afterwards."""
    told = Told()
    async with asyncio.TaskGroup() as tasks:
        life = supervise(
            "source:a", script(60.0), log=log, on_state=told.state, healthy_after=0.5
        )
        task = tasks.create_task(life)
        await asyncio.sleep(0.01)
        task.cancel()
    await asyncio.sleep(0.6)

    assert told.states == []


@given(st.integers(1, 1000))
def test_the_wait_stays_between_one_and_thirty_seconds(attempt: int) -> None:
    """However long an outage lasts, the next attempt is at most 30 s away."""
    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.attempt_number = attempt

    assert 1 <= supervision.PATIENCE(state) <= 30


@given(st.lists(st.floats(0, 100), max_size=5))
def test_a_transient_keeps_its_wish(wishes: Sequence[float]) -> None:
    """`retry_after` is what the raiser said."""
    assert [Transient("x", retry_after=w).retry_after for w in wishes] == wishes
