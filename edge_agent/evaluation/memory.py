"""What judgements must not forget: findings, versions acted on, thresholds moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import structlog

from edge_agent.durable import write_whole
from edge_agent.monitoring.episodes import Episodes
from edge_agent.monitors.keeping import packed_episodes, unpacked_episodes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

log = structlog.get_logger()

_NAME = "judged.bin"
_LARGEST = 4 * 2**20
#: Versions that are remembered as acted on.
_VERSIONS = 50


class Moved(msgspec.Struct, frozen=True, array_like=True):
    """A threshold that was moved to hold the budget of false alarms.

    Attributes:
        digest: of the version it is of.
        base: its threshold before.
        threshold: since then.
        at: agent time, ns.
    """

    digest: str
    base: float
    threshold: float
    at: int


class _Kept(msgspec.Struct):
    episodes: bytes
    asked: dict[str, int]
    acted: dict[str, int]
    moved: Moved | None = None


@dataclass(slots=True)
class Memory:
    """Of one pipeline.

    Attributes:
        episodes: what was told.
        asked: digest of a version that was asked to go -> the newest prediction it was
            judged by, agent time, ns.
        acted: likewise of versions that went: only newer ones count from then on.
        moved: the threshold, where it was moved.
    """

    path: Path
    episodes: Episodes = field(default_factory=Episodes)
    asked: dict[str, int] = field(default_factory=dict)
    acted: dict[str, int] = field(default_factory=dict)
    moved: Moved | None = None

    @staticmethod
    def of(folder: Path, pipeline: str) -> Memory:
        """As it was kept; what is damaged begins anew.

        Args:
            folder: state_dir/labels.
            pipeline: whose.
        """
        path = folder / pipeline / _NAME
        try:
            with path.open("rb") as file:
                body = file.read(_LARGEST + 1)
            kept = msgspec.msgpack.decode(body, type=_Kept)
        except FileNotFoundError:
            return Memory(path)
        except (OSError, ValueError, msgspec.MsgspecError) as why:
            log.warning("judgements not restored", pipeline=pipeline, why=str(why))
            return Memory(path)
        episodes = unpacked_episodes(kept.episodes, pipeline)
        return Memory(path, episodes, kept.asked, kept.acted, kept.moved)

    def went(self, digest: str) -> bool:
        """Versions that were asked to go and do not score any more have gone.

        Args:
            digest: of what scores.

        Returns:
            Whether there was one.
        """
        gone = [one for one in self.asked if one != digest]
        for one in gone:
            self.acted.pop(one, None)
            self.acted[one] = self.asked.pop(one)
        while len(self.acted) > _VERSIONS:
            del self.acted[next(iter(self.acted))]
        return bool(gone)

    def keep(self) -> None:
        """Make it durable; a disk that refuses costs no judgement."""
        kept = _Kept(packed_episodes(self.episodes), self.asked, self.acted, self.moved)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, msgspec.msgpack.encode(kept), 0o640)
        except OSError as why:
            name = self.path.parent.name
            log.warning("judgements not kept", pipeline=name, why=str(why))


def moved_thresholds(folder: Path, pipelines: Iterable[str]) -> dict[str, Moved]:
    """Thresholds that were moved before a restart.

    Args:
        folder: state_dir/labels.
        pipelines: where thresholds may be moved.
    """
    found = {name: Memory.of(folder, name).moved for name in pipelines}
    return {name: moved for name, moved in found.items() if moved is not None}
