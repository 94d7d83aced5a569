"""The demo's pump hall with alarms by the hundred, and the evidence of each.

Configuration, model and windows are those of the running agent; limits are so low that
healthy pumps trip them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from edge_agent import rehearsal
from edge_agent.assembly import core
from edge_agent.captured.taking import Captures
from edge_agent.clock import ManualClock
from edge_agent.config import loading
from edge_agent.demo.equipment import ROLES
from edge_agent.demo.hall import Hall
from edge_agent.demo.site import PUMPS, Site
from edge_agent.inbox import Inbox
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.records import AlarmRecord, EvidenceRecord
from edge_agent.samples import NANOSECONDS, SampleBatch
from edge_agent.surroundings import here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.records import Record

MODELS = Path(__file__).parents[2] / "models"
BUNDLE = MODELS / "pump-anomaly" / "1.0.0"
START = 1_790_000_000 * NANOSECONDS


@dataclass
class AlarmedHall:
    """A hall, an agent's turn, and the alarms and evidence that left it.

    Args:
        folder: for the configuration.
        pipelines: as configured; empty for a few with every trigger.
        a_turn, a_minute: windows kept at most.
        held: tags report changes only, as of an OPC UA server.
    """

    folder: Path
    pipelines: Mapping[str, Any] = field(default_factory=dict)
    a_turn: int = 1000
    a_minute: int = 100_000
    held: bool = False
    alarms: list[AlarmRecord] = field(default_factory=list)
    evidence: list[EvidenceRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        site = Site(self.folder, MODELS, 1, 2, 3, "5")
        site.write()
        text = yaml.safe_load(site.config.read_text())
        text["pipelines"] = dict(self.pipelines) or every_trigger()
        if self.held:
            text["sources"]["plc"]["report"] = "change"
        site.config.write_text(json.dumps(text, indent=1))  # is YAML too
        loaded = loading.read(site.config)
        self.hall, self.clock = Hall(3), ManualClock(START)
        self.instruments = Instruments()
        found = core(loaded, rehearsal.manned(loaded), START)
        self.lines = found.lines
        captures = Captures(
            here(loaded.digest), a_turn=self.a_turn, a_minute=self.a_minute
        )
        for line in found.lines:
            line.capture(captures)
        self.kind = loaded.plant.tags.types[0]
        self.inference = Inference(
            found.lines,
            Inbox(loaded.plant.tags),
            found.stamps,
            self._submit,
            self.clock,
            self.instruments,
            vouch=True,
        )
        self.noise = np.random.default_rng(5)

    def _submit(
        self, records: Sequence[Record], checkpoint: Mapping[str, bytes]
    ) -> None:
        del checkpoint
        self.alarms += [one for one in records if isinstance(one, AlarmRecord)]
        self.evidence += [one for one in records if isinstance(one, EvidenceRecord)]

    def run(self, seconds: int, *, each: float = 0.004) -> None:
        """Let time pass, a turn each second; now and then a value is off, or bad.

        Args:
            seconds: how long.
            each: share of the samples that are off.
        """
        place = {tag.role: at for at, tag in enumerate(self.kind.tags)}
        pumps = np.arange(len(PUMPS))
        tag = np.concatenate(
            [self.kind.base + place[role] * len(PUMPS) + pumps for role in ROLES]
        ).astype(np.int32)
        halves = np.repeat([NANOSECONDS * 6 // 10, NANOSECONDS // 10], len(tag))
        for _ in range(seconds):
            values = []
            for _ in range(2):
                shown = self.hall.step(0.5)
                values += [shown[role] for role in ROLES]
            value = np.concatenate(values)
            off = self.noise.random(len(value))
            value = np.where(off < each, value * 1.3, value)
            quality = np.where(np.isnan(value), 2, 0).astype(np.uint8)
            quality[off > 1 - each / 10] = 1
            self.clock.time += NANOSECONDS
            now = self.clock.now()
            at = now - halves
            batch = SampleBatch(np.tile(tag, 2), at, value, quality, at)
            self.inference.turn(now, batch)


def every_trigger() -> dict[str, Any]:
    """Pipelines on one model: ticks, updates and parts, with and without contexts."""
    alarm = {"on_delay": "1s", "off_delay": "1s", "threshold": 1.0}
    base = {
        "assets": "pump",
        "model": "pump-anomaly",
        "alarm": alarm,
        # sentences are what a row costs, and not what is looked at
        "report": {"deadband": 1000.0, "max_interval": "1h"},
    }
    at_once = {"alarm": alarm | {"on_delay": "0s"}}
    return {
        "ticking": base | {"score": {"every": "1s"}},
        "slow": base | {"score": {"every": "2s"}} | at_once,
        "slower": base | {"score": {"every": "3s"}} | at_once,
        "odd": base | {"score": {"every": "1.7s"}} | at_once,
        "steady": base | {"score": {"every": "1100ms"}} | at_once,
        "shifted": base
        | {
            "score": {"every": "1s"},
            "context": {"shifts": {"late": "12:00-20:00"}, "zone": "UTC"},
            "alarm": alarm | {"thresholds": {"late": 0.9}},
        },
        "fast": base | {"score": {"every": "700ms"}},
        "following": base | {"score": {"on": "update"}},
        "parts": base | {"score": {"on": "cycle", "part": "speed"}} | at_once,
    }
