"""What SCADA got, held against what was done to the plant.

Pure: messages and times in, counts out. The agent's own counters are not asked: a
record counts when it has arrived, a fault as found when its alarm has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.demo.equipment import SENSOR_FAULTS
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: After its end a fault may alarm for so long: windows empty, bearings cool.
GRACE = 60 * NANOSECONDS
_COOLING = 1800 * NANOSECONDS

#: What is lost before it is scored.
_OF_SOURCES = frozenset({"samples", "messages", "values", "ticks"})


@dataclass(slots=True)
class Fault:
    """One fault that was injected.

    Attributes:
        kind: as in `equipment.FAULTS`.
        pump: whose.
        role: whose transmitter, of a sensor fault.
        began, ended: agent time.
        found: time of the alarm it raised.
        reason: what the alarm said.
    """

    kind: str
    pump: str
    role: str
    began: int
    ended: int | None = None
    found: int | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """For example ``cavitation P-104``."""
        return f"{self.kind.replace('_', ' ')} {self.pump}"

    @property
    def seconds(self) -> float | None:
        """From the beginning to the alarm."""
        if self.found is None:
            return None
        return (self.found - self.began) / NANOSECONDS

    def explains(self, at: int) -> bool:
        """An alarm of this pump at that time is no false one."""
        grace = _COOLING if self.kind == "bearing_wear" else GRACE
        return self.began <= at and (self.ended is None or at <= self.ended + grace)


@dataclass(slots=True)
class Outage:
    """One link that was cut.

    Attributes:
        link: its name in the agent.
        what: in words.
        began: agent time of the cut.
        back: agent time the peer was there again.
        noticed: agent time the agent said so.
        recovered: agent time the link was up again and its values came.
    """

    link: str
    what: str
    began: int
    back: int | None = None
    noticed: int | None = None
    recovered: int | None = None


@dataclass(slots=True)
class Pump:
    """The newest that SCADA shows of a pump."""

    score: float = -1.0
    valid: bool = False
    threshold: float = -1.0
    alarm: bool = False
    quality: str = ""
    why: str = ""
    top: str = ""
    at_ms: int = -1


@dataclass(slots=True)
class Alarm:
    """An alarm that is on."""

    pump: str
    since: int
    reason: str
    expected: bool


@dataclass(slots=True)
class _Numbers:
    """Which sequence numbers of one boot have arrived, without keeping them all."""

    upto: int = 0
    ahead: set[int] = field(default_factory=set)

    def add(self, number: int) -> bool:
        """True when it has not been there before."""
        if number < self.upto or number in self.ahead:
            return False
        self.ahead.add(number)
        while self.upto in self.ahead:
            self.ahead.remove(self.upto)
            self.upto += 1
        return True

    def missing(self) -> int:
        """How many below the highest have not arrived."""
        if not self.ahead:
            return 0
        return max(self.ahead) + 1 - self.upto - len(self.ahead)


class Ledger:
    """The books of one run."""

    def __init__(self) -> None:
        self.pumps: dict[str, Pump] = {}
        self.faults: list[Fault] = []
        self.outages: list[Outage] = []
        self.alarms: dict[str, Alarm] = {}
        self.false_alarms: list[Alarm] = []
        self.rows = 0
        self.rows_without_score = 0
        self.rows_late = 0
        self.repeated = 0
        self.raised = 0
        self.reported_lost = 0
        self._numbers: dict[int, _Numbers] = {}

    def take(self, topic: str, message: dict[str, Any]) -> None:
        """Book one message of the agent."""
        if "seq" not in message:
            return  # its status: a statement, not a record
        kind = topic.rsplit("/", 1)[1]
        fresh = self._numbers.setdefault(message["boot"], _Numbers()).add(
            message["seq"]
        )
        if kind in {"state", "history"}:
            self._row(topic.split("/")[-4], kind, message, fresh=fresh)
        elif kind == "events" and message["event"].startswith("alarm ") and fresh:
            self._alarm(message)
        elif kind == "events" and message["event"] == "records lost" and fresh:
            told = msgspec.json.decode(message["details"])
            # what a PLC did not bring while it was down never was a record, and no
            # more was a row that its restart made too late
            mine = told.get("what") not in _OF_SOURCES
            if mine and "closed" not in told["cause"]:
                self.reported_lost += int(told["count"])

    def look(self, links: Mapping[str, bool], now: int) -> None:
        """Take what the agent says of its links: up or not, by name.

        A link has recovered when the agent says so and SCADA has newer scores of
        every pump than the end of the outage.
        """
        for outage in self.outages:
            up = links.get(outage.link)
            if up is False and outage.noticed is None:
                outage.noticed = now
            missed = outage.noticed is not None and outage.recovered is None
            if up and missed and self._flowing(outage):
                outage.recovered = now

    def _flowing(self, outage: Outage) -> bool:
        if outage.back is None:
            return False
        since = outage.back // 1_000_000
        return all(pump.valid and pump.at_ms > since for pump in self.pumps.values())

    @property
    def lost(self) -> int:
        """What has not arrived, or what the agent says it lost, if that is more."""
        missing = sum(numbers.missing() for numbers in self._numbers.values())
        return max(missing, self.reported_lost)

    @property
    def found(self) -> list[Fault]:
        """Faults that were alarmed."""
        return [fault for fault in self.faults if fault.found is not None]

    @property
    def settled(self) -> bool:
        """All faults are found, all links are back, nothing is on its way."""
        links = all(outage.recovered is not None for outage in self.outages)
        return links and not self.lost and len(self.found) == len(self.faults)

    def faulty(self, pump: str, at: int) -> Fault | None:
        """The fault that explains an alarm of a pump at a time."""
        mine = (f for f in self.faults if f.pump == pump and f.explains(at))
        return max(mine, key=lambda fault: fault.began, default=None)

    def _row(
        self, pump: str, kind: str, message: dict[str, Any], *, fresh: bool
    ) -> None:
        if fresh and message["no_score"] != "agent stopped":
            self.rows += bool(message["score_valid"])
            self.rows_without_score += not message["score_valid"]
            self.rows_late += kind == "history"
        self.repeated += not fresh
        now = self.pumps.setdefault(pump, Pump())
        if kind == "state" and message["ts_ms"] >= now.at_ms:
            self.pumps[pump] = Pump(
                message["score"],
                message["score_valid"],
                message["threshold"],
                message["alarm"] == "ACTIVE",
                message["quality"],
                message["no_score"],
                message["top1_tag"],
                message["ts_ms"],
            )

    def _alarm(self, message: dict[str, Any]) -> None:
        pump = message["subject"].rsplit("/", 1)[1]
        if message["event"] != "alarm active":
            self.alarms.pop(pump, None)
            return
        # the message has milliseconds: the end of its one decides
        at = message["ts_ms"] * 1_000_000 + 999_999
        fault = self.faulty(pump, at)
        alarm = Alarm(pump, at, message["message"], fault is not None)
        self.alarms[pump] = alarm
        self.raised += 1
        if fault is None:
            self.false_alarms.append(alarm)
        elif fault.found is None:
            fault.found, fault.reason = at, alarm.reason


def kind_of(fault: Fault) -> str:
    """``sensor`` or ``process``."""
    return "sensor" if fault.kind in SENSOR_FAULTS else "process"
