"""From configuration to objects: the only place that knows every implementation.

Heavy clients are imported only when something configured needs them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent import __version__
from edge_agent.agent import Agent
from edge_agent.assembly import Core, core, shortest_hold
from edge_agent.clock import SystemClock
from edge_agent.config import schema
from edge_agent.config.secrets import password_of
from edge_agent.inbox import Inbox
from edge_agent.inference import Inference
from edge_agent.instruments import Instruments
from edge_agent.recording import Recorder, unused
from edge_agent.records import EventRecord, Fallback
from edge_agent.registry import lineage
from edge_agent.sinks.flat import FlatProfile
from edge_agent.sinks.forwarder import Forwarder
from edge_agent.sinks.topics import Place
from edge_agent.status.report import report
from edge_agent.store.journal import Journal
from edge_agent.store.traces import Origin
from edge_agent.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.loading import Loaded
    from edge_agent.evaluation.opening import Judgements
    from edge_agent.sources.source import Source

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
    journal = house.journal
    recovered = journal.start()  # another agent's recording stays untouched
    recorder = Recorder(unused(record), loaded.plant.tags) if record else None
    inference = Inference(
        found.lines,
        house.inbox,
        found.stamps,
        journal.submit,
        house.clock,
        house.instruments,
        record=recorder.write if recorder else None,
    )
    supply.open(inference.seats)
    inference.restore(recovered.checkpoint)
    house.judges = supply.judgements(inference, house.clock, house.instruments)
    house.told.pass_on(inference.note)
    try:
        yield Agent(
            house.inbox,
            house.sources(),
            inference,
            house.forwarders(),
            supply.adoption,
            loaded.config.runtime_dir,
            lambda: house.status(inference),
            {"lineage": partial(lineage.answer, loaded.config.state_dir, journal)},
            house.judges,
        )
    finally:
        supply.close()
        if recorder is not None:
            recorder.close()
        journal.stop(timeout=2.0)


class _Told:
    """Events from before there is a turn to send them with, and from then on.

    Args:
        first: what is told already.
    """

    def __init__(self, first: Iterable[EventRecord]) -> None:
        self._kept = list(first)
        self._lock = threading.Lock()
        self._to: Callable[[EventRecord], None] | None = None

    def __call__(self, event: EventRecord) -> None:
        """Tell; any thread."""
        with self._lock:
            if self._to is None:
                self._kept.append(event)
            else:
                self._to(event)

    def pass_on(self, to: Callable[[EventRecord], None]) -> None:
        """From now on events go there, those kept so far first."""
        with self._lock:
            for event in self._kept:
                to(event)
            self._kept, self._to = [], to


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
    journal: Journal = field(init=False)
    told: _Told = field(init=False)
    judges: Judgements = field(init=False)
    _sources: list[Source] = field(default_factory=list)
    _forwarders: list[Forwarder] = field(default_factory=list)
    _started: int = 0

    def __post_init__(self) -> None:
        config = self.loaded.config
        config.state_dir.mkdir(parents=True, exist_ok=True)
        config.runtime_dir.mkdir(parents=True, exist_ok=True)
        self._started = self.clock.now()
        self.inbox = Inbox(self.loaded.plant.tags)
        self.told = _Told(self._first_events())
        self.supply = Supply.of(self.loaded, self.clock, self.told, CATCH_UP)
        self.core = core(self.loaded, self.supply.manned, self._started, CATCH_UP)
        self.journal = Journal(
            config.state_dir / "store.db",
            sinks=tuple(config.outputs),
            settings=config.store,
            clock=self.clock,
            instruments=self.instruments,
            origin=Origin(config.gateway, self.loaded.digest),
        )

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

    def forwarders(self) -> Sequence[Forwarder]:
        """One an output."""
        from edge_agent.sinks.mqtt import MqttSink

        config = self.loaded.config
        site = config.site
        levels = (site.enterprise, site.site, site.area, site.line, site.cell)
        intervals = {n: p.report.max_interval for n, p in config.pipelines.items()}
        for name, settings in config.outputs.items():
            place = Place.of(settings.root, levels, config.gateway)
            sink = MqttSink(
                name,
                settings,
                client_id=f"edge-agent-{config.gateway}-{name}-out",
                password=password_of(f"output {name}", settings),
                clock=self.clock,
                instruments=self.instruments,
            )
            self._forwarders.append(
                Forwarder(
                    sink,
                    self.journal,
                    FlatProfile(place, intervals, self.loaded.phrases),
                    settings,
                    clock=self.clock,
                    instruments=self.instruments,
                    version=__version__,
                )
            )
        return self._forwarders

    def status(self, inference: Inference) -> dict[str, Any]:
        """The document of the status socket."""
        return report(
            identity={
                "version": __version__,
                "gateway": self.loaded.config.gateway,
                "uptime_s": (self.clock.now() - self._started) / 1e9,
                "configuration_sha256": self.loaded.digest,
                "turns": inference.turns,
                "inbox": len(self.inbox),
            },
            sources={s.name: s.status() for s in (*self._sources, *self.judges.links)},
            pipelines={
                name: self._pipeline(name) for name in self.loaded.config.pipelines
            },
            registry=self.supply.adoption.status(),
            outputs={sink.name: sink.status() for sink in self._forwarders},
            store=self.journal.status(),
            counters=self.instruments.snapshot(),
            complaint=self.complaint,
        )

    def _pipeline(self, name: str) -> dict[str, Any]:
        """A pipeline's part of the status."""
        made = self.supply.floor.working[name].pipeline
        info, count = made.info, self.instruments.counter
        return {
            "state": _STATES[made.fallback],
            "model": f"{info.model}@{info.model_version}",
            "sha8": info.model_sha8,
            "assets": len(info.assets),
            "rows_scored": count("rows_scored_total", pipeline=name),
            "rows_without_score": count("rows_without_score_total", pipeline=name),
            "error": "" if made.fallback is Fallback.MODEL else made.because,
            **self.supply.pipeline(name),
            **self.judges.status(name),
        }


_STATES = {
    Fallback.MODEL: "scoring",
    Fallback.LAST_KNOWN_GOOD: "last-known-good",
    Fallback.LIMITS: "limits",
    Fallback.NO_SCORE: "no model",
}


def application_uri(config: schema.AgentConfig) -> str:
    """Who this gateway is in the world of OPC UA; also in its certificate."""
    return f"urn:{socket.gethostname()}:edge-agent:{config.gateway}"
