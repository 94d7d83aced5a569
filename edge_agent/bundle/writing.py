"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: What a file is called until it is whole; a power cut may leave one behind.
UNFINISHED = ".new"


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put a file in place of what is there: written, synced, renamed.

    Raises:
        OSError: the disk or its permissions; what was there is still there.
    """
    temporary = path.with_name(path.name + UNFINISHED)
    temporary.unlink(missing_ok=True)
    try:
        _write(temporary, content, mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file where there is none.

    Raises:
        FileExistsError: there is one; it is left alone.
        OSError: the disk or its permissions.
    """
    _write(path, content, mode)
    _sync_folder(path.parent)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
