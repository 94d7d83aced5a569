"""Files that are whole after a power cut: the old one or the new one, never a half.

Temporary file, fsync, rename, fsync the folder. A file system that cannot sync a
folder (some network shares) is taken as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PIECE = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(path: Path, body: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all.

    Args:
        path: the file; its folder must be there.
        body: all of it.
        mode: permissions of the new file, less the process's umask.

    Raises:
        OSError: the disk refused; the old file is untouched.
    """
    folder = os.open(path.parent, _FOLDER)
    try:
        _write_in(folder, path.name, body, mode)
    finally:
        os.close(folder)


def write_new(path: Path, body: bytes, mode: int) -> None:
    """Write a file where there is none.

    Args:
        path: the file; its folder must be there.
        body: all of it.
        mode: permissions of the new file, less the process's umask.

    Raises:
        FileExistsError: there is one; it is left alone.
        OSError: the disk refused.
    """
    with os.fdopen(os.open(path, _NEW, mode), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def unfinished(path: Path) -> Path:
    """What `write_whole` calls a file until it is whole; a crash may leave one."""
    return path.with_name(f".{path.name}.new")


def write_below(root: Path, parts: Sequence[str], body: bytes) -> None:
    """`write_whole` in folders that others can write: no link is followed on the way.

    Args:
        root: where to begin; may be a link itself.
        parts: names of the folders below it, made where missing, then of the file.
        body: all of the file.

    Raises:
        OSError: the disk refused, or a folder is a link or a file.
    """
    folder = os.open(root, _FOLDER)
    try:
        for name in parts[:-1]:
            folder = _into(folder, name)
        _write_in(folder, parts[-1], body, 0o644)
    finally:
        os.close(folder)


def write_again(descriptor: int) -> None:
    """Write an open file over itself and sync it.

    A sync that failed is told once: what it should have written stays in the system's
    cache, counted as written, and the next sync says that all is well. What is read
    there and written again is written for certain.

    Args:
        descriptor: for reading and writing; nobody else may write to the file.

    Raises:
        OSError: the disk refused; the file's content is as before.
    """
    at = 0
    while piece := os.pread(descriptor, _PIECE, at):
        at += os.pwrite(descriptor, piece, at)
    os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """Make names that were added to or removed from a folder last.

    Raises:
        OSError: the folder is gone, or its disk failed.
    """
    folder = os.open(path, _FOLDER)
    try:
        _sync(folder)
    finally:
        os.close(folder)


def _into(folder: int, name: str) -> int:
    """Go one folder down, and close the one above."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
            _sync(folder)
        below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        error.filename = name
        raise
    os.close(folder)
    return below


def _write_in(folder: int, name: str, body: bytes, mode: int) -> None:
    temporary = f".{name}.new"
    with contextlib.suppress(FileNotFoundError):  # left by a crash
        os.unlink(temporary, dir_fd=folder)
    descriptor = os.open(temporary, _NEW, mode, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):  # a full disk needs its room back
            os.unlink(temporary, dir_fd=folder)
        raise
    _sync(folder)


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
