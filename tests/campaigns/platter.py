"""Files on a disk that keeps for certain only what was synced.

What was written since is in its cache: a power cut keeps any part of it, torn at a
sector. Names are synced with their folder, contents with the file. A sync that fails
drops what it should have written, as Linux does: the cache still shows it, a later
sync says that all is well (https://danluu.com/fsyncgate).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_SECTOR = 512
Change = tuple[int, bytes | None]
"""Where and what was written; None: cut off there, or grown with zeros."""
Step = tuple[str, str, "Content | None"]
"""A name and another one, or the content it stands for; None: it is gone."""


@dataclass(eq=False)
class Content:
    """Of a file."""

    shown: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)
    number: int = 0

    def write(self, at: int, body: bytes) -> None:
        """Into the cache."""
        _apply(self.shown, (at, body))
        self.pending.append((at, body))

    def truncate(self, size: int) -> None:
        """In the cache."""
        _apply(self.shown, (size, None))
        self.pending.append((size, None))

    def sync(self) -> None:
        """All of the cache is on the platter."""
        for change in self.pending:
            _apply(self.kept, change)
        self.pending.clear()

    def forget(self) -> None:
        """The sync failed: its pages count as clean, and were never written."""
        self.pending.clear()

    def cut(self, dice: random.Random) -> None:
        """The power is gone: some of the cache has made it."""
        manner = dice.choice(("none", "some", "first", "all"))
        last = dice.randrange(len(self.pending) + 1)
        for number, change in enumerate(self.pending):
            if manner == "none" or (manner == "first" and number > last):
                break
            if manner == "some" and dice.random() < 0.5:
                continue
            torn = number == len(self.pending) - 1 or number == last
            _apply(self.kept, _torn(change, dice) if torn else change)
        self.pending.clear()
        self.shown = bytearray(self.kept)


class Platter:
    """A flat tree of names: folders have None.

    Attributes:
        names: what is seen.
        room: bytes that may be held; 0 for no limit.
        readonly: nothing may be changed.
        failing: part of the syncs that fail.
        dice: decides which.
        dead: the power is gone.
    """

    def __init__(self, dice: random.Random) -> None:
        self.names: dict[str, Content | None] = {"/": None}
        self._kept = dict(self.names)
        self._steps: list[tuple[str, str, Content | None]] = []
        self._made = 1
        self.dice = dice
        self.room = 0
        self.readonly = self.dead = False
        self.failing = 0.0
        self.counts = {"writes": 0, "bytes": 0, "syncs": 0, "failed": 0, "refused": 0}

    def content(self, path: str) -> Content:
        """Of a file.

        Raises:
            OSError: there is none.
        """
        found = self.names.get(path)
        if found is None:
            raise OSError(errno.EISDIR if path in self.names else errno.ENOENT, path)
        return found

    def add(self, path: str, *, folder: bool = False) -> Content | None:
        """Make a file or a folder."""
        self._changing()
        if path in self.names:
            raise OSError(errno.EEXIST, path)
        self._made += 1
        new = None if folder else Content(number=self._made)
        self._step(("add", path, new))
        return new

    def remove(self, path: str) -> None:
        """A file or an empty folder."""
        self._changing()
        self._step(("remove", path, None))

    def rename(self, old: str, new: str) -> None:
        """A file."""
        self._changing()
        self._step(("add", new, self.names[old]))
        # one step for a file system: both happen or none
        self._steps[-1:] = [("rename " + old, new, self.names[new])]
        del self.names[old]

    def write(self, content: Content, at: int, body: bytes) -> int:
        """Into a file's cache."""
        self._changing()
        if (
            self.room
            and self.held() + max(at + len(body) - len(content.shown), 0) > self.room
        ):
            self.counts["refused"] += 1
            raise OSError(errno.ENOSPC, "full")
        content.write(at, body)
        self.counts["writes"] += 1
        self.counts["bytes"] += len(body)
        return len(body)

    def truncate(self, content: Content, size: int) -> None:
        """In a file's cache."""
        self._changing()
        content.truncate(size)

    def sync(self, content: Content) -> None:
        """Make a file's content last."""
        self._syncing(content)
        content.sync()

    def sync_folder(self, path: str) -> None:
        """Make names in a folder last."""
        self._syncing(None)
        mine = [s for s in self._steps if _folder(s[1]) == path]
        self._steps = [s for s in self._steps if s not in mine]
        for step in mine:
            _take(self._kept, step)

    def held(self) -> int:
        """Bytes of all files."""
        return sum(len(c.shown) for c in self.names.values() if c)

    def cut(self) -> None:
        """The power is gone; everything fails until `boot`."""
        self.dead = True
        last = self.dice.randrange(len(self._steps) + 1)
        for step in self._steps[:last]:
            _take(self._kept, step)
        self._steps.clear()
        self.names = dict(self._kept)
        for content in {id(c): c for c in self.names.values() if c}.values():
            content.cut(self.dice)

    def boot(self) -> None:
        """The power is back."""
        self.dead = False

    def alive(self) -> None:
        """Raise if the power is gone."""
        if self.dead:
            raise OSError(errno.EIO, "no power")

    def _changing(self) -> None:
        self.alive()
        if self.readonly:
            self.counts["refused"] += 1
            raise OSError(errno.EROFS, "read-only")

    def _syncing(self, content: Content | None) -> None:
        self.alive()
        self.counts["syncs"] += 1
        if self.failing and self.dice.random() < self.failing:
            self.counts["failed"] += 1
            if content is not None:
                content.forget()
            raise OSError(errno.EIO, "sync failed")

    def _step(self, step: tuple[str, str, Content | None]) -> None:
        self._steps.append(step)
        _take(self.names, step)


def _take(
    names: dict[str, Content | None], step: tuple[str, str, Content | None]
) -> None:
    what, path, content = step
    if what == "remove":
        names.pop(path, None)
        return
    if what.startswith("rename "):
        names.pop(what.removeprefix("rename "), None)
    names[path] = content


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _torn(change: Change, dice: random.Random) -> Change:
    at, body = change
    if body is None:
        return change
    keep = dice.randrange(len(body) // _SECTOR + 2) * _SECTOR
    return at, body[:keep]


def _apply(to: bytearray, change: Change) -> None:
    at, body = change
    if len(to) < at:
        to.extend(bytes(at - len(to)))
    if body is None:
        del to[at:]
    else:
        to[at : at + len(body)] = body
