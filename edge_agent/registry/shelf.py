"""How a directory registry lies on its disk, and how its files are changed.

    PATH/NAME/VERSION/            a bundle's files
    PATH/NAME/desired.json        aliases, tags of the model and of its versions
    PATH/reported/GATEWAY.json    what a gateway runs: the receipt that a stick
                                  brings back
    PATH/from-gateways/GATEWAY/   what else a gateway sends: labels, evidence

Every file is written whole or not at all, and no link is followed below PATH.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from edge_agent.bundle.folders import PASSPORT_FILE, version_order
from edge_agent.durable import sync_folder, write_below
from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry import documents, medium
from edge_agent.registry.documents import MAX_DOCUMENT, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge_agent.registry.documents import Desired

DESIRED, REPORTED, RECEIVED = "desired.json", "reported", "from-gateways"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_LOCK = ".desired.lock"
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Shelf:
    """The files of a directory registry.

    Args:
        path: the folder the operator named; it may be a link itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def models(self) -> list[str]:
        """Names of all models, sorted.

        Raises:
            RegistryUnavailable: the folder cannot be read.
        """
        with medium.reading(self.path):
            there = [n for n in medium.names(self.path) if _NAME.fullmatch(n)]
        return [name for name in there if self._is_model(name)]

    def home(self, name: str) -> Path:
        """A model's folder.

        Raises:
            ModelRejected: there is none; the text says what there is.
            RegistryUnavailable: nothing is there at all, as where nothing is mounted.
        """
        if _NAME.fullmatch(name) and self._is_model(name):
            return self.path / name
        there = self.models()
        if not there and not self._holds_anything():
            raise RegistryUnavailable(
                f"{self.path} is empty: is the stick or share mounted?"
            )
        near = get_close_matches(name, there, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        has = ", ".join(there) or "no model"
        raise ModelRejected(f"{self.path} has no model {name!r}; it has {has}{hint}")

    def versions(self, name: str) -> tuple[str, ...]:
        """Versions of a model, oldest first.

        Raises:
            RegistryUnavailable: the folder cannot be read.
        """
        home = self.path / name
        with medium.reading(home):
            there = medium.names(home)
            bundles = [v for v in there if (home / v / PASSPORT_FILE).exists()]
        keyed = [(order, v) for v in bundles if (order := version_order(v)) is not None]
        return tuple(version for _, version in sorted(keyed))

    def version(self, name: str, version: str) -> Path:
        """The folder of one version.

        Raises:
            ModelRejected: there is none; the text says what there is.
            RegistryUnavailable: it cannot be read.
        """
        home, there = self.home(name), self.versions(name)
        if version in there:
            return home / version
        has = ", ".join(there) or "no version"
        raise ModelRejected(f"{self.path} has no {name}@{version}; it has {has}")

    def make(self, name: str) -> None:
        """Make a model's folder where it is missing.

        Raises:
            ModelRejected: no model may have that name here.
            RegistryUnavailable: it cannot be written.
        """
        home = self.path / name
        if name in {REPORTED, RECEIVED} or home.is_symlink():
            raise ModelRejected(f"{home} is kept for something else or is a link")
        with self.writing():
            home.mkdir(exist_ok=True)  # not its parent: the stick may be missing
            sync_folder(self.path)

    def desired(self, name: str) -> Desired:
        """How a model is steered.

        Raises:
            RegistryUnavailable: the file cannot be read, or holds something else.
        """
        path = self.path / name / DESIRED
        body = medium.read_small(path, MAX_DOCUMENT)
        try:
            return documents.read_desired(body, path)
        except Unreadable as error:
            raise RegistryUnavailable(f"{error}; mend or remove it") from error

    @contextlib.contextmanager
    def changing(self, name: str) -> Iterator[Desired]:
        """Let a model's desired.json be changed; whoever else wants to waits.

        Raises:
            RegistryUnavailable: it cannot be read or written.
        """
        with self._locked(name):
            desired = self.desired(name)
            before = documents.write_desired(desired)
            yield desired
            after = documents.write_desired(desired)
            if after != before:
                self.write([name, DESIRED], after)

    def write(self, parts: Sequence[str], body: bytes) -> None:
        """Write a file whole or not at all.

        Args:
            parts: names of its folders below the registry's, then its own.
            body: all of it.

        Raises:
            RegistryUnavailable: it cannot be written now.
        """
        with self.writing():
            write_below(self.path, parts, body)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """The stick or share refused: said in words, to be tried again later."""
        try:
            yield
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RegistryUnavailable(
                f"cannot write to {self.path}: {reason}; models can still be read "
                "from it where it is there"
            ) from error

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with self.writing():
            lock = os.open(self.path / name / _LOCK, _LOCK_FLAGS, 0o644)
        try:
            with contextlib.suppress(OSError):  # some network shares cannot lock
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _is_model(self, name: str) -> bool:
        home = self.path / name
        with medium.reading(home):
            if home.is_symlink() or not home.is_dir():
                return False
            steered = (home / DESIRED).exists()
        return steered or bool(self.versions(name))

    def _holds_anything(self) -> bool:
        with medium.reading(self.path), os.scandir(self.path) as entries:
            return next(entries, None) is not None
