"""The folder that a version is fetched into: bounded, gone on with, synced.

A file grows under ``.parts`` and gets its name when it is whole and on disk, so what
has a name is complete. Beside a part lies its mark: what the server called the file it
began (an ETag), without which nobody could tell that the rest belongs to it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Self

from edge_agent.durable import sync_folder
from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry.registry import MAX_BYTES, MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

PARTS = ".parts"
#: Bytes handed on at once: `proceed` is asked at least so often.
PIECE = 2**20
#: Bytes left free: the journal of the scores is on this disk too.
RESERVE = 2**24

_DEPTH, _LENGTH, _MARK = 8, 200, 1024


def check_files(model: str, files: Mapping[str, int | None]) -> None:
    """Refuse a list of files that does not stay in its folder and its bounds.

    Args:
        model: whose files, for the text.
        files: size by name, ``/`` between folders; None where it is not known.

    Raises:
        ModelRejected: too many, too large, or a name that leaves the folder.
    """
    if len(files) > MAX_FILES:
        raise ModelRejected(f"{model} has more than {MAX_FILES} files")
    if sum(size or 0 for size in files.values()) > MAX_BYTES:
        raise ModelRejected(f"{model} has more than {MAX_BYTES} bytes")
    for name, size in files.items():
        if not stays(name) or (size or 0) < 0:
            raise ModelRejected(f"{model} has a file named {name!r}: refused")


def stays(name: str) -> bool:
    """Whether a name, with ``/`` between folders, can only mean a file below."""
    parts = name.split("/")
    return (
        len(name) <= _LENGTH
        and len(parts) <= _DEPTH
        and name.isprintable()
        and "\\" not in name
        and parts[0] != PARTS
        and not {"", ".", ".."} & set(parts)
    )


@contextlib.contextmanager
def disk(where: Path) -> Iterator[None]:
    """This gateway's disk failed: said in words, to be tried again later."""
    try:
        yield
    except OSError as error:
        raise RegistryUnavailable(_said(where, error)) from error


def _said(where: Path, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk of {where} is full: make room; the copy then goes on"
    return f"cannot write below {where}: {(error.strerror or str(error)).lower()}"


class Landing:
    """A folder while a version is fetched into it; afterwards it holds nothing else.

    Args:
        model: whose files, for the texts.
        into: the folder; made where missing.
        files: size by name, None where it is not known.
        proceed: told bytes done and in all; False stops.

    Raises:
        ModelRejected: see `check_files`.
        RegistryUnavailable: the disk is full or failed, or ``proceed`` said no.
    """

    def __init__(
        self,
        model: str,
        into: Path,
        files: Mapping[str, int | None],
        proceed: Callable[[int, int], bool],
    ) -> None:
        check_files(model, files)
        self._into, self._files, self._proceed = into, files, proceed
        sizes = [size for size in files.values() if size is not None]
        self._total = sum(sizes) if len(sizes) == len(files) else 0
        self._done = 0

    def __enter__(self) -> Self:
        with disk(self._into):
            (self._into / PARTS).mkdir(parents=True, exist_ok=True)
            self._clear()
            free = shutil.disk_usage(self._into).free
        needed = sum(self._lacking(name) for name in self._files)
        if needed and needed + RESERVE > free:
            # what is free differs at each try, and a change would be told each time
            raise RegistryUnavailable(
                f"the disk of {self._into} has less than {needed + RESERVE} bytes "
                "free: make room"
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return  # what has come stays for the next time
        with disk(self._into):
            shutil.rmtree(self._into / PARTS)
            for folder in {self._into, *((self._into / n).parent for n in self._files)}:
                sync_folder(folder)
            sync_folder(self._into.parent)

    def has(self, name: str, same: Callable[[Path], bool] | None = None) -> bool:
        """Whether a file is whole already; it then counts as done.

        Args:
            name: which.
            same: looks into a file of the right size; without it the size is enough.
        """
        size = self._files[name]
        try:
            there = (self._into / name).lstat().st_size
        except OSError:
            return False
        if size is not None and there != size:
            return False
        if same is not None and not same(self._into / name):
            return False
        self._advance(there)
        return True

    def held(self, name: str) -> tuple[int, str]:
        """Bytes of a file that a call before left, and their mark; 0 and empty."""
        part, marked = self._part(name), self._mark(name)
        try:
            with marked.open(encoding="utf-8") as file:
                mark = file.read(_MARK)
            there = part.stat().st_size
        except (OSError, ValueError):
            return 0, ""
        size = self._files[name]
        usable = mark and (size is None or there < size)
        return (there, mark) if usable else (0, "")

    def forget(self, name: str) -> None:
        """Begin a file anew next time."""
        with disk(self._into):
            self._mark(name).unlink(missing_ok=True)

    def receive(
        self, name: str, pieces: Iterable[bytes], *, offset: int = 0, mark: str = ""
    ) -> None:
        """Write one file; whole and synced when this returns.

        Args:
            name: which.
            pieces: its bytes from ``offset`` on, at most a MiB each; what they raise
                passes through, and what came before stays.
            offset: go on behind so many bytes of the part that `held` told of.
            mark: names the file's content; kept beside a part that begins at 0.

        Raises:
            RegistryUnavailable: more or fewer bytes than promised, or the disk failed.
            ModelRejected: more than a version may have.
        """
        part = self._part(name)
        self._advance(offset)
        with disk(self._into):
            with part.open("r+b" if offset else "wb") as file:
                if not offset:
                    self._mark(name).write_text(mark[:_MARK], encoding="utf-8")
                file.truncate(offset)
                file.seek(offset)
                for piece in pieces:
                    self._check_room(name, file.tell() + len(piece))
                    file.write(piece)
                    self._advance(len(piece))
                file.flush()
                os.fsync(file.fileno())
                came = file.tell()
            self._check_whole(name, came)
            whole = self._into / name
            whole.parent.mkdir(parents=True, exist_ok=True)
            part.replace(whole)
            self._mark(name).unlink(missing_ok=True)

    def _advance(self, count: int) -> None:
        self._done += count
        if not self._proceed(self._done, self._total):
            raise RegistryUnavailable(f"stopped after {self._done} bytes, as asked")

    def _check_room(self, name: str, size: int) -> None:
        promised = self._files[name]
        if promised is not None and size > promised:
            self._mark(name).unlink(missing_ok=True)  # begin anew next time
            raise RegistryUnavailable(
                f"{name} has more than the {promised} bytes it was listed with"
            )
        if size > MAX_BYTES or self._done > MAX_BYTES:
            raise ModelRejected(f"{name} makes it more than {MAX_BYTES} bytes")

    def _check_whole(self, name: str, size: int) -> None:
        promised = self._files[name]
        if promised is not None and size != promised:
            raise RegistryUnavailable(
                f"{name} ended after {size} of {promised} bytes; next time the rest"
            )

    def _lacking(self, name: str) -> int:
        """Bytes that a file still takes of the disk."""
        size = self._files[name] or 0
        with contextlib.suppress(OSError):
            if (self._into / name).lstat().st_size == size:
                return 0
        return max(0, size - self.held(name)[0])

    def _part(self, name: str) -> Path:
        short = hashlib.sha256(name.encode()).hexdigest()[:16]
        return self._into / PARTS / short

    def _mark(self, name: str) -> Path:
        return self._part(name).with_suffix(".mark")

    def _clear(self) -> None:
        """Remove what does not belong to this version."""
        wanted = {self._into / name for name in self._files}
        wanted |= {self._part(name) for name in self._files}
        wanted |= {self._mark(name) for name in self._files}
        for place, folders, files in os.walk(self._into, topdown=False):
            for path in (self._into / place / name for name in files):
                if path not in wanted:
                    path.unlink()
            for path in (self._into / place / name for name in folders):
                if path.is_symlink():
                    path.unlink()
                elif path.name != PARTS and not any(path.iterdir()):
                    path.rmdir()
