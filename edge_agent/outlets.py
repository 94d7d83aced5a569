"""Everything that leaves: to SCADA, into the evidence log, to the centre.

Heavy clients are imported only when something configured needs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge_agent import __version__
from edge_agent.config.secrets import password_of
from edge_agent.errors import EdgeAgentError
from edge_agent.evidence import entries
from edge_agent.evidence.changes import Standing, standing_of
from edge_agent.evidence.keeper import Keeper
from edge_agent.evidence.log import Log
from edge_agent.evidence.retention import Limits
from edge_agent.records.appetites import CENTRAL, EVIDENCE, EVIDENCE_LOG
from edge_agent.sinks import appetite
from edge_agent.sinks.flat import FlatProfile
from edge_agent.sinks.forwarder import Forwarder
from edge_agent.sinks.topics import Place
from edge_agent.store.journal import Journal
from edge_agent.store.traces import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge_agent.bundle.trust import Trust
    from edge_agent.centre.told import Entry
    from edge_agent.centre.uploader import Uploader
    from edge_agent.clock import Clock
    from edge_agent.config.loading import Loaded
    from edge_agent.config.schema import AgentConfig
    from edge_agent.instruments import Instruments
    from edge_agent.records import Record
    from edge_agent.records.appetites import Appetite
    from edge_agent.store.outbox import Stored

    Outlet = Forwarder | Keeper | Uploader

EVIDENCE_FOLDER, CENTRE_FOLDER = "evidence", "centre"
_MS = 1_000_000


@dataclass(slots=True)
class Outlets:
    """Made while the agent is built.

    Attributes:
        loaded: the configuration.
        clock: agent time.
        instruments: counters.
    """

    loaded: Loaded
    clock: Clock
    instruments: Instruments
    forwarders: list[Forwarder] = field(default_factory=list)
    keeper: Keeper | None = None
    uploader: Uploader | None = None

    @property
    def all(self) -> Sequence[Outlet]:
        """Each is run, supervised, and given a chance at the end."""
        inner = (self.keeper, self.uploader)
        return [*self.forwarders, *(one for one in inner if one is not None)]

    def archives(self) -> dict[str, dict[str, Any]]:
        """State of the evidence log and of the centre, for the status."""
        each = {"evidence": self.keeper, "centre": self.uploader}
        return {name: one.status() for name, one in each.items() if one is not None}

    def journal(self) -> Journal:
        """The store that holds what each of them is owed."""
        config = self.loaded.config
        return Journal(
            config.state_dir / "store.db",
            sinks=(*config.outputs, *_appetites(config)),
            settings=config.store,
            clock=self.clock,
            instruments=self.instruments,
            origin=Origin(config.gateway, self.loaded.digest),
            appetites={
                **{n: appetite.owed(out) for n, out in config.outputs.items()},
                **_appetites(config),
            },
        )

    def open(
        self,
        journal: Journal,
        findings: Sequence[Stored],
        tell: Callable[[Record], object],
        trust: Callable[[], Trust | None],
    ) -> None:
        """Make all that are configured.

        Args:
            journal: the store.
            findings: those that are open; each output must know them.
            tell: takes events and losses; any thread, until the journal is closed.
            trust: whose signatures count now, for evidence.

        Raises:
            ConfigError: a password cannot be read.
        """
        for name in self.loaded.config.outputs:
            self.forwarders.append(self._forwarder(name, journal, findings))
        self.keeper = self._evidence(journal, tell, trust)
        self.uploader = self._centre(journal, self.keeper)

    def _forwarder(
        self, name: str, journal: Journal, findings: Sequence[Stored]
    ) -> Forwarder:
        from edge_agent.sinks.mqtt import MqttSink

        config, settings = self.loaded.config, self.loaded.config.outputs[name]
        site = config.site
        levels = (site.enterprise, site.site, site.area, site.line, site.cell)
        intervals = {n: p.report.max_interval for n, p in config.pipelines.items()}
        place = Place.of(settings.root, levels, config.gateway)
        sink = MqttSink(
            name,
            settings,
            client_id=f"edge-agent-{config.gateway}-{name}-out",
            password=password_of(f"output {name}", settings),
            clock=self.clock,
            instruments=self.instruments,
        )
        return Forwarder(
            sink,
            journal,
            FlatProfile(place, intervals, self.loaded.phrases, findings),
            settings,
            clock=self.clock,
            instruments=self.instruments,
            version=__version__,
        )

    def _evidence(
        self,
        journal: Journal,
        tell: Callable[[Record], object],
        trust: Callable[[], Trust | None],
    ) -> Keeper:
        config = self.loaded.config
        log = Log(
            config.state_dir / EVIDENCE_FOLDER,
            config.gateway,
            self.clock,
            Limits(config.evidence.keep, config.evidence.limit),
            self._evidence_sent if config.centre is not None else lambda: None,
        )
        return Keeper(
            log,
            journal,
            config.gateway,
            self.clock,
            tell,
            partial(_standing, self.loaded, trust),
        )

    def _evidence_sent(self) -> int | None:
        return self.uploader.evidence_sent if self.uploader is not None else None

    def _centre(self, journal: Journal, keeper: Keeper) -> Uploader | None:
        config, settings = self.loaded.config, self.loaded.config.centre
        if settings is None:
            return None
        from edge_agent.centre.bucket import open_bucket
        from edge_agent.centre.uploader import Uploader

        return Uploader(
            settings,
            site_of(config),
            config.gateway,
            journal,
            partial(open_bucket, settings, password_of("centre", settings)),
            config.state_dir / CENTRE_FOLDER,
            clock=self.clock,
            instruments=self.instruments,
            entries=partial(_entries, config.state_dir / EVIDENCE_FOLDER, keeper),
        )


def _standing(loaded: Loaded, trust: Callable[[], Trust | None]) -> Standing | None:
    """How the agent stands; None while nobody can say whom it trusts."""
    try:
        return standing_of(loaded, __version__, trust())
    except EdgeAgentError:
        return None


def site_of(config: AgentConfig) -> str:
    """The archive's partition ``site``."""
    return config.site.site or config.site.enterprise


def _appetites(config: AgentConfig) -> Mapping[str, Appetite]:
    """What the inner outputs take; each is an output of the store."""
    found = {EVIDENCE_LOG: EVIDENCE}
    if config.centre is not None:
        from edge_agent.centre import uploader

        found[CENTRAL] = uploader.appetite(config.centre)
    return found


def _entries(folder: Path, keeper: Keeper, after: int, limit: int) -> list[Entry]:
    """Entries of the evidence log that are final, as the archive takes them."""
    from edge_agent.centre.told import Entry

    head = keeper.head()
    if head is None or head.number <= after:
        return []
    found = islice(entries(folder, after, head.number), limit)
    return [
        Entry(
            one.number,
            one.boot,
            one.seq,
            _wall(one.date, one.at),
            one.kind,
            one.what,
            one.subject,
            one.line.decode(),
            one.previous,
            one.hash,
        )
        for one in found
    ]


def _wall(date: str, at: int) -> int:
    """Ns UTC of an entry; agent time where its date is none that a calendar has."""
    if not date:
        return at
    return round(datetime.fromisoformat(date).timestamp() * 1000) * _MS
