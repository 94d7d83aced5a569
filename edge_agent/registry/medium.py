"""Reading folders that others write and that may go at any time: a stick, a share.

No link is followed below the folder the operator named, nothing but plain files is
opened (a FIFO would hold the reader for ever), and every list and file is bounded.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry.landing import PIECE, check_files
from edge_agent.registry.registry import MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Names looked at in one folder: the operator may have named a wrong one.
_MAX_NAMES = 10_000
#: What desktop systems leave on every stick.
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a folder: bytes, and ns of its last change."""

    size: int
    changed: int


@contextlib.contextmanager
def reading(where: Path) -> Iterator[None]:
    """The stick or share failed: said in words, to be tried again later."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RegistryUnavailable(
            f"cannot read {where}: {reason}; is the stick or share still there?"
        ) from error


def names(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; links are none.

    Raises:
        OSError: it cannot be read.
    """
    found = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= _MAX_NAMES:
                break
            if entry.is_dir(follow_symlinks=False):
                found.append(entry.name)
    return sorted(found)


def survey(folder: Path, model: str) -> dict[str, Found]:
    """Every file of a version, by its name below the folder, sorted.

    Raises:
        OSError: the folder cannot be read.
        ModelRejected: it holds a link or a device, or is too large.
    """
    found: dict[str, Found] = {}
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.name in _LITTER or entry.name.startswith("._"):
                    continue
                name = below + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                else:
                    found[name] = _facts(entry, model)
                if len(found) + len(waiting) > MAX_FILES:
                    raise ModelRejected(f"{model} has more than {MAX_FILES} files")
    check_files(model, {name: one.size for name, one in found.items()})
    return dict(sorted(found.items()))


def _facts(entry: os.DirEntry[str], model: str) -> Found:
    facts = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(facts.st_mode):
        raise ModelRejected(f"{model}: {entry.name} is a link or a device: refused")
    return Found(facts.st_size, facts.st_mtime_ns)


def pieces(path: Path) -> Iterator[bytes]:
    """A file's bytes, a MiB at a time.

    Raises:
        RegistryUnavailable: it went away while it was read.
        ModelRejected: it is no plain file.
    """
    with reading(path):
        descriptor = _opened(path)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while True:
            with reading(path):
                piece = file.read(PIECE)
            if not piece:
                return
            yield piece


def digest(path: Path) -> str:
    """SHA-256 of a file; raises as `pieces` does."""
    total = hashlib.sha256()
    for piece in pieces(path):
        total.update(piece)
    return total.hexdigest()


def read_small(path: Path, limit: int) -> bytes | None:
    """All of a small file; None where there is none.

    Raises:
        RegistryUnavailable: it cannot be read, or is no file, or has more bytes.
    """
    try:
        with reading(path), os.fdopen(_opened(path), "rb") as file:
            body = file.read(limit + 1)
    except RegistryUnavailable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    except ModelRejected as error:
        raise RegistryUnavailable(str(error)) from error
    if len(body) > limit:
        raise RegistryUnavailable(f"{path} has more than {limit} bytes")
    return body


def _opened(path: Path) -> int:
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ModelRejected(f"{path} is a link: refused") from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise ModelRejected(f"{path} is no file: refused")
