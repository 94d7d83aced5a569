"""What a build is doing: a bar in a terminal or notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_EVERY = 0.1
"""Share of a step after which a plain line says how far it is."""


class Progress(Protocol):
    """Where a build tells its steps."""

    def step(self, what: str, total: int = 0) -> None:
        """Begin a step; the one before is done. ``total`` is 0 where unknown."""
        ...

    def advance(self, count: int = 1) -> None:
        """So much more of the step is done."""
        ...


class Silent:
    """Tells nothing."""

    def step(self, what: str, total: int = 0) -> None:
        """Nothing."""

    def advance(self, count: int = 1) -> None:
        """Nothing."""


class Lines:
    """A line a step, and one each tenth of a long one.

    Args:
        out: where they go.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._what, self._total, self._done, self._said = "", 0, 0, 0.0

    def step(self, what: str, total: int = 0) -> None:
        """Say what begins."""
        self._what, self._total, self._done, self._said = what, total, 0, 0.0
        self._out.write(f"{what} ...\n")
        self._out.flush()

    def advance(self, count: int = 1) -> None:
        """Say how far it is, not too often."""
        self._done += count
        share = self._done / self._total if self._total else 0.0
        if share - self._said >= _EVERY and share < 1:
            self._said = share
            self._out.write(f"  {self._what}: {share:.0%}\n")
            self._out.flush()


class _Bars:
    """The steps as bars of rich."""

    def __init__(self, bars: object) -> None:
        self._bars = bars
        self._task: int | None = None

    def step(self, what: str, total: int = 0) -> None:
        """Finish the bar before, begin one."""
        self._finish()
        add = self._bars.add_task  # type: ignore[attr-defined]
        self._task = add(what, total=total or None)

    def advance(self, count: int = 1) -> None:
        """Move the bar."""
        self._bars.advance(self._task, count)  # type: ignore[attr-defined]

    def _finish(self) -> None:
        if self._task is not None:
            update = self._bars.update  # type: ignore[attr-defined]
            update(self._task, total=1, completed=1)

    def close(self) -> None:
        """Finish the last bar."""
        self._finish()


@contextmanager
def shown(*, quiet: bool) -> Iterator[Progress]:
    """Progress for as long as a build takes, on standard error.

    Args:
        quiet: tell nothing.
    """
    if quiet:
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield Lines(sys.stderr)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console) as bars:
        told = _Bars(bars)
        yield told
        told.close()
