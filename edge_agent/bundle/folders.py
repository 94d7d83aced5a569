"""NAME or NAME@VERSION to a bundle's folder."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from pathlib import Path

PASSPORT_FILE = "passport.yaml"

_REFERENCE = re.compile(r"([A-Za-z0-9_-]+)(?:@([A-Za-z0-9_][A-Za-z0-9_.-]*))?")
_SEMANTIC = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?"
)

_Order = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


def version_order(version: str) -> _Order | None:
    """Sort key of a semantic version; None when the text is none.

    A pre-release (``2.0.0-rc.1``) sorts before its release, numbers by value.
    """
    match = _SEMANTIC.fullmatch(version)
    if match is None:
        return None
    parts = match[4].split(".") if match[4] else []
    keys = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)
    return int(match[1]), int(match[2]), int(match[3]), 0 if parts else 1, keys


def versions(registry: Path, name: str) -> list[str]:
    """Versions of a model that lie in the registry, oldest first."""
    try:
        folders = [f.name for f in (registry / name).iterdir() if _is_bundle(f)]
    except OSError:
        return []
    keyed = [(order, f) for f in folders if (order := version_order(f)) is not None]
    return [name for _, name in sorted(keyed)]


def find(registry: Path, ref: str) -> Path:
    """Folder of a model: the version asked for, else the newest release.

    A pre-release is taken only when asked for by its version, or when there is
    nothing else.

    Raises:
        ModelRejected: no such model or version; the text says what there is.
    """
    match = _REFERENCE.fullmatch(ref)
    if match is None:
        raise ModelRejected(f"{ref!r} is not a model; write NAME or NAME@VERSION")
    name, wanted = match[1], match[2]
    there = versions(registry, name)
    if not there:
        raise ModelRejected(_no_model(registry, name))
    if wanted is None:
        releases = [v for v in there if "-" not in v]
        return registry / name / (releases or there)[-1]
    if wanted not in there:
        listed = ", ".join(there)
        raise ModelRejected(
            f"{registry} has no {name}@{wanted}; it has version {listed}"
        )
    return registry / name / wanted


def _is_bundle(folder: Path) -> bool:
    return (folder / PASSPORT_FILE).is_file()


def _no_model(registry: Path, name: str) -> str:
    try:
        names = sorted(f.name for f in registry.iterdir() if versions(registry, f.name))
    except OSError as error:
        return f"cannot read the model registry {registry}: {error.strerror}"
    if not names:
        return (
            f"the model registry {registry} holds no model (NAME/VERSION/passport.yaml)"
        )
    near = get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{registry} has no model {name!r}; it has {', '.join(names)}{hint}"
