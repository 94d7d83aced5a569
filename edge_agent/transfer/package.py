"""Packages on a disk that anybody may have written: made, looked at, read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.durable import write_below, write_whole
from edge_agent.errors import ModelRejected
from edge_agent.transfer.manifest import MAX_BYTES, File, Manifest, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from edge_agent.bundle.keys import PrivateKey, PublicKey

    #: Told files and bytes done, and in all.
    Progress = Callable[[int, int], None]

MANIFEST = "manifest.json"
#: Bytes of one file: objects are some MiB, models at most a GiB.
MAX_FILE = 1 << 30
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SHOWN = 3


def quiet(_done: int, _all: int) -> None:
    """Nobody watches."""


def write(
    folder: Path,
    sources: Iterable[tuple[str, Path]],
    blank: Manifest,
    key: PrivateKey,
    progress: Progress = quiet,
) -> Manifest:
    """Make a package; its manifest comes last, so that a half one has none.

    What is there already with the same content is kept: a stick that was pulled is
    gone on with.

    Args:
        folder: of the package; made where missing.
        sources: names below it and the files to copy.
        blank: the manifest but for its files.
        key: signs.
        progress: told of each file.

    Raises:
        OSError: a disk refused.
        ModelRejected: a file is too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = sorted(sources)
    files = []
    for done, (name, source) in enumerate(listed):
        body = _small(source)
        file = File(name, len(body), hashlib.sha256(body).hexdigest())
        if not _has(folder, file):
            write_below(folder, name.split("/"), body)
        files.append(file)
        progress(done + 1, len(listed))
    manifest = Manifest(
        blank.kind,
        blank.gateway,
        blank.site,
        blank.number,
        blank.made,
        tuple(files),
        blank.of,
    )
    write_whole(folder / MANIFEST, seal(manifest, key))
    return manifest


def read(folder: Path, keys: Mapping[str, PublicKey]) -> tuple[Manifest, str]:
    """The manifest of a package, and its digest.

    Raises:
        ModelRejected: there is none, or nobody trusted signed it.
        OSError: the disk refused.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        inside = sorted(one.parent.name for one in folder.glob(f"*/{MANIFEST}"))
        hint = (
            f"name one of the packages in it: {', '.join(inside[:_SHOWN])}"
            if inside
            else "make it again, what is there already is kept"
        )
        raise ModelRejected(
            f"{folder} has no {MANIFEST}: it is no package, or was not finished; {hint}"
        ) from None
    if len(text) > MAX_BYTES:
        raise ModelRejected(f"{path} is larger than {MAX_BYTES} bytes")
    return unseal(text, keys, str(path))


def check(folder: Path, manifest: Manifest, progress: Progress = quiet) -> None:
    """See that every file is what the manifest says, and that there is no other.

    Raises:
        ModelRejected: with the first that is not.
        OSError: the disk refused.
    """
    for done, file in enumerate(manifest.files):
        body(folder, file)
        progress(done + 1, len(manifest.files))
    known = {file.name for file in manifest.files} | {MANIFEST}
    for name in _names(folder):
        if name not in known:
            raise ModelRejected(
                f"{folder} holds {name}, which its manifest does not name: somebody "
                "added it; nothing is taken"
            )


def body(folder: Path, file: File) -> bytes:
    """The content of a file, which is what the manifest says.

    Raises:
        ModelRejected: missing, a link, of another size or content.
        OSError: the disk refused.
    """
    found = _opened(folder, file)
    if found is None:
        raise ModelRejected(
            f"{folder} lacks {file.name}, or it is not the file that was signed "
            "(damaged on the stick, or changed): copy the package again"
        )
    return found


def _opened(folder: Path, file: File) -> bytes | None:
    """Content of a file below a folder without following links; None for another."""
    if file.size > MAX_FILE:
        return None
    *above, last = file.name.split("/")
    descriptor = os.open(folder, _FOLDER)
    try:
        for name in above:
            below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        one = os.open(last, _FILE, dir_fd=descriptor)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            return None
        raise
    finally:
        os.close(descriptor)
    with os.fdopen(one, "rb") as stream:
        if not stat.S_ISREG(os.fstat(one).st_mode):
            return None
        text = stream.read(file.size + 1)
    same = len(text) == file.size and hashlib.sha256(text).hexdigest() == file.sha256
    return text if same else None


def _has(folder: Path, file: File) -> bool:
    return _opened(folder, file) is not None


def _small(source: Path) -> bytes:
    with source.open("rb") as stream:
        text = stream.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise ModelRejected(f"{source} is larger than {MAX_FILE} bytes")
    return text


def _names(folder: Path) -> Iterator[str]:
    """Every name below a folder, links and half files too."""
    for path, folders, files in os.walk(folder):
        linked = [name for name in folders if (Path(path) / name).is_symlink()]
        for name in [*files, *linked]:
            yield os.path.relpath(Path(path) / name, folder)
