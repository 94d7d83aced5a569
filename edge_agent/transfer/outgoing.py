"""What a gateway gives along: objects of its archive that no receipt has come for.

``state_dir/transfer/`` remembers: ``made/NUMBER.json`` is the signed manifest of every
package, ``taken/NUMBER.json`` the receipt of one. A stick that is lost costs nothing:
without its receipt the next package holds the same objects again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.bundle.keys import key_id
from edge_agent.centre.names import Named, named
from edge_agent.durable import write_whole
from edge_agent.errors import ConfigError, ModelRejected
from edge_agent.transfer import package
from edge_agent.transfer.manifest import Manifest, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.bundle.keys import PrivateKey, PublicKey
    from edge_agent.transfer.package import Progress

MADE, TAKEN, OBJECTS = "made", "taken", "objects"
#: Bytes of one package: a stick has room for it.
LARGEST = 8 << 30


@dataclass(frozen=True, slots=True)
class Sender:
    """A gateway that packs.

    Attributes:
        state: ``state_dir/transfer``.
        gateway: its name.
        site: of it.
        key: its own.
    """

    state: Path
    gateway: str
    site: str
    key: PrivateKey

    def export(
        self,
        archive: Path,
        onto: Path,
        made: str,
        *,
        again: bool = False,
        largest: int = LARGEST,
        progress: Progress = package.quiet,
    ) -> tuple[Path, Manifest, int]:
        """Pack what has no receipt; gives the package, and how many objects are left.

        Args:
            archive: the gateway's own, a folder.
            onto: where the package's folder is made.
            made: wall time now, ISO 8601.
            again: also what has a receipt.
            largest: bytes of the package.
            progress: told of each file.

        Raises:
            OSError: a disk refused.
            ConfigError: there is no such folder, or no archive.
            ModelRejected: there is nothing to pack.
        """
        if not onto.is_dir():
            raise ConfigError(
                f"{onto} is no folder: is the stick mounted? It is not made here,"
                " or the package would fill this disk"
            )
        done = set() if again else self.received()
        waiting = [
            (name, path, path.stat().st_size)
            for name, path in sorted(objects(archive), key=lambda one: _age(one[0]))
            if name not in done
        ]
        if not waiting:
            raise ModelRejected(
                f"{archive} holds nothing that the centre does not have: every object "
                "has its receipt (--again packs all of it)"
            )
        chosen: list[tuple[str, Path]] = []
        size = 0
        for name, path, bytes_ in waiting:
            if chosen and size + bytes_ > largest:
                break
            size += bytes_
            chosen.append((f"{OBJECTS}/{name}", path))
        number = self._next()
        folder = onto / f"from-{self.gateway}-{number:06d}"
        blank = Manifest("from-gateway", self.gateway, self.site, number, made)
        manifest = package.write(folder, chosen, blank, self.key, progress)
        self._remember(folder, number)
        return folder, manifest, len(waiting) - len(chosen)

    def receipt(self, manifest: Manifest) -> int:
        """Note that a package came; gives how many objects that were.

        Raises:
            ModelRejected: it is for a package that was not made here.
            OSError: the disk refused.
        """
        known = self._made(manifest.number)
        if manifest.gateway != self.gateway or known is None or known[1] != manifest.of:
            raise ModelRejected(
                f"the receipt is for package {manifest.number} of {manifest.gateway}, "
                f"which {self.gateway} did not make as it came there"
            )
        folder = self.state / TAKEN
        folder.mkdir(parents=True, exist_ok=True)
        note = f"{manifest.of}\n".encode()
        write_whole(folder / f"{manifest.number:06d}.sha256", note)
        return len(known[0].files)

    def received(self) -> set[str]:
        """Names of the objects that the centre has said it has."""
        found: set[str] = set()
        for path in (self.state / TAKEN).glob("*.sha256"):
            known = self._made(int(path.stem)) if path.stem.isdigit() else None
            if known is not None and known[1] == path.read_text("ascii").strip():
                found |= {file.name.partition("/")[2] for file in known[0].files}
        return found

    def _made(self, number: int) -> tuple[Manifest, str] | None:
        path = self.state / MADE / f"{number:06d}.json"
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        return unseal(text, self._own(), str(path))

    def _own(self) -> dict[str, PublicKey]:
        public = self.key.public_key()
        return {key_id(public): public}

    def _next(self) -> int:
        numbers = [
            int(path.stem)
            for path in (self.state / MADE).glob("*.json")
            if path.stem.isdigit()
        ]
        return max(numbers, default=0) + 1

    def _remember(self, folder: Path, number: int) -> None:
        kept = self.state / MADE
        kept.mkdir(parents=True, exist_ok=True)
        text = (folder / package.MANIFEST).read_bytes()
        write_whole(kept / f"{number:06d}.json", text)


def objects(archive: Path) -> Iterator[tuple[str, Path]]:
    """Names and files of an archive in a folder; what is no object is left out.

    Raises:
        ConfigError: there is no such folder.
    """
    if not archive.is_dir():
        raise ConfigError(
            f"{archive} is no folder: a package is made of the archive in a folder; "
            "write centre: {type: directory, path: ...} and let the agent fill it"
        )
    for path in archive.rglob("*.parquet"):
        name = path.relative_to(archive).as_posix()
        if named(name) is not None and path.is_file() and not path.is_symlink():
            yield name, path


def _age(name: str) -> tuple[str, str]:
    """Oldest days first; of one day what matters most comes first."""
    one = named(name)
    assert isinstance(one, Named)  # noqa: S101 - `objects` gives no other
    return one.day, name
