"""What this gateway keeps of models, so that it needs no registry to score.

    models/bundles/NAME/DIGEST/      verified versions, each whole
    models/incoming/NAME-KEY/        versions on their way; never loaded from here
    models/lives/PIPELINE.json       how far each version has come (`lifecycle.Life`)
    models/marks/NAME.json           the highest release that was active here, and what
                                     else was: going back to those is no downgrade
    models/orders/                   what a person asked for (`orders`)

Invariants: a folder under ``bundles`` got its name by one rename after all its files
were on disk, so what is there is whole. A life is written before it is acted on, and
whole. What no life needs any more is removed only after the life says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import structlog

from edge_agent.bundle import passport as passports
from edge_agent.bundle import tree
from edge_agent.bundle.contents import bundle_digest
from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.durable import sync_folder, write_whole
from edge_agent.errors import ModelRejected
from edge_agent.registry.lifecycle import KEPT, Life, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from edge_agent.registry.lifecycle import Version
    from edge_agent.registry.listing import Offer

log = structlog.get_logger()

#: Digests that were active here and are remembered, a model.
_PROVEN = 50


@dataclass(frozen=True, slots=True)
class Mark:
    """What of a model has been active on this gateway.

    Attributes:
        release: the highest release counter; a lower one is a downgrade.
        proven: digests; going back to one of them is allowed.
    """

    release: int = 0
    proven: tuple[str, ...] = ()


class Cache:
    """The folder ``models`` of the agent's state.

    Args:
        root: it; made where missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            OSError: the disk refuses.
        """
        for name in ("bundles", "incoming", "lives", "marks", "orders"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    # --- lives ------------------------------------------------------------------

    def life(self, pipeline: str) -> Life:
        """How far a pipeline's versions have come; a fresh one where nothing is known.

        A damaged file is put aside: versions are then fetched and proven anew.
        """
        path = self.root / "lives" / f"{pipeline}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Life)
        except (FileNotFoundError, PermissionError):  # a check by somebody else
            return Life()
        except (OSError, msgspec.MsgspecError) as why:
            log.error(  # noqa: TRY400 - the disk's fault has no trace
                "life of models unreadable", pipeline=pipeline, why=str(why)
            )
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".damaged"))
            return Life()

    def keep(self, pipeline: str, life: Life) -> None:
        """Make a life durable.

        Raises:
            OSError: the disk refuses; what was kept before still is.
        """
        path = self.root / "lives" / f"{pipeline}.json"
        write_whole(path, msgspec.json.format(msgspec.json.encode(life)) + b"\n")

    # --- files --------------------------------------------------------------------

    def incoming(self, offer: Offer | Version) -> Path:
        """Where a version's files are gathered."""
        return self.root / "incoming" / f"{offer.name}-{offer.key}"

    def bundle(self, name: str, digest: str) -> Path:
        """Where a verified version lies."""
        return self.root / "bundles" / name / digest

    def has(self, version: Version) -> bool:
        """Whether a verified version's files are here."""
        return (
            bool(version.digest) and self.bundle(version.name, version.digest).is_dir()
        )

    def whole(self, version: Version) -> bool:
        """Whether they are here and the ones that were verified; reads all of them."""
        folder = self.bundle(version.name, version.digest)
        try:
            found, stated = tree.listed(folder), passports.load(folder).files
        except ModelRejected:
            return False
        sums = {name: found.get(name, "") for name in (*stated, PASSPORT_FILE)}
        kept = {**stated, PASSPORT_FILE: sums[PASSPORT_FILE]}
        return sums == kept and bundle_digest(sums) == version.digest

    def remove(self, version: Version) -> None:
        """Remove a version whose files are damaged."""
        if version.digest:
            _remove(self.bundle(version.name, version.digest))

    def settle(self, version: Version, digest: str) -> Path:
        """Give a verified version its place: from here on it may be loaded.

        Args:
            version: in ``incoming``, all its files on disk.
            digest: of the bundle.

        Raises:
            OSError: the disk refuses.
        """
        source, target = self.incoming(version), self.bundle(version.name, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.whole(replace(version, digest=digest)):  # by another way
            shutil.rmtree(source, ignore_errors=True)
            return target
        _remove(target)
        source.rename(target)
        sync_folder(target.parent)
        sync_folder(source.parent)
        return target

    def discard(self, version: Offer | Version) -> None:
        """Forget what was gathered of a version."""
        shutil.rmtree(self.incoming(version), ignore_errors=True)

    def tidy(self, lives: Mapping[str, Life]) -> None:
        """Remove what no pipeline needs any more; a disk that refuses is no matter."""
        versions = [v for life in lives.values() for v in life.versions]
        wanted = {(v.name, v.digest) for v in versions if v.stage in KEPT and v.digest}
        gathering = {
            self.incoming(v).name
            for v in versions
            if v.stage in (Stage.SEEN, Stage.FETCHED)
        }
        for folder in _folders(self.root / "incoming"):
            if folder.name not in gathering:
                shutil.rmtree(folder, ignore_errors=True)
        for model in _folders(self.root / "bundles"):
            for folder in _folders(model):
                if (model.name, folder.name) not in wanted:
                    _remove(folder)

    # --- releases -----------------------------------------------------------------

    def mark(self, model: str) -> Mark:
        """What of a model has been active here."""
        try:
            body = (self.root / "marks" / f"{model}.json").read_bytes()
            return msgspec.json.decode(body, type=Mark)
        except FileNotFoundError:
            return Mark()
        except (OSError, msgspec.MsgspecError) as why:
            log.error(  # noqa: TRY400 - the disk's fault has no trace
                "release mark unreadable", model=model, why=str(why)
            )
            return self._mark_of_lives(model)

    def _mark_of_lives(self, model: str) -> Mark:
        """What the lives still know where the mark itself is damaged."""
        names = [path.stem for path in (self.root / "lives").glob("*.json")]
        known = [v for n in names for v in self.life(n).versions if v.name == model]
        proven = [v for v in known if v.proven]
        release = max((v.release for v in proven), default=0)
        return Mark(release, tuple(v.digest for v in proven))

    def raise_mark(self, version: Version) -> None:
        """Remember that a version was active.

        Raises:
            OSError: the disk refuses.
        """
        old = self.mark(version.name)
        proven = [d for d in old.proven if d != version.digest][-_PROVEN + 1 :]
        mark = Mark(max(old.release, version.release), (*proven, version.digest))
        if mark != old:
            path = self.root / "marks" / f"{version.name}.json"
            write_whole(path, msgspec.json.encode(mark))


def _folders(path: Path) -> Iterable[Path]:
    try:
        return sorted(p for p in path.iterdir() if p.is_dir() and not p.is_symlink())
    except OSError:
        return ()


def _remove(folder: Path) -> None:
    """Remove a bundle so that half of it is never found under its digest."""
    gone = folder.with_name(f".{folder.name}.{os.getpid()}.gone")
    with contextlib.suppress(OSError):
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
