"""The lives of all pipelines' models, in memory and on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge_agent.registry import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.registry.cache import Cache
    from edge_agent.registry.life import Life, Version

log = structlog.get_logger()


class Ledger:
    """Every life as it is; on disk too, unless the disk refuses.

    A full disk must not keep a failing model in its seat: then memory counts, and the
    file follows as soon as it can.

    Args:
        cache: what this gateway keeps.
        names: of the pipelines.
    """

    def __init__(self, cache: Cache, names: Iterable[str]) -> None:
        self.lives: dict[str, Life] = {
            name: lifecycle.reconsider(cache.life(name)) for name in names
        }
        self._cache = cache
        self._unkept: set[str] = set()
        self._unmarked: dict[str, Version] = {}

    def keep(self, name: str, life: Life) -> None:
        """Go on with another life."""
        if life == self.lives[name] and name not in self._unkept:
            return
        self.lives[name] = life
        try:
            self._cache.keep(name, life)
            self._unkept.discard(name)
        except OSError as why:
            if name not in self._unkept:
                log.error(  # noqa: TRY400 - the disk's fault has no trace
                    "life of models not kept", pipeline=name, why=str(why)
                )
            self._unkept.add(name)

    def mark(self, name: str, version: Version) -> None:
        """Remember that a version became active: a lower release is a downgrade."""
        try:
            self._cache.raise_mark(version)
            self._unmarked.pop(name, None)
        except OSError as why:
            if name not in self._unmarked:
                log.error(  # noqa: TRY400 - the disk's fault has no trace
                    "release mark not kept", pipeline=name, why=str(why)
                )
            self._unmarked[name] = version

    def retry(self) -> None:
        """Keep what the disk refused before."""
        for name in list(self._unkept):
            self.keep(name, self.lives[name])
        for name, version in list(self._unmarked.items()):
            self.mark(name, version)
