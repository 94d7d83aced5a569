"""From configuration to objects: the only place that knows every implementation.

Heavy clients are imported only when something configured needs them.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

import structlog

from edge_agent import __version__, incidents
from edge_agent.agent import Agent
from edge_agent.assembly import Core, core, shortest_hold
from edge_agent.captured.taking import Captures
from edge_agent.clock import SystemClock
from edge_agent.config import schema
from edge_agent.config.secrets import password_of
from edge_agent.inbox import Inbox
from edge_agent.incidents import Told
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.monitoring import snapshots
from edge_agent.monitors.opening import open_monitors
from edge_agent.outlets import Outlets
from edge_agent.raw import Raw
from edge_agent.recording import Recorder, unused
from edge_agent.records import EventRecord, FindingRecord
from edge_agent.registry import lineage
from edge_agent.statement import Statement
from edge_agent.status import history, kept_aside
from edge_agent.status.findings import OpenFindings
from edge_agent.supply import Supply
from edge_agent.surroundings import here
from edge_agent.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.clock import Clock
    from edge_agent.config.loading import Loaded
    from edge_agent.evaluation.opening import Judgements
    from edge_agent.inference import Keep
    from edge_agent.monitors.watch import Monitors
    from edge_agent.records import Record
    from edge_agent.samples import SampleBatch
    from edge_agent.sources.source import Source
    from edge_agent.store.journal import Journal
    from edge_agent.store.outbox import Stored

log = structlog.get_logger()

#: Ns of ticks made up for at once after turns stood still; older ones are given up.
CATCH_UP = 60_000_000_000


@contextlib.contextmanager
def build(
    loaded: Loaded, *, record: Path | None = None, complaint: str = ""
) -> Iterator[Agent]:
    """Everything of a live agent, its store open; closed again at the end.

    Args:
        loaded: the configuration with its plant.
        record: write every sample to this CSV too.
        complaint: what is wrong with a newer configuration.
    """
    house = _House(loaded, complaint)
    found, supply = house.core, house.supply
    journal, state_dir = house.journal, loaded.config.state_dir
    recovered = journal.start()  # another agent's recording stays untouched
    incidents.absent(recovered.last_seen, house.clock, house.instruments)
    recorder = Recorder(unused(record), loaded.plant.tags) if record else None
    inference = Inference(
        found.lines,
        house.inbox,
        found.stamps,
        house.submit,
        house.clock,
        house.instruments,
        record=house.samples(recorder),
        monitors=house.monitors,
    )
    captures = Captures(here(loaded.digest))
    for line in found.lines:
        line.capture(captures)
    house.told.pass_on(inference.note)
    supply.open(inference.seats)
    inference.restore(recovered.checkpoint)
    house.judged(inference, recovered.findings)
    sources = house.sources()
    house.outlets.open(journal, recovered.findings, house.keep, supply.trust)
    statement = house.statement()
    supply.adoption.observed = statement.observed
    try:
        yield Agent(
            house.inbox,
            sources,
            inference,
            house.outlets.all,
            supply.adoption,
            loaded.config.runtime_dir,
            lambda: statement.document(inference.turns),
            {
                "lineage": partial(lineage.answer, state_dir, journal),
                "history": partial(history.answer, state_dir, journal),
                kept_aside.QUESTION: partial(kept_aside.answer, state_dir, journal),
            },
            house.judges,
            [Vitals(statement.vitals, inference.note, house.clock).run]
            if loaded.config.centre is not None
            else (),
        )
    finally:
        supply.close()
        if house.raw is not None:
            house.raw.flush(house.clock.now())
        if recorder is not None:
            recorder.close()
        journal.stop(timeout=2.0)


@dataclass(slots=True)
class _House:
    """One agent's parts while it is built, and what its status is made of."""

    loaded: Loaded
    complaint: str
    clock: Clock = field(default_factory=SystemClock)
    instruments: Instruments = field(default_factory=Instruments)
    inbox: Inbox = field(init=False)
    core: Core = field(init=False)
    supply: Supply = field(init=False)
    outlets: Outlets = field(init=False)
    journal: Journal = field(init=False)
    told: Told = field(init=False)
    monitors: Monitors = field(init=False)
    findings: OpenFindings = field(init=False)
    judges: Judgements = field(init=False)
    raw: Raw | None = None
    _sources: list[Source] = field(default_factory=list)
    _started: int = 0

    def __post_init__(self) -> None:
        config = self.loaded.config
        config.state_dir.mkdir(parents=True, exist_ok=True)
        config.runtime_dir.mkdir(parents=True, exist_ok=True)
        self._started = self.clock.now()
        self.inbox = Inbox(self.loaded.plant.tags)
        self.told = Told(self._first_events())
        self.supply = Supply.of(self.loaded, self.clock, self.told, CATCH_UP)
        self.core = core(self.loaded, self.supply.manned, self._started, CATCH_UP)
        self.findings = OpenFindings(self.instruments)
        self.monitors = open_monitors(
            self.core.lines,
            config,
            self.loaded.plant.tags,
            self.instruments,
            self._started,
        )
        self.outlets = Outlets(self.loaded, self.clock, self.instruments)
        self.journal = self.outlets.journal()

    def judged(self, inference: Inference, findings: Sequence[Stored]) -> None:
        """Let labels be judged, and go on with the findings that were open."""
        self.judges = self.supply.judgements(
            inference,
            self.clock,
            self.instruments,
            evidence=self.monitors.conditions,
        )
        known = (one.record for one in findings)
        self.findings.recall(r for r in known if isinstance(r, FindingRecord))
        going_on = self.monitors.going_on() | self.judges.going_on()
        for gone in self.findings.unwatched(going_on, self.clock.now()):
            inference.note(gone)

    def keep(self, record: Record) -> None:
        """Hand a record to the journal that no turn takes along; any thread."""
        self.journal.submit([record], {})

    def samples(self, recorder: Recorder | None) -> Keep | None:
        """What else gets every batch: a recording, and the centre's chosen tags."""
        centre = self.loaded.config.centre
        if centre is None or not centre.raw:
            return recorder.write if recorder is not None else None
        raw = self.raw = Raw(self.loaded.plant.tags, centre.raw, self.keep)

        def keep(batch: SampleBatch, alive: NDArray[np.int64], now: int) -> None:
            raw.take(batch, now)
            if recorder is not None:
                recorder.write(batch, alive, now)

        return keep

    def submit(
        self, records: Sequence[Record], checkpoint: Mapping[str, bytes]
    ) -> None:
        """Hand a turn's records to the journal.

        Open findings are remembered, and events are kept for reports.
        """
        self.findings.see(records)
        names = self.loaded.config.pipelines
        kept = [
            snapshots.event(one, names)
            for one in records
            if isinstance(one, EventRecord)
        ]
        self.journal.submit([*records, *kept] if kept else records, checkpoint)

    def _first_events(self) -> Iterator[EventRecord]:
        now = self.clock.now()
        yield EventRecord(now, "agent started", self.loaded.config.gateway, __version__)
        if self.complaint:
            name = self.loaded.config.gateway
            yield EventRecord(now, "configuration refused", name, self.complaint)

    def sources(self) -> Sequence[Source]:
        """One an entry of the configuration that feeds a tag."""
        for index, (name, settings) in enumerate(self.loaded.config.sources.items()):
            self._sources.append(self._source(index, name, settings))
        return self._sources

    def _source(
        self, index: int, name: str, settings: schema.OpcUaSource | schema.MqttSource
    ) -> Source:
        bindings = self.loaded.plant.bindings[name]
        password = password_of(f"source {name}", settings)
        match settings:
            case schema.OpcUaSource():
                from edge_agent.sources.opcua.source import OpcUaSource

                return OpcUaSource(
                    name,
                    index,
                    settings,
                    bindings,
                    clock=self.clock,
                    instruments=self.instruments,
                    pki_dir=self.loaded.config.state_dir / "pki",
                    application_uri=application_uri(self.loaded.config),
                    password=password,
                    keepalive=self._keepalive(index, settings),
                )
            case schema.MqttSource():
                from edge_agent.sources.mqtt import MqttSource

                return MqttSource(
                    name,
                    index,
                    settings,
                    bindings,
                    clock=self.clock,
                    instruments=self.instruments,
                    gateway=self.loaded.config.gateway,
                    password=password,
                )

    def _keepalive(self, index: int, settings: schema.OpcUaSource) -> float | None:
        """Seconds after which a source that reports changes must say it is alive."""
        manned = self.supply.manned.values()
        hold = shortest_hold(manned, self.loaded.plant.tags, index)
        vouched = settings.report == "change" and isfinite(hold)
        return hold / 2 if vouched else None

    def statement(self) -> Statement:
        """What it says of itself."""
        return Statement(
            self.loaded,
            self.clock,
            self._started,
            self.complaint,
            self.inbox,
            self.instruments,
            self._sources,
            self.outlets,
            self.supply,
            self.journal,
            self.monitors,
            self.findings,
            self.judges,
        )


def application_uri(config: schema.AgentConfig) -> str:
    """Who this gateway is in the world of OPC UA; also in its certificate."""
    return f"urn:{socket.gethostname()}:edge-agent:{config.gateway}"
