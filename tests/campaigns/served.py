"""The file system of `forgetful`, in a process of its own.

``python -m tests.campaigns.served FOLDER SEED`` serves until it is unmounted; a line of
its input is an order, a line back says that it was done.
"""

# ruff: noqa: ANN401, ARG002, D102 - the calls are those of libfuse
from __future__ import annotations

import errno
import functools
import json
import os
import random
import stat
import sys
import threading
from typing import TYPE_CHECKING, Any

import mfusepy

from tests.campaigns.platter import Content, Platter

if TYPE_CHECKING:
    from collections.abc import Callable


def _alone(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def guarded(self: Served, *args: Any) -> Any:
        with self._lock:
            return call(self, *args)

    return guarded


class Served(mfusepy.Operations):  # type: ignore[misc]
    """Calls of the kernel, one at a time.

    Args:
        platter: the disk.
        lock: held while it is changed.
    """

    use_ns = True

    def __init__(self, platter: Platter, lock: threading.Lock) -> None:
        self._platter, self._lock = platter, lock
        self._open: dict[int, Content] = {}
        self._next = 0

    @_alone
    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        self._platter.alive()
        content = self._open.get(fh) if fh is not None else None
        if content is None and path not in self._platter.names:
            raise OSError(errno.ENOENT, path)
        content = content or self._platter.names[path]
        if content is None:
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, "st_size": 0}
        return {
            "st_mode": stat.S_IFREG | 0o644,
            "st_nlink": 1,
            "st_size": len(content.shown),
            "st_blksize": 4096,
            "st_mtime": content.number,
        }

    @_alone
    def readdir(self, path: str, fh: int) -> list[str]:
        self._platter.alive()
        base = path.rstrip("/") + "/"
        mine = [
            n[len(base) :]
            for n in self._platter.names
            if n.startswith(base) and n != "/"
        ]
        return [".", "..", *(n for n in mine if n and "/" not in n)]

    @_alone
    def create(self, path: str, mode: int, fi: Any = None) -> int:
        content = self._platter.add(path)
        assert content is not None
        return self._opened(content)

    @_alone
    def open(self, path: str, flags: int) -> int:
        self._platter.alive()
        if self._platter.readonly and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, path)
        return self._opened(self._platter.content(path))

    def _opened(self, content: Content) -> int:
        self._next += 1
        self._open[self._next] = content
        return self._next

    @_alone
    def release(self, path: str, fh: int) -> int:
        self._open.pop(fh, None)
        return 0

    @_alone
    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._platter.alive()
        return bytes(self._open[fh].shown[offset : offset + size])

    @_alone
    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return self._platter.write(self._open[fh], offset, data)

    @_alone
    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        content = self._open[fh] if fh is not None else self._platter.content(path)
        self._platter.truncate(content, length)
        return 0

    @_alone
    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._platter.sync(self._open[fh])
        return 0

    @_alone
    def opendir(self, path: str) -> int:
        self._platter.alive()
        return 0

    @_alone
    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._platter.sync_folder(path)
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    @_alone
    def unlink(self, path: str) -> int:
        self._platter.content(path)
        self._platter.remove(path)
        return 0

    @_alone
    def rename(self, old: str, new: str) -> int:
        self._platter.content(old)
        self._platter.rename(old, new)
        return 0

    @_alone
    def mkdir(self, path: str, mode: int) -> int:
        self._platter.add(path, folder=True)
        return 0

    @_alone
    def rmdir(self, path: str) -> int:
        self._platter.remove(path)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        return 0

    @_alone
    def statfs(self, path: str) -> dict[str, int]:
        whole = self._platter.room or 1 << 34
        free = max(whole - self._platter.held(), 0) // 4096
        return {
            "f_bsize": 4096,
            "f_frsize": 4096,
            "f_blocks": whole // 4096,
            "f_bfree": free,
            "f_bavail": free,
            "f_namemax": 255,
        }


def _obey(platter: Platter, lock: threading.Lock) -> None:
    orders: dict[str, Callable[[float], object]] = {
        "cut": lambda _: platter.cut(),
        "boot": lambda _: platter.boot(),
        "readonly": lambda on: setattr(platter, "readonly", bool(on)),
        "room": lambda size: setattr(platter, "room", int(size)),
        "failing": lambda part: setattr(platter, "failing", part),
        "count": lambda _: None,
    }
    for line in sys.stdin:
        what, value = line.split()
        with lock:
            orders[what](float(value))
            told = {**platter.counts, "held": platter.held()}
        print(json.dumps(told), flush=True)


def main() -> None:
    """Serve."""
    folder, seed = sys.argv[1], int(sys.argv[2])
    platter, lock = Platter(random.Random(seed)), threading.Lock()
    threading.Thread(target=_obey, args=(platter, lock), daemon=True).start()
    mfusepy.FUSE(
        Served(platter, lock),
        folder,
        foreground=True,
        nothreads=True,
        allow_other=os.geteuid() == 0,
        # without any cache of the kernel's: it would remember names that are lost.
        # Given here, mfusepy tells them to libfuse 2 and 3 alike
        direct_io=True,
        attr_timeout=0.0,
        entry_timeout=0.0,
        negative_timeout=0.0,
    )


if __name__ == "__main__":
    main()
