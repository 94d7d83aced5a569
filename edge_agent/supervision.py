"""Keep a link running: the only place that waits and tries again.

A source or sink raises `Transient` when its link is lost; everything else is a
bug and ends the process. The log gets one line when a link is lost, one for each
new reason while it stays lost, and one when it is back: never one per attempt.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

from edge_agent.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger
    from tenacity import RetryCallState

    Wait = Callable[[RetryCallState], float]

State = Literal["up", "lost"]

#: Full jitter, 1 to 30 s: a restarted broker is not met by a whole plant at once.
PATIENCE = wait_random_exponential(multiplier=1, min=1, max=30)

#: Seconds between looks at a link that can say itself whether it is up.
LOOK = 0.5

#: Reasons logged in one outage; a text that never repeats must not fill the log.
REASONS = 8


async def supervise(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    log: FilteringBoundLogger,
    wait: Wait = PATIENCE,
    on_state: Callable[[State, str], None] | None = None,
    is_up: Callable[[], bool] | None = None,
    healthy_after: float = 30.0,
) -> None:
    """Call ``run`` until it returns, again after each `Transient` it raises.

    Args:
        name: what the log calls the link, for example ``source:press1``.
        run: one life of the link; a new call starts from nothing.
        log: gets the changes of state.
        wait: tenacity's wait strategy between two lives.
        on_state: told ``up`` with an empty text, or ``lost`` with the reason; told
            of every new reason too.
        is_up: whether the link works right now. Without it a run counts as up
            once it has lasted ``healthy_after``.
        healthy_after: seconds after which a run was a success, so that the next
            loss starts with the shortest wait again.

    Raises:
        Exception: whatever ``run`` raised that is not `Transient`.
    """
    link = _Link(name, log, wait, on_state, is_up, healthy_after)
    retrying = AsyncRetrying(
        sleep=asyncio.sleep,
        retry=retry_if_exception(lambda error: _transient(error) is not None),
        wait=link.pause,
        before_sleep=link.note_lost,
    )
    await retrying(link.live, run)


def _transient(error: BaseException) -> Transient | None:
    """Find the loss in an error, also in a group that holds nothing but losses."""
    if isinstance(error, Transient):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = [_transient(inner) for inner in error.exceptions]
        return found[0] if all(found) else None
    return None


class _Link:
    """What is known of a supervised link: state, since when, reasons already told."""

    def __init__(
        self,
        name: str,
        log: FilteringBoundLogger,
        wait: Wait,
        on_state: Callable[[State, str], None] | None,
        is_up: Callable[[], bool] | None,
        healthy_after: float,
    ) -> None:
        self._name = name
        self._log = log.bind(link=name)
        self._wait = wait
        self._tell = on_state or (lambda _state, _reason: None)
        self._is_up = is_up
        self._healthy_after = healthy_after
        self._state: State | None = None
        self._began = 0.0
        self._lost_at = 0.0
        self._attempts = 0
        self._reasons: set[str] = set()

    async def live(self, run: Callable[[], Awaitable[None]]) -> None:
        """One life of the link, watched from beside it.

        It gets a task of its own: a cancellation that a library lets slip (Python
        before 3.11.3 does when a timeout follows a failed TaskGroup) would end the
        supervisor without a word, and with it the link for good.
        """
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        self._look_later()
        life = loop.create_task(_awaited(run), name=f"{self._name} life")
        try:
            await asyncio.wait([life])
        except asyncio.CancelledError:
            life.cancel()
            await asyncio.wait([life])
            _raise_bug(life)
            raise
        finally:
            self._watch.cancel()
        if life.cancelled():
            raise Transient("cancelled from inside, by a library it uses")
        life.result()

    def pause(self, state: RetryCallState) -> float:
        """Seconds to wait; the peer's own wish is honoured when it is longer."""
        if self._lasted():
            state.attempt_number = 1
        lost = _loss(state)
        return max(self._wait(state), lost.retry_after or 0.0)

    def note_lost(self, state: RetryCallState) -> None:
        """Say once that the link is lost, and once for each new reason."""
        if self._state != "lost":
            self._state = "lost"
            self._lost_at = asyncio.get_running_loop().time()
            self._attempts = 0
            self._reasons.clear()
        self._attempts += 1
        reason = str(_loss(state))
        if reason in self._reasons or len(self._reasons) == REASONS:
            return
        self._reasons.add(reason)
        wait = round(state.upcoming_sleep, 1)
        self._log.warning("link lost", reason=reason, retry_in_s=wait)
        self._tell("lost", reason)

    def _look_later(self) -> None:
        delay = LOOK if self._is_up else self._healthy_after
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(delay, self._look)

    def _look(self) -> None:
        if self._is_up is not None and not self._is_up():
            self._look_later()
        elif self._state != "up":
            self._note_up()

    def _note_up(self) -> None:
        was, self._state = self._state, "up"
        if was is None:
            self._log.info("link up")
        else:
            lost_for = asyncio.get_running_loop().time() - self._lost_at
            self._log.info(
                "link recovered", lost_for_s=round(lost_for, 1), attempts=self._attempts
            )
        self._tell("up", "")

    def _lasted(self) -> bool:
        lived = asyncio.get_running_loop().time() - self._began
        return lived >= self._healthy_after


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _raise_bug(life: asyncio.Task[None]) -> None:
    """Being stopped excuses a lost link, not a bug in stopping."""
    error = None if life.cancelled() else life.exception()
    if error is not None and _transient(error) is None:
        raise error


def _loss(state: RetryCallState) -> Transient:
    error = state.outcome.exception() if state.outcome else None
    loss = _transient(error) if error else None
    return loss or Transient("the link was lost")
