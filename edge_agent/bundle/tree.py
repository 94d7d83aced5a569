"""Every file of a bundle's folder, found without trusting the folder.

What came from outside may hold anything: links that lead elsewhere, a pipe that never
ends, two names that another file system takes for one. All of it is refused by name;
nothing is skipped. Each folder is opened from its parent's descriptor, without
following links, so that nothing can be swapped for something outside while it is read;
a file is looked at before it is opened (opening a device may already do something) and
once more afterwards.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What one version of a model may hold at most.
MAX_FILES, MAX_BYTES = 256, 2**30
#: Folders below each other.
MAX_DEPTH = 8

_MAX_NAME_BYTES = 1000
_CHUNK = 2**20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# a pipe put in the file's place must not make open() wait for its other end
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def listed(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its name below the folder (``weights/a.bin``).

    Returns:
        Name -> 64 hex digits, by name. Folders without a file leave no trace.

    Raises:
        ModelRejected: something that is no plain file or folder, has a second name, or
            is too much; the text names it.
    """
    walk = _Walk(folder)
    walk.run()
    return dict(sorted(walk.sums.items()))


def read_one(folder: Path, name: str, limit: int) -> bytes | None:
    """One file directly in the folder, None where there is none.

    Args:
        folder: the bundle's.
        name: without a slash.
        limit: bytes it may have.

    Raises:
        ModelRejected: it is no plain file, too large, or cannot be read.
    """
    try:
        root = os.open(folder, _FOLDER)
    except OSError as error:
        raise _unreadable(folder, error) from error
    try:
        with os.fdopen(_open_file(root, name, f"{folder}: {name}"), "rb") as stream:
            body = stream.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(folder / name, error) from error
    finally:
        os.close(root)
    if len(body) > limit:
        raise ModelRejected(f"{folder}: {name} is larger than {limit} bytes")
    return body


def plain(name: str) -> bool:
    """True for a name that `listed` could give: relative, and only downwards."""
    parts = name.split("/")
    return (
        not {"", ".", ".."} & set(parts)
        and "\\" not in name
        and name.isprintable()
        and len(parts) <= MAX_DEPTH + 1
        and len(name.encode()) <= _MAX_NAME_BYTES
    )


class _Walk:
    """One walk through a folder, and how much it has met."""

    def __init__(self, folder: Path) -> None:
        self.sums: dict[str, str] = {}
        self._folder = folder
        self._files = self._folders = 0
        self._announced = self._read = 0

    def run(self) -> None:
        try:
            root = os.open(self._folder, _FOLDER)
            try:
                self._enter(root, ())
            finally:
                os.close(root)
        except OSError as error:
            raise _unreadable(self._folder, error) from error

    def _enter(self, descriptor: int, above: tuple[str, ...]) -> None:
        for name, is_folder in sorted(self._entries(descriptor, above)):
            path = (*above, name)
            where = f"{self._folder}: {'/'.join(path)}"
            if not is_folder:
                self.sums["/".join(path)] = self._sum(descriptor, name, where)
                continue
            try:
                below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            except OSError as error:
                raise _unreadable(where, error) from error
            try:
                self._enter(below, path)
            finally:
                os.close(below)

    def _entries(
        self, descriptor: int, above: tuple[str, ...]
    ) -> Iterator[tuple[str, bool]]:
        """Names in one folder, each with whether it is a folder itself."""
        taken: dict[str, str] = {}
        with os.scandir(descriptor) as entries:
            for entry in entries:
                path = "/".join((*above, entry.name))
                self._check_name(entry.name, path, len(above))
                other = taken.setdefault(_folded(entry.name), entry.name)
                if other != entry.name:
                    raise ModelRejected(
                        f"{self._folder}: {path!r} and {other!r} are one name on some "
                        "systems: rename one"
                    )
                facts = entry.stat(follow_symlinks=False)
                is_folder = stat.S_ISDIR(facts.st_mode)
                if not is_folder:
                    _check_file(facts, f"{self._folder}: {path}")
                self._count(facts, is_folder=is_folder)
                yield entry.name, is_folder

    def _check_name(self, name: str, path: str, depth: int) -> None:
        try:
            size = len(path.encode())
        except UnicodeEncodeError:
            raise ModelRejected(
                f"{self._folder}: the name {path!r} is not UTF-8: rename it"
            ) from None
        if not name.isprintable() or "\\" in name:
            raise ModelRejected(
                f"{self._folder}: the name {path!r} has characters that do not print, "
                "or a backslash: rename it"
            )
        if depth > MAX_DEPTH or size > _MAX_NAME_BYTES:
            raise ModelRejected(
                f"{self._folder}: {path[:80]}… lies too deep; {MAX_DEPTH} folders "
                f"below each other and {_MAX_NAME_BYTES} bytes of name are allowed"
            )

    def _count(self, facts: os.stat_result, *, is_folder: bool) -> None:
        self._folders += is_folder
        self._files += not is_folder
        if max(self._files, self._folders) > MAX_FILES:
            raise ModelRejected(
                f"{self._folder} holds more than {MAX_FILES} files or folders; a "
                "bundle is a few files, keep other things elsewhere"
            )
        self._announced += 0 if is_folder else facts.st_size
        if self._announced > MAX_BYTES:
            raise _too_large(self._folder)

    def _sum(self, descriptor: int, name: str, where: str) -> str:
        digest = hashlib.sha256()
        try:
            file = _open_file(descriptor, name, where)
            with os.fdopen(file, "rb", buffering=0) as stream:
                while chunk := stream.read(_CHUNK):
                    self._read += len(chunk)  # it may grow meanwhile
                    if self._read > MAX_BYTES:
                        raise _too_large(self._folder)
                    digest.update(chunk)
        except OSError as error:
            raise _unreadable(where, error) from error
        return digest.hexdigest()


def _open_file(descriptor: int, name: str, where: str) -> int:
    """A descriptor of a plain file with one name.

    Raises:
        OSError: it is not there, or cannot be opened.
        ModelRejected: it is something else.
    """
    _check_file(os.stat(name, dir_fd=descriptor, follow_symlinks=False), where)
    file = os.open(name, _FILE, dir_fd=descriptor)
    try:
        _check_file(os.fstat(file), where)
    except BaseException:
        os.close(file)
        raise
    return file


def _check_file(facts: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise ModelRejected(
            f"{where} is {_kind(facts.st_mode)}; a bundle holds plain files only: put "
            "a copy of the file in its place, or remove it"
        )
    if facts.st_nlink > 1:
        raise ModelRejected(
            f"{where} is a hard link: it can be changed under another name; put a copy "
            "of the file in its place"
        )


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _folded(name: str) -> str:
    """Equal for names that some file system does not tell apart."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _too_large(folder: Path) -> ModelRejected:
    return ModelRejected(f"{folder} holds more than {MAX_BYTES >> 20} MiB")


def _unreadable(where: Path | str, error: OSError) -> ModelRejected:
    return ModelRejected(f"{where} cannot be read: {error.strerror or error}")
