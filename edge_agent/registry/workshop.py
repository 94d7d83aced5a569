"""One step of one version: fetch, verify or vet. Blocks: a worker's.

Each step may be repeated: a kill before its result was kept makes it run again on what
is there. Files are only ever loaded from a folder that was verified whole and renamed
into place.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError, ModelRejected, RegistryUnavailable
from edge_agent.registry import checks
from edge_agent.registry.lifecycle import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.bundle.trust import Trust
    from edge_agent.registry.cache import Cache
    from edge_agent.registry.checks import Room, Verified
    from edge_agent.registry.lifecycle import Version
    from edge_agent.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class Done:
    """What a step led to, and what became known."""

    stage: Stage
    facts: Mapping[str, str | int | bool] = field(default_factory=dict)


class Workshop:
    """Where versions are made ready.

    Args:
        registry: where their files come from.
        cache: where they go.
        trust: who may sign, read anew each time; None asks for no signature.
        room: tries models out.
        site: where this gateway stands.
        archive: keeps a passport for good, by digest.
    """

    def __init__(
        self,
        registry: Registry,
        cache: Cache,
        trust: Callable[[], Trust | None],
        room: Room,
        site: str,
        archive: Callable[[Verified], None],
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._trust = trust
        self._room = room
        self._site = site
        self._archive = archive
        self._stopping = threading.Event()
        self.progress: tuple[int, int] = (0, 0)
        """Bytes fetched of the version on its way, and of how many."""

    def stop(self) -> None:
        """Let a download end soon; what it has is kept."""
        self._stopping.set()

    def tidy(self) -> None:
        """Nothing is to be done for a while: the vetting room's memory is wanted."""
        self._room.close()

    def step(self, version: Version, twin: Version | None) -> Done:
        """The next step.

        Args:
            version: which.
            twin: the same offer in another pipeline, further on its way, if any.

        Raises:
            ModelRejected: the version must not score; the text says why.
            RegistryUnavailable: try again later.
            OSError: this disk refuses; try again later.
        """
        if twin is not None and self._cache.has(twin) and self._trusts(twin):
            known: dict[str, str | int | bool] = {
                "digest": twin.digest,
                "label": twin.label,
                "signer": twin.signer,
                "release": twin.release,
            }
            proven = twin.stage is not Stage.VERIFIED
            return self._as(version, Stage.VETTED if proven else Stage.VERIFIED, known)
        match version.stage:
            case Stage.SEEN:
                return self._fetch(version)
            case Stage.FETCHED:
                return self._verify(version)
            case Stage.VERIFIED:
                return self._vet(version)
            case _:
                raise AssertionError(f"{version.shown} is {version.stage}")

    def _as(
        self, version: Version, stage: Stage, facts: Mapping[str, str | int | bool]
    ) -> Done:
        """One step towards a stage that another pipeline has reached already."""
        order = (Stage.SEEN, Stage.FETCHED, Stage.VERIFIED, Stage.VETTED)
        following = order[order.index(version.stage) + 1]
        reached = order.index(following) <= order.index(stage)
        if not reached:
            return self._vet(version)
        return Done(following, facts if following is not Stage.FETCHED else {})

    def _fetch(self, version: Version) -> Done:
        folder = self._cache.incoming(version)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._registry.fetch(version.offer, folder, self._proceed)
        return Done(Stage.FETCHED)

    def _proceed(self, done: int, whole: int) -> bool:
        self.progress = (done, whole)
        return not self._stopping.is_set()

    def _verify(self, version: Version) -> Done:
        folder = self._cache.incoming(version)
        if not folder.is_dir():
            return Done(Stage.SEEN)  # fetched before a kill, and lost: once more
        mark = self._cache.mark(version.name)
        trust = self._trusted()
        try:
            found = checks.verify(version, folder, trust, mark, self._site)
        except ModelRejected as why:
            # the folder of a moment is of no use to whoever reads this
            raise ModelRejected(str(why).replace(str(folder), version.shown)) from why
        self._archive(found)
        self._cache.settle(version, found.digest)
        facts: dict[str, str | int | bool] = {
            "digest": found.digest,
            "label": found.passport.version,
            "release": found.passport.release,
            "signer": found.signer,
        }
        return Done(Stage.VERIFIED, facts)

    def _trusted(self) -> Trust | None:
        """Whom to trust; where that cannot be read no version is refused for good."""
        try:
            return self._trust()
        except (ConfigError, ModelRejected) as why:
            raise RegistryUnavailable(f"no signature can be checked: {why}") from why

    def _trusts(self, twin: Version) -> bool:
        """Whether its signature would count today: keys are changed and revoked."""
        trust = self._trusted()
        if trust is None:
            return True
        return twin.signer in trust.keys and twin.signer not in trust.revoked.keys

    def _vet(self, version: Version) -> Done:
        if not self._cache.has(version):
            return Done(Stage.SEEN)
        if self._stopping.is_set():
            raise RegistryUnavailable("the agent stops")
        verdict = self._room.vet(self._cache.bundle(version.name, version.digest))
        if not verdict.accepted:
            raise ModelRejected(verdict.reason)
        return Done(Stage.VETTED)
