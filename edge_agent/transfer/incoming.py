"""A package at its gateway: models, configuration and receipts put in their places.

Everything is looked at before anything is changed. Models only come into the registry's
folder: whether one may score is for the agent to see, as with any other. A lower number
than the last is refused: an old stick must not bring an old configuration back.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.bundle.trust import Trust
from edge_agent.config import loading
from edge_agent.durable import write_below, write_whole
from edge_agent.errors import ConfigError, ModelRejected
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.publishing import wrap
from edge_agent.transfer import package
from edge_agent.transfer.manifest import MAX_BYTES, unseal
from edge_agent.transfer.packing import CONFIG, MODELS, RECEIPTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.config.loading import Loaded
    from edge_agent.transfer.manifest import Manifest
    from edge_agent.transfer.outgoing import Sender
    from edge_agent.transfer.package import Progress

_LAST = "imported"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a package.

    Attributes:
        number: of it.
        models: ``NAME@VERSION`` now in the registry's folder.
        config: files of the configuration that were replaced or added.
        kept: where those of before are; None where none were replaced.
        receipts: objects that the centre has said it has.
    """

    number: int
    models: Sequence[str] = ()
    config: Sequence[str] = ()
    kept: Path | None = None
    receipts: int = 0


def bring(
    folder: Path,
    loaded: Loaded,
    root: Path,
    sender: Sender,
    *,
    trust: Trust | None = None,
    again: bool = False,
    progress: Progress = package.quiet,
) -> Imported:
    """Take a package.

    Args:
        folder: of the package.
        loaded: the configuration as it is.
        root: its file or folder.
        sender: this gateway, as it packs.
        trust: whose packages count; without it the registry's trusted keys.
        again: take it although it was taken, or a later one.
        progress: told of each file that was looked at.

    Raises:
        ModelRejected: it is not for us, not as it was signed, too old, or a model or
            receipt in it is not sound; nothing was changed.
        ConfigError: the configuration in it is wrong; nothing was changed.
        OSError: a disk refused.
    """
    trust = trust or _trusted(loaded)
    manifest, _ = package.read(folder, trust.keys)
    _check(manifest, sender, again=again)
    package.check(folder, manifest, progress)
    with tempfile.TemporaryDirectory(prefix="edge-agent-package-") as scratch:
        staged = Path(scratch)
        for file in manifest.files:
            name = file.name.split("/")
            write_below(staged, name, package.body(folder, file))
        notes = _receipts(staged, trust)
        files = _of(manifest, CONFIG)
        if files:
            _check_configuration(staged, root)
        models = _models(staged, loaded, manifest)
        kept = _replace(staged, root, files, sender.state, manifest.number)
    objects = sum(sender.receipt(note) for note in notes)
    _remember(sender.state, manifest.number)
    return Imported(manifest.number, models, files, kept, objects)


def _trusted(loaded: Loaded) -> Trust:
    settings = loaded.config.registry
    if not settings.trusted_keys:
        raise ConfigError(
            "no key is trusted here, so anybody could have made this package: name the "
            "centre's under registry.trusted_keys, or give --trust FILE"
        )
    return Trust.load(settings.trusted_keys, settings.revoked)


def _check(manifest: Manifest, sender: Sender, *, again: bool) -> None:
    if manifest.kind != "to-gateway":
        raise ModelRejected(f"this is a package {manifest.kind}, not to a gateway")
    if manifest.gateway != sender.gateway:
        raise ModelRejected(
            f"this package is for {manifest.gateway}, and this gateway is "
            f"{sender.gateway}"
        )
    last = _last(sender.state)
    if manifest.number <= last and not again:
        raise ModelRejected(
            f"package {manifest.number} is not newer than {last}, which was taken: is "
            "it an old stick? (--again takes it all the same)"
        )


def _last(state: Path) -> int:
    try:
        return int((state / _LAST).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _remember(state: Path, number: int) -> None:
    state.mkdir(parents=True, exist_ok=True)
    highest = max(number, _last(state))
    write_whole(state / _LAST, f"{highest}\n".encode("ascii"))


def _of(manifest: Manifest, kind: str) -> list[str]:
    return [
        file.name.partition("/")[2]
        for file in manifest.files
        if file.name.startswith(f"{kind}/")
    ]


def _receipts(staged: Path, trust: Trust) -> list[Manifest]:
    found = []
    for path in sorted((staged / RECEIPTS).glob("*")):
        text = path.read_bytes()
        if len(text) > MAX_BYTES:
            raise ModelRejected(f"the receipt {path.name} is too large")
        note, _ = unseal(text, trust.keys, path.name)
        if note.kind != "receipt":
            raise ModelRejected(f"{path.name} is no receipt")
        found.append(note)
    return found


def _check_configuration(staged: Path, root: Path) -> None:
    """Read it as it will lie there: with what it does not replace.

    Raises:
        ConfigError: with every mistake.
    """
    home = root if root.is_dir() else root.parent
    whole = staged / "whole"
    if root.is_dir():
        shutil.copytree(root, whole)
        main = whole
    else:
        whole.mkdir()
        main = whole / root.name
        shutil.copy2(root, main)
    shutil.copytree(staged / CONFIG, whole, dirs_exist_ok=True)
    loading.read(main, home=home.resolve())


def _models(staged: Path, loaded: Loaded, manifest: Manifest) -> list[str]:
    names = sorted({"/".join(n.split("/")[:2]) for n in _of(manifest, MODELS)})
    if not names:
        return []
    settings = loaded.config.registry
    if settings.type != "directory":
        raise ModelRejected(
            "the package holds models, and this gateway's registry is no folder "
            f"({settings.type}): publish them there"
        )
    folders = [staged / MODELS / name for name in names]
    for folder in folders:
        wrap(folder)  # all of them are sound, or none is taken
    shelf = DirectoryRegistry(settings.folder, loaded.config.gateway)
    offers = [shelf.push(folder, {}) for folder in folders]
    return [f"{offer.name}@{offer.version}" for offer in offers]


def _replace(
    staged: Path, root: Path, files: Sequence[str], state: Path, number: int
) -> Path | None:
    """Put the configuration's files, keeping those of before."""
    home = root if root.is_dir() else root.parent
    kept = state / "before" / f"{number:06d}"
    replaced = None
    for name in files:
        old, new = home / name, staged / CONFIG / name
        if old.is_file():
            kept.mkdir(parents=True, exist_ok=True)
            write_below(kept, name.split("/"), old.read_bytes())
            replaced = kept
        write_below(home, name.split("/"), new.read_bytes())
    return replaced
