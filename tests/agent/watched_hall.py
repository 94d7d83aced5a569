"""The demo's pump hall through the agent's own turn, hours in seconds.

Configuration, model, windows and monitors are those of the running agent; only the
links and the clock are the test's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent import rehearsal
from edge_agent.assembly import core
from edge_agent.clock import ManualClock
from edge_agent.config import loading
from edge_agent.demo.equipment import ROLES
from edge_agent.demo.hall import Hall
from edge_agent.demo.site import PUMPS, Site
from edge_agent.inbox import Inbox
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.monitors.opening import open_monitors
from edge_agent.records import DriftRecord, EventRecord, FindingRecord
from edge_agent.samples import NANOSECONDS, SampleBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_agent.records import Record
    from edge_agent.samples import F64

MODELS = Path(__file__).parents[2] / "models"
START = 1_790_000_000 * NANOSECONDS


@dataclass
class WatchedHall:
    """A hall, an agent's turn, and all that left it.

    Args:
        folder: for the configuration.
        edits: replacements in its text.
        seed: of the hall.
    """

    folder: Path
    edits: tuple[tuple[str, str], ...] = ()
    seed: int = 3
    records: list[Record] = field(default_factory=list)
    unsaved: list[Record] = field(default_factory=list)
    """Drift rows that came without the state behind them."""
    events: list[EventRecord] = field(default_factory=list)
    checkpoint: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        site = Site(self.folder, MODELS, 1, 2, 3, "5")
        site.write()
        text = site.config.read_text()
        for old, new in self.edits:
            assert old in text
            text = text.replace(old, new)
        site.config.write_text(text)
        self.hall = Hall(self.seed)
        self.clock = ManualClock(START)
        self.instruments = Instruments()
        self.start()

    def start(self) -> None:
        """Build everything anew, as after a restart, and go on from the checkpoint."""
        loaded = loading.read(self.folder / "agent.yaml")
        now = self.clock.now()
        found = core(loaded, rehearsal.manned(loaded), now)
        tags = loaded.plant.tags
        self.kind = tags.types[0]
        self.monitors = open_monitors(
            found.lines, loaded.config, tags, self.instruments, now
        )
        self.inference = Inference(
            found.lines,
            Inbox(tags),
            found.stamps,
            self._submit,
            self.clock,
            self.instruments,
            monitors=self.monitors,
            vouch=True,
        )
        self.inference.restore(self.checkpoint)

    def _submit(
        self, records: Sequence[Record], checkpoint: Mapping[str, bytes]
    ) -> None:
        self.records += [
            one for one in records if isinstance(one, FindingRecord | DriftRecord)
        ]
        if not checkpoint:
            self.unsaved += [one for one in records if isinstance(one, DriftRecord)]
        self.events += [one for one in records if isinstance(one, EventRecord)]
        self.checkpoint |= checkpoint

    def run(
        self,
        seconds: int,
        change: Callable[[dict[str, F64], int], None] | None = None,
    ) -> None:
        """Let time pass: a turn each second, with two samples of each tag.

        Args:
            seconds: how long.
            change: what happens to the shown values, and at which second.
        """
        place = {tag.role: at for at, tag in enumerate(self.kind.tags)}
        pumps = np.arange(len(PUMPS))
        tag = np.concatenate(
            [self.kind.base + place[role] * len(PUMPS) + pumps for role in ROLES]
        ).astype(np.int32)
        halves = np.repeat([NANOSECONDS * 6 // 10, NANOSECONDS // 10], len(tag))
        for second in range(seconds):
            values = []
            for _ in range(2):
                shown = self.hall.step(0.5)
                if change is not None:
                    change(shown, second)
                values += [shown[role] for role in ROLES]
            self.clock.time += NANOSECONDS
            now = self.clock.now()
            value, at = np.concatenate(values), now - halves
            quality = np.where(np.isnan(value), 2, 0).astype(np.uint8)
            batch = SampleBatch(np.tile(tag, 2), at, value, quality, at)
            self.inference.turn(now, batch)

    def findings(self) -> list[FindingRecord]:
        """All findings so far."""
        return [one for one in self.records if isinstance(one, FindingRecord)]

    def drift(self) -> list[DriftRecord]:
        """All drift rows so far."""
        return [one for one in self.records if isinstance(one, DriftRecord)]
