"""Calls that may hang: a share that was lost, a disk that fails.

Each has a thread of its own that ends with the process and holds up nobody else: the
event loop's common threads would run out, and keep the agent from stopping.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from edge_agent.errors import SinkLost

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")


class Aside:
    """Makes one call at a time.

    Args:
        said: what is told when a call does not end.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._last: Future[None] | None = None

    async def call(self, within: float, call: Callable[[], T]) -> T:
        """What a call returns, or raises.

        Args:
            within: seconds.
            call: made in a thread; goes on there when it is given up.

        Raises:
            SinkLost: it did not end in time, or an earlier one has not yet.
        """
        if self._last is not None and not self._last.done():
            raise SinkLost(self._said)
        answer: Future[T] = Future()
        ended: Future[None] = Future()
        self._last = ended
        thread = threading.Thread(
            target=_run, args=(call, answer, ended), name="centre", daemon=True
        )
        thread.start()
        try:
            async with asyncio.timeout(within):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            if ended.done():
                raise  # of the call itself
            raise SinkLost(self._said) from None


def _run(call: Callable[[], T], answer: Future[T], ended: Future[None]) -> None:
    answer.set_running_or_notify_cancel()  # from here on nobody can cancel it
    try:
        done = call()
    except BaseException as why:  # noqa: BLE001 - raised where it is awaited
        ended.set_result(None)
        answer.set_exception(why)
    else:
        ended.set_result(None)
        answer.set_result(done)
