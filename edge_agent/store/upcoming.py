"""The core's state on its way to the disk: only what is other than there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Upcoming:
    """Parts of the state by name; guarded by the tray's lock."""

    def __init__(self) -> None:
        self._parts: dict[str, bytes] = {}
        self._since = 0
        self._written: dict[str, bytes] = {}

    def begin(self, written: Mapping[str, bytes]) -> None:
        """What the disk has."""
        self._written = dict(written)

    def merge(self, state: Mapping[str, bytes], now: int) -> None:
        """Newer parts; those that are as on the disk need no write."""
        for name, body in state.items():
            if self._parts.get(name, self._written.get(name)) == body:
                continue
            if not self._parts:
                self._since = now
            self._parts[name] = body

    def due(self, patience: int) -> int | None:
        """Agent time by which they must be written though nothing else is."""
        return self._since + patience if self._parts else None

    def take(self) -> dict[str, bytes]:
        """All of them, for a transaction."""
        taken, self._parts = self._parts, {}
        return taken

    def committed(self, parts: Mapping[str, bytes]) -> None:
        """The transaction held."""
        self._written.update(parts)

    def failed(self, parts: Mapping[str, bytes]) -> None:
        """It did not: they wait again, unless there are newer ones."""
        for name, body in parts.items():
            self._parts.setdefault(name, body)
