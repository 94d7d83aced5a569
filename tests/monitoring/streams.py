"""Streams of one small asset type, ten seconds at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.sensors import Facts, Health, Look, look, take, told
from edge_agent.samples import NANOSECONDS, AssetType, SampleBatch, Tag, TagTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.monitoring.conditions import What
    from edge_agent.samples import F64

START = 1_767_225_600 * NANOSECONDS
ASSETS = ("A", "B", "C", "D")
ROLES = ("flow", "pressure", "warmth", "recipe")
FLOW, PRESSURE, WARMTH = range(3)
KIND = AssetType(
    "pump",
    ASSETS,
    (
        Tag("flow", "m3/h", 0.0, 100.0),
        Tag("pressure", "bar", 0.0, 10.0),
        Tag("warmth", "degC", -20.0, 150.0),
        Tag("recipe", text=True),
    ),
    0,
)


def facts(*, held: bool = False) -> Facts:
    """The type's, all from one source."""
    table = TagTable((KIND,), ("plc",), np.zeros(KIND.size, np.int16))
    return Facts.of(KIND, table, np.array([held]))


def tag(role: int, asset: int = 1) -> int:
    """Index of a tag."""
    return KIND.index(role, asset)


@dataclass
class Stream:
    """A plant with noise, and the watch on it.

    Attributes:
        held: whether only changes are sent.
        values: gives float64[seconds, tags] for seconds since the start; default white
            noise about 50, 5 and 40, of which flow and pressure move together.
        send: changes a batch before it is taken.
        alive: s since when the source is not vouched for; inf while it is.
        running: what state tags say of the assets.
    """

    held: bool = False
    values: Callable[[F64, np.random.Generator], F64] | None = None
    send: Callable[[SampleBatch], SampleBatch] = lambda batch: batch
    alive: float = np.inf
    running: NDArray[np.bool_] | None = None
    second: int = 0
    random: np.random.Generator = field(
        default_factory=lambda: np.random.default_rng(3)
    )
    health: Health = field(init=False)
    facts: Facts = field(init=False)
    last: F64 = field(default_factory=lambda: np.full(12, np.nan))

    def __post_init__(self) -> None:
        self.facts = facts(held=self.held)
        self.health = Health.fresh(self.facts)

    @property
    def now(self) -> int:
        """Agent time."""
        return START + self.second * NANOSECONDS

    def look(self) -> Look:
        """Ten seconds on, and what is seen then."""
        seconds = self.second + np.arange(10.0)
        values = (self.values or usual)(seconds, self.random)
        before = np.vstack([self.last, values[:-1]])
        self.last = values[-1]
        at, tags = np.nonzero((values != before) | (not self.held))
        time = START + (seconds[at] * NANOSECONDS).astype(np.int64)
        batch = SampleBatch(
            tags.astype(np.int32),
            time,
            values[at, tags],
            np.zeros(len(at), np.uint8),
            time + NANOSECONDS // 100,
        )
        self.second += 10
        self.health = take(self.health, self.facts, self.send(batch))
        vouched = START + int(min(self.second, self.alive)) * NANOSECONDS
        self.health, seen = look(
            self.health, self.facts, self.now, np.array([vouched]), self.running
        )
        return told(seen, self.health, self.facts)

    def watch(self, minutes: float) -> set[tuple[What, str, str]]:
        """What was told over some minutes: what, asset, tag."""
        return {
            (c.what, c.asset, c.tag)
            for _ in range(round(minutes * 6))
            for c in self.look().conditions
        }


def usual(seconds: F64, random: np.random.Generator) -> F64:
    """White noise on slow swings that flow and pressure share."""
    swing = np.sin(seconds[:, None] / 97.0 + np.arange(4))
    noise = random.normal(size=(len(seconds), 12))
    values: F64 = noise * np.repeat([0.5, 0.02, 0.1], 4)
    values[:, :4] += 50 + 5 * swing
    values[:, 4:8] += 5 + 0.5 * swing
    values[:, 8:] += 40 + np.sin(seconds[:, None] / 700.0)
    return values


def broken(
    change: Callable[[F64], F64], place: int, since: float
) -> Callable[[F64, np.random.Generator], F64]:
    """The usual values with those of one tag changed from a second on."""

    def values(seconds: F64, random: np.random.Generator) -> F64:
        found = usual(seconds, random)
        after = seconds >= since
        found[after, place] = change(found[after, place])
        return found

    return values


def without(place: int, since: int) -> Callable[[SampleBatch], SampleBatch]:
    """A tag's samples are lost from a second on."""
    begin = START + since * NANOSECONDS

    def send(batch: SampleBatch) -> SampleBatch:
        return batch.take((batch.tag != place) | (batch.time < begin))

    return send


def stamped(
    late: Callable[[F64], F64], asset: int, since: int
) -> Callable[[SampleBatch], SampleBatch]:
    """Stamps of an asset lie behind by s, given s since it began."""
    begin = START + since * NANOSECONDS

    def send(batch: SampleBatch) -> SampleBatch:
        passed = (batch.time - begin) / NANOSECONDS
        mine = (batch.tag % len(ASSETS) == asset) & (passed >= 0)
        off = np.where(mine, late(passed), 0.0) * NANOSECONDS
        return replace(batch, time=batch.time - off.astype(np.int64))

    return send
