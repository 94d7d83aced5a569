"""What is known of one output and outlasts its links."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from edge_agent.samples import NANOSECONDS
from edge_agent.sinks import appetite
from edge_agent.sinks.current import Current
from edge_agent.sinks.newest import Newest
from edge_agent.sinks.owing import Owing
from edge_agent.sinks.pace import Pace
from edge_agent.sinks.suspicion import Suspicion
from edge_agent.store.codec import rows_of

if TYPE_CHECKING:
    from edge_agent.clock import Clock
    from edge_agent.config.schema import MqttOutput
    from edge_agent.instruments import Instruments
    from edge_agent.records.appetites import Appetite
    from edge_agent.sinks.flat import FlatProfile
    from edge_agent.sinks.underway import Consignment
    from edge_agent.store.journal import Journal


@dataclass(frozen=True, slots=True)
class Output:
    """One output's own.

    Attributes:
        name: as configured.
        outbox: the journal.
        profile: turns records into messages.
        clock: agent time.
        instruments: counters.
        told: types of records it takes.
        kept: those of them that are owed to it until it has them.
        pace: room of old records beside live ones.
        suspicion: what the peer may choke on.
        current: states that are not kept.
        owing: how much it is owed.
        newest: where the newest row of each asset is.
        begun: by id of a record of which the peer has a part only: the first part it
            has not. Taken from here when the record is sent on.
    """

    name: str
    outbox: Journal
    profile: FlatProfile
    clock: Clock
    instruments: Instruments
    told: Appetite
    kept: Appetite
    pace: Pace
    suspicion: Suspicion
    current: Current
    owing: Owing
    newest: Newest = field(default_factory=Newest)
    begun: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        outbox: Journal,
        profile: FlatProfile,
        settings: MqttOutput,
        clock: Clock,
        instruments: Instruments,
    ) -> Self:
        """As configured, nothing sent yet."""
        suspicion = Suspicion()
        return cls(
            name,
            outbox,
            profile,
            clock,
            instruments,
            appetite.told(settings),
            appetite.owed(settings),
            Pace(settings.backlog_share, settings.backlog_rate),
            suspicion,
            Current(profile, suspicion, settings.max_rate),
            Owing(name, outbox),
        )

    def count(self, instrument: str, number: int = 1) -> None:
        """Count something that happened to this output."""
        self.instruments.count(instrument, number, sink=self.name)

    def settled(self, one: Consignment, now: int) -> None:
        """A record is done, at a time in ns: it is owed no more, and tells the pace."""
        record = one.stored.record
        rows = rows_of(record)
        if type(record) in self.kept:
            self.owing.settled(rows)
        if one.old:
            self.owing.drained(one.stored, rows, now)
        elif not (one.urgent or one.refusals):
            seconds = (now - one.since) / NANOSECONDS
            self.pace.acknowledged(seconds, now, alone=one.alone)
