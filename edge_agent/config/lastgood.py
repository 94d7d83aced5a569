"""The last configuration that was good, to start from when an edit breaks it.

A copy of the files as they were, in the state folder, beside a note of where they
came from: relative paths still count from there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.config import loading
from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from edge_agent.config.loading import Loaded

FOLDER = "last-good"
ORIGIN = "origin.txt"


def keep(path: Path, loaded: Loaded) -> None:
    """Copy a configuration that was accepted; a disk that refuses is no reason to stop.

    Args:
        path: the file or folder it was read from.
        loaded: what was read.
    """
    root = path if path.is_dir() else path.parent
    into = _place()
    fresh = into.with_suffix(".new")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for file in loaded.files:
            copy = fresh / os.path.relpath(file.resolve(), root.resolve())
            if copy.resolve().is_relative_to(fresh.resolve()):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copy)
        main = "" if path.is_dir() else path.name
        (fresh / ORIGIN).write_text(f"{root.resolve()}\n{main}\n", encoding="utf-8")
        shutil.rmtree(into, ignore_errors=True)
        fresh.rename(into)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)


def kept(path: Path) -> Loaded | None:
    """The last good configuration, None where there is none to be had.

    Args:
        path: what is broken now; the copy of another configuration is not taken.
    """
    folder, asked = _place(), path if path.is_dir() else path.parent
    try:
        root, main = (folder / ORIGIN).read_text(encoding="utf-8").splitlines()[:2]
        if Path(root) != asked.resolve():
            return None
        return loading.read(folder / main if main else folder, home=Path(root))
    except (OSError, ValueError, ConfigError):
        return None


def _place() -> Path:
    """One place, whatever the configuration says: a broken one says nothing."""
    return Path(os.environ.get("STATE_DIRECTORY", loading.STATE_DIR)) / FOLDER
