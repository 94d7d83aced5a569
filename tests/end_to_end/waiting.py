"""Waiting for a condition, as long as a busy machine may take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
"""Seconds anything may take before a test gives up."""


def until(
    done: Callable[[], bool],
    what: str | Callable[[], str],
    seconds: float = PATIENCE,
) -> None:
    """Wait for a condition.

    Args:
        done: the condition.
        what: it is, for the error; a function is called then.
        seconds: to wait at most.

    Raises:
        TimeoutError: it did not come.
    """
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(what if isinstance(what, str) else what())
        time.sleep(0.05)
