"""A package for a gateway: models, configuration, receipts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError, ModelRejected
from edge_agent.registry.publishing import wrap
from edge_agent.transfer import package

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge_agent.bundle.keys import PrivateKey
    from edge_agent.transfer.manifest import Manifest
    from edge_agent.transfer.package import Progress

MODELS, CONFIG, RECEIPTS = "models", "config", "receipts"


def pack(
    onto: Path,
    blank: Manifest,
    key: PrivateKey,
    *,
    models: Sequence[Path] = (),
    config: Path | None = None,
    receipts: Sequence[Path] = (),
    progress: Progress = package.quiet,
) -> tuple[Path, Manifest]:
    """Make it; gives its folder and manifest.

    Args:
        onto: where the package's folder is made.
        blank: ``to-gateway``, without files.
        key: the centre's.
        models: folders of bundles; each is checked.
        config: the gateway's configuration, a file or a folder.
        receipts: files of `taking.receipt`.
        progress: told of each file.

    Raises:
        ModelRejected: a bundle is not sound, or there is nothing to pack.
        ConfigError: there is no such configuration.
        OSError: a disk refused.
    """
    sources = [one for model in models for one in _model(model)]
    sources += _configuration(config) if config is not None else []
    sources += [(f"{RECEIPTS}/{path.name}", path) for path in receipts]
    if not sources:
        raise ModelRejected("nothing to pack: name --model, --config or --receipt")
    folder = onto / f"to-{blank.gateway}-{blank.number:06d}"
    return folder, package.write(folder, sources, blank, key, progress)


def _model(folder: Path) -> Iterator[tuple[str, Path]]:
    parcel = wrap(folder)
    for name in parcel.sizes:
        yield f"{MODELS}/{parcel.name}/{parcel.version}/{name}", folder / name


def _configuration(path: Path) -> list[tuple[str, Path]]:
    if path.is_file():
        return [(f"{CONFIG}/{path.name}", path)]
    if not path.is_dir():
        raise ConfigError(f"{path} is no configuration: no such file or folder")
    return [
        (f"{CONFIG}/{os.path.relpath(file, path)}", file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
