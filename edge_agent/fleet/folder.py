"""An archive in a folder of this machine: a disk, a share, a stick. Read in place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from edge_agent.centre.names import sha_of
from edge_agent.errors import ArchiveUnavailable
from edge_agent.fleet.listing import Listing, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.centre.names import Named
    from edge_agent.fleet.asked import Asked

#: What DuckDB would take for a pattern, or for a partition, above the archive.
_ODD = frozenset("*?[]{}=")


class Folder:
    """An archive in a folder.

    Args:
        path: the folder that holds ``predictions/`` and so on.

    Raises:
        ArchiveUnavailable: it is not there.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ArchiveUnavailable(
                f"{path} is no folder: name the one the gateways write to"
            )
        self.path = path.resolve()
        self._link: tempfile.TemporaryDirectory[str] | None = None

    @property
    def root(self) -> Path:
        """The folder by a name without anything DuckDB reads a meaning into."""
        if not _ODD & set(str(self.path)):
            return self.path
        if self._link is None:
            self._link = tempfile.TemporaryDirectory(prefix="edge-agent-fleet-")
            Path(self._link.name, "archive").symlink_to(self.path)
        return Path(self._link.name, "archive")

    def close(self) -> None:
        """Leave nothing behind."""
        if self._link is not None:
            self._link.cleanup()
            self._link = None

    def listing(self, table: str, asked: Asked) -> Listing:
        """What lies there of a table.

        Raises:
            ArchiveUnavailable: the disk does not answer.
        """
        try:
            return listed(table, self._names(table, asked), asked)
        except OSError as why:
            raise ArchiveUnavailable(f"{self.path} cannot be listed: {why}") from why

    def wrong(self, one: Named) -> str:
        """Why an object cannot be read; empty where it is what its name says."""
        try:
            body = (self.path / str(one)).read_bytes()
        except OSError as why:
            return f"cannot be read: {why.strerror}"
        return "" if sha_of(body) == one.sha else "is damaged, or half-written"

    def put(self, one: Named, body: bytes) -> None:
        """Write an object whole.

        Raises:
            OSError: the disk refused.
        """
        from edge_agent.durable import write_below  # noqa: PLC0415 - for compaction

        write_below(self.path, str(one).split("/"), body)

    def remove(self, one: Named) -> None:
        """Remove an object; one that is gone is removed.

        Raises:
            OSError: the disk refused.
        """
        (self.path / str(one)).unlink(missing_ok=True)

    def _names(self, table: str, asked: Asked) -> Iterator[str]:
        first, last = asked.days
        for site in _below(self.path / table, "site="):
            for gateway in _below(site, "gateway="):
                whose = unquote(site.name[5:]), unquote(gateway.name[8:])
                if not asked.of(*whose):
                    continue
                yield f"{table}/{site.name}/{gateway.name}/"
                for day in _below(gateway, "day="):
                    if first <= day.name[4:] <= last:
                        above = f"{table}/{site.name}/{gateway.name}/{day.name}"
                        yield from (f"{above}/{name}" for name in _files(day))


def _below(folder: Path, begin: str) -> Iterator[Path]:
    """Folders, in order; no links: they may lead anywhere."""
    try:
        with os.scandir(folder) as found:
            names = [e.name for e in found if e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    yield from (folder / name for name in sorted(names) if name.startswith(begin))


def _files(folder: Path) -> list[str]:
    with os.scandir(folder) as found:
        return [e.name for e in found if e.is_file(follow_symlinks=False)]
