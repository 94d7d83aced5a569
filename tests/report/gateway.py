"""A gateway that ran for weeks: its state folder, filled as the agent would."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.bundle.reference import profiled
from edge_agent.bundle.writing import write_bundle
from edge_agent.monitoring import snapshots
from edge_agent.monitoring.accuracy.counting import summed
from edge_agent.monitoring.accuracy.coverage import Coverage, corrected
from edge_agent.monitoring.accuracy.joined import Joined
from edge_agent.monitoring.accuracy.requirement import Requirement, held
from edge_agent.monitoring.alarm_budget import AlarmRecords, counted
from edge_agent.monitoring.contrast import Counts, Rate
from edge_agent.monitoring.fairness import compared
from edge_agent.monitoring.tallies import Grid
from edge_agent.monitoring.tallies import counted as tallied
from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    DriftRecord,
    EventRecord,
    FindingState,
    PipelineInfo,
)
from edge_agent.registry import passports
from edge_agent.registry.life import Life, Stage, Version
from edge_agent.registry.lineage import BUNDLES, folder_of
from edge_agent.samples import NANOSECONDS
from edge_agent.status import history, socket
from edge_agent.store.traces import Origin
from tests.end_to_end.waiting import until
from tests.model import bundles
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.bundle.contents import Bundle
    from edge_agent.records import Record
    from edge_agent.store.journal import Journal

HOUR = 3_600 * NANOSECONDS
DAY = 24 * HOUR
START = 20_000 * DAY  # 2024-10-04
ORIGIN = Origin("gw-07", "c" * 64)
CONTEXTS = ("water/early", "water/late")
MODEL, PIPELINE = "pump-anomaly", "anomaly"
#: How far the first column moves in the last three days, standard deviations.
WANDER = 2.5


def bundle(folder: Path, version: str = "1.0.0", name: str = MODEL) -> Bundle:
    """A model with contexts in its reference and a requirement."""
    random = np.random.default_rng(7)
    text = bundles.passport(name, version)
    text["approver"] = "Dr. Approving"
    text["oversight"] = "Shift lead of hall 1"
    text["accuracy"] = {"metric": "recall", "level": 0.8, "min_labels": 50}
    text["false_alarms"] = {
        "budget_per_week": 0.5,
        "seen_per_week": 0.2,
        "asset_hours": 900,
    }
    width = len(text["features"])
    training = random.normal(size=(4000, width))
    contexts = [CONTEXTS[row % 2] for row in range(len(training))]
    scores = np.square(training).sum(axis=1)
    inputs = bundles.golden(width)
    squares = np.square(inputs.astype(np.float64))
    return write_bundle(
        folder,
        text,
        model=bundles.graph(width).SerializeToString(),
        training=training,
        golden_inputs=inputs,
        golden_outputs={"score": squares.sum(axis=1), "contributions": squares},
        reference=profiled(
            [one["name"] for one in text["features"]],
            training,
            contexts,
            outputs={"score": scores},
            output_contexts=contexts,
        ),
    )


@dataclass
class Ran:
    """What an agent left.

    Attributes:
        state: its folder.
        bundle: the version that scores.
        days: how long it ran.
        start: when it began, ns.
    """

    state: Path
    bundle: Bundle
    days: int = 20
    pipeline: str = PIPELINE
    model: str = MODEL
    start: int = START

    @property
    def info(self) -> PipelineInfo:
        """Of the pipeline."""
        return PipelineInfo(
            *(self.pipeline, "pump", ("P-101", "P-102")),
            *(("flow", "pressure"), ("m3/h", "bar"), self.model),
            *(self.bundle.passport.version, self.bundle.sha8, self.bundle.digest),
        )

    @property
    def end(self) -> int:
        """Wall clock at the end, ns."""
        return self.start + self.days * DAY

    def keep(self, *, files: bool = True, signed_by: str = "plant key") -> None:
        """Passport, life and, as long as they are needed, the files."""
        folder, found = folder_of(self.state), self.bundle
        text = (found.path / "passport.yaml").read_bytes()
        sums = dict(found.passport.files)
        sums["passport.yaml"] = hashlib.sha256(text).hexdigest()
        passports.keep(folder, found.digest, text, sums, signed_by=signed_by)
        if files:
            where = self.state.joinpath(*BUNDLES, self.model, found.digest)
            shutil.copytree(found.path, where, dirs_exist_ok=True)
        version = Version(
            *("1", self.model, found.passport.version, "here"),
            stage=Stage.ACTIVE,
            via="champion",
            digest=found.digest,
            label=found.passport.version,
        )
        refused = replace(
            version,
            key="2",
            version="1.1.0",
            label="",
            digest="",
            stage=Stage.REFUSED,
            reason="golden rows differ by 0.2",
        )
        lives = self.state / "models" / "lives"
        lives.mkdir(parents=True, exist_ok=True)
        life = msgspec.json.encode(Life((refused, version)))
        (lives / f"{self.pipeline}.json").write_bytes(life)

    def fill(self, journal: Journal) -> None:
        """Everything that is kept, day by day."""
        for day in range(self.days):
            journal.submit([*self.day(day)], {})
        journal.submit([*self.told()], {})
        made.settle(journal)

    def day(self, day: int) -> Iterator[Record]:
        """Drift of each hour, some alarms, accuracy as it stands."""
        random = np.random.default_rng(day)
        begin = self.start + day * DAY
        for hour in range(24):
            moved = WANDER if day >= self.days - 3 else 0.0
            context = CONTEXTS[hour >= 12]
            yield self.drift(begin + hour * HOUR, random, context, moved)
        for alarm in range(1 + day % 3):
            yield self.alarm(begin + alarm * HOUR, alarm % 2, AlarmState.ACTIVE)
            after = begin + alarm * HOUR + HOUR // 2
            yield self.alarm(after, alarm % 2, AlarmState.NORMAL)
        yield self.accuracy(begin + 23 * HOUR, day)

    def drift(
        self, since: int, random: np.random.Generator, context: str, moved: float
    ) -> DriftRecord:
        """An hour's rows; the first column lies elsewhere by ``moved``."""
        grid = self.grid
        rows = random.normal(size=(200, len(grid.names)))
        rows[:, 0] += moved
        rows[:, -1] = np.square(rows[:, :-1]).sum(axis=1)
        found = tallied(grid, rows.astype(np.float32))
        return DriftRecord(
            *(self.info, context, since, since + HOUR, found.rows, 3),
            *(grid.baseline_id, grid.names, found.n, found.missing),
            *(found.total, found.square, found.low, found.high),
            *(found.counts, grid.bins),
        )

    @property
    def grid(self) -> Grid:
        """Bins of the model's columns."""
        reference = self.bundle.reference
        names = [feature.name for feature in self.bundle.passport.features]
        both = {**reference.baseline.features, **reference.baseline.outputs}
        columns = [*names, *reference.baseline.outputs]
        return Grid.of(
            columns,
            [both[name].edges for name in columns],
            [both[name].origin for name in columns],
            reference.baseline_id,
        )

    def alarm(self, at: int, asset: int, state: AlarmState) -> AlarmRecord:
        """One transition."""
        own = {"info": self.info, "occurrence": f"{self.pipeline}/{asset}/{at // DAY}"}
        return replace(made.alarm(at, asset, state), **own)  # type: ignore[arg-type]

    def accuracy(self, at: int, day: int) -> Record:
        """Labels of some days; recall is too low."""
        random = np.random.default_rng(day)
        bad = random.random(150) < 0.4
        alarm = np.where(bad, random.random(150) < 0.55, random.random(150) < 0.05)
        late = np.full(150, 9e4)
        rows = Joined.of(np.ones(150), alarm, bad.astype(np.int8), delay=late)
        sums = summed(rows, np.zeros(150, np.int32), 1)
        given = np.array([[600, 80]]), np.array([[60.0, 9.0]])
        coverage = Coverage(*given, np.array([9e4]), np.array([2e5]))
        measures = corrected(sums, coverage)
        found = held(Requirement("recall", 0.8, 50), measures, int(sums.labels[0]))
        return snapshots.accuracy(at, self.info, found, measures, coverage, sums)

    def told(self) -> Iterator[Record]:
        """Findings, verdicts, groups and events."""
        end = self.end - HOUR
        drift: dict[str, Any] = {
            "id": "flow",
            "since": end - 2 * DAY,
            "pipeline": self.pipeline,
            "asset": "",
            "tag": self.grid.names[0],
            "context": CONTEXTS[0],
            "model": self.model,
            "model_version": self.bundle.passport.version,
        }
        stuck = {**drift, "id": "stuck", "asset": "P-101", "pipeline": "", "model": ""}
        stuck |= {"since": self.start + DAY, "context": "", "model_version": ""}
        stuck |= {"what": "sensor stuck", "cause": "sensor fault", "tag": "pressure"}
        stuck |= {"sentence": "pressure stood still"}
        yield made.finding(end - 2 * DAY, **drift)
        yield made.finding(self.start + DAY, **stuck)
        yield made.finding(self.start + 2 * DAY, FindingState.CLOSED, **stuck)
        verdicts = np.array([1] * 9 + [0] * 14 + [-1] * 3, np.int8)
        at = self.start + np.arange(26) * 12 * HOUR
        records = AlarmRecords(np.zeros(26, np.int32), at, np.full(26, 3.0), verdicts)
        found = counted(records, 5.0, 0.5)
        assert found is not None
        yield snapshots.alarms(end, self.info, found)
        size = np.array([900.0, 800.0, 4.0])
        rates = {Rate.ALARMS: Counts(np.array([20.0, 90.0, 1.0]), size, size)}
        parity = compared("shift", ("early", "night", "<late>"), rates)
        yield from snapshots.fairness(end, self.info, parity)
        said = ("model activated", self.pipeline, "1.0.0 scores")
        yield snapshots.event(EventRecord(self.start, *said), [self.pipeline])


def ran(folder: Path, days: int = 20, **more: Any) -> Ran:  # noqa: ANN401
    """A gateway with a version; nothing is kept yet."""
    found = bundle(folder / "made")
    state = folder / "state"
    state.mkdir()
    return Ran(state, found, days, **more)


@contextlib.contextmanager
def talking(one: Ran) -> Iterator[Journal]:
    """An agent that answers, on a rung below the model, with its store."""
    journal = made.journal(one.state / "store.db", origin=ORIGIN)
    journal.start()
    stop = threading.Event()
    said = {
        "model": f"{one.model}@{one.bundle.passport.version}",
        "rung": "limits",
        "assets": 2,
        "error": "no memory",
    }

    async def serve() -> None:
        answers = {history.QUESTION: partial(history.answer, one.state, journal)}
        status = {"pipelines": {one.pipeline: said}}
        task = asyncio.ensure_future(
            socket.serve(one.state, lambda: dict(status), answers)
        )
        await asyncio.to_thread(stop.wait)
        task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        until((one.state / socket.ASK_NAME).exists, "socket")
        yield journal
    finally:
        stop.set()
        thread.join(10)
        assert journal.stop(10)


def filled(folder: Path, days: int = 20, **more: Any) -> Ran:  # noqa: ANN401
    """The same after its agent stopped."""
    one = ran(folder, days, **more)
    one.keep()
    journal = made.journal(one.state / "store.db", origin=ORIGIN)
    journal.start()
    one.fill(journal)
    assert journal.stop(10)
    return one
