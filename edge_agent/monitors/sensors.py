"""Whether the instruments of an asset type can be believed: looks and findings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import structlog

from edge_agent.findings import findings
from edge_agent.monitoring.diagnosis import diagnosed
from edge_agent.monitoring.episodes import Episodes
from edge_agent.monitoring.sensors import state, watch
from edge_agent.monitoring.sensors.findings import told
from edge_agent.monitoring.sensors.state import Health
from edge_agent.monitoring.sensors.watch import EVERY
from edge_agent.monitors.drift import Beside
from edge_agent.monitors.keeping import packed_episodes, unpacked_episodes
from edge_agent.samples import NANOSECONDS, SampleBatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.instruments import Instruments
    from edge_agent.monitoring.conditions import Condition
    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.records import FindingRecord
    from edge_agent.samples import I64

log = structlog.get_logger()

#: Looks in a row that must see it: half a minute.
PERSIST = 3
#: Ns of habits that a crash may lose: they change slowly, and are large.
KEEP_EVERY = 3600 * NANOSECONDS
_EVERY = round(EVERY * NANOSECONDS)


@dataclass(slots=True)
class SensorWatch:
    """The tags of one asset type.

    Attributes:
        facts: of the tags.
        instruments: counters.
        due: agent time of the next look, ns.
        episodes: what goes on.
        beside: what the last look showed; replaced, never changed.
    """

    facts: Facts
    instruments: Instruments
    due: int
    episodes: Episodes = field(default_factory=Episodes)
    beside: Beside = field(default_factory=Beside)
    _health: Health = field(init=False)
    _batches: list[SampleBatch] = field(default_factory=list)
    _told: bool = False
    _kept: int = 0

    def __post_init__(self) -> None:
        self._health = Health.fresh(self.facts)
        self.beside = Beside(assets=len(self.facts.kind.assets))
        self._kept = self.due

    def take(self, batch: SampleBatch) -> None:
        """Keep a turn's settled samples; once a second they are counted in."""
        if len(batch):
            self._batches.append(batch)

    def fold(self) -> None:
        """Count in what was taken."""
        if self._batches:
            joined = _joined(self._batches)
            self._batches = []
            self._health = watch.take(self._health, self.facts, joined)

    def look(
        self, now: int, alive: I64, running: NDArray[np.bool_] | None
    ) -> list[FindingRecord]:
        """Judge all tags; what begins or ends.

        Args:
            now: agent time, ns.
            alive: int64[sources] when each was last seen alive.
            running: bool[assets], None where nothing says.
        """
        self.due = now + _EVERY
        self.fold()
        self._health, seen = watch.look(self._health, self.facts, now, alive, running)
        look = told(seen, self._health, self.facts)
        assets = len(self.facts.kind.assets)
        raw = Beside(look.conditions, look.moves, assets, look.resting, look.together)
        conditions: Sequence[Condition] = diagnosed(raw.with_these(()))
        self.beside = replace(raw, conditions=conditions)
        self.episodes, changes = self.episodes.looked(
            conditions, lambda key: look.judged(key[1], key[2]), now, PERSIST
        )
        self._told |= bool(changes)
        return findings(changes, now, "")

    def saved(self, now: int, *, last: bool = False) -> dict[str, bytes]:
        """Parts of the checkpoint that are due, by name."""
        found = {}
        if self._told or last:
            self._told = False
            found["episodes"] = packed_episodes(self.episodes)
        if last or now - self._kept >= KEEP_EVERY:
            self._kept = now
            found["habits"] = self._habits()
        return found

    def _habits(self) -> bytes:
        self.fold()
        kind = self.facts.kind
        arrays = {
            name: (a.dtype.str, a.shape, a.tobytes())
            for name, a in state.saved(self._health).items()
        }
        roles = tuple(tag.role for tag in kind.tags)
        return msgspec.msgpack.encode((roles, kind.assets, arrays))

    def restore(self, bodies: Mapping[str, bytes], now: int) -> None:
        """Go on where a checkpoint was made."""
        whose = self.facts.kind.name
        self.episodes = unpacked_episodes(bodies.get("episodes", b"\x90"), whose)
        if "habits" not in bodies:
            return
        try:
            roles, assets, plain = msgspec.msgpack.decode(bodies["habits"])
            arrays = {
                name: np.frombuffer(raw, dtype).reshape(shape)
                for name, (dtype, shape, raw) in plain.items()
            }
            then = (tuple(roles), tuple(assets))
            self._health = state.restored(self.facts, arrays, then, now)
        except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as why:
            log.warning("habits of sensors not restored", of=whose, why=str(why))


def _joined(batches: Sequence[SampleBatch]) -> SampleBatch:
    """One batch of several; texts are left out, as no text tag is watched."""
    if len(batches) == 1:
        return batches[0]
    return SampleBatch(
        np.concatenate([b.tag for b in batches]),
        np.concatenate([b.time for b in batches]),
        np.concatenate([b.value for b in batches]),
        np.concatenate([b.quality for b in batches]),
        np.concatenate([b.received for b in batches]),
    )
