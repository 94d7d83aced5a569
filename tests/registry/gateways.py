"""Gateways in this process: the agent's own life of models, with made-up scores.

Each polls, chooses, fetches, checks every signature and byte, watches, takes over,
returns and reports with the code that a gateway runs. Only what its models would say is
made up, and its time is moved by hand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.clock import ManualClock
from edge_agent.comparison import Comparison
from edge_agent.config.pipelines import Pipeline, Promotion, Score
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.adoption import Adoption
from edge_agent.registry.cache import Cache
from edge_agent.registry.floor import Gone, Unfit
from edge_agent.registry.inquiry import Inquiry
from edge_agent.registry.manning import Manning
from edge_agent.registry.verdict import Verdict
from edge_agent.registry.workshop import Workshop
from edge_agent.samples import NANOSECONDS
from tests.registry.adopting import HandFloor, Inline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.bundle.trust import Trust
    from edge_agent.registry.crew import Crew
    from edge_agent.registry.lifecycle import Life, Version
    from edge_agent.registry.listing import Gateway, Listing, Offer, Report
    from edge_agent.registry.registry import Registry

#: s between two looks of a gateway, give or take a tenth, as the agent's default.
POLL = 60.0
#: s that a version is watched beside the old one.
SHADOW = 120.0
#: The wall clock when a fleet begins, in ns UTC.
BEGIN = 1_900_000_000 * NANOSECONDS
#: Title of a bundle that fails where it scores.
BAD = "Bad "

PIPELINE = "pumps"


@dataclass(frozen=True)
class Nature:
    """What is special about a gateway.

    Attributes:
        off: s between which its link is down.
        dead: its clock says 1970 after each start.
        refuses: its vetting finds the bad version out.
        bears: s that the bad version scores there before it fails; 0 for ever.
    """

    off: tuple[float, float] = (0.0, 0.0)
    dead: bool = False
    refuses: bool = False
    bears: float = 0.0


def nature(name: str, away: float) -> Nature:
    """The same for the same name.

    Args:
        name: of the gateway; one in eight has a link that is down for long.
        away: h that a link is down at most; half of it at least.
    """
    draw = Random(name)
    start, hours = draw.uniform(0, 1800), draw.uniform(0.5, 1) * away
    off = (start, start + hours * 3600) if draw.random() < 0.125 else (0.0, 0.0)
    dead, refuses = draw.random() < 0.05, draw.random() < 0.06
    return Nature(off, dead, refuses, draw.choice((120.0, 240.0, 420.0, 0.0)))


def is_bad(bundle: Path) -> bool:
    """Whether a version fails where it scores."""
    return f"\ntitle: {BAD}" in (bundle / PASSPORT_FILE).read_text()


class Wire:
    """A gateway's link to its registry: counts what is asked, and may be down."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.asked: Counter[str] = Counter()
        self.up = True

    def listing(self, name: str) -> Listing:
        """See `Registry`."""
        self._ask("listing")
        return self._registry.listing(name)

    def offer(self, name: str, version: str) -> Offer:
        """See `Registry`."""
        self._ask("offer")
        return self._registry.offer(name, version)

    def fetch(
        self, offer: Offer, into: Path, proceed: Callable[[int, int], bool]
    ) -> None:
        """See `Registry`."""
        self._ask("fetch")
        self._registry.fetch(offer, into, proceed)

    def report(self, report: Report) -> None:
        """See `Registry`."""
        self._ask("report")
        self._registry.report(report)

    def status(self) -> dict[str, object]:
        """See `Registry`."""
        return self._registry.status()

    def _ask(self, what: str) -> None:
        if not self.up:
            raise RegistryUnavailable("the link is down")
        self.asked[what] += 1


class SimulatedRoom:
    """Vets without running a model."""

    def __init__(self, nature: Nature) -> None:
        self._nature = nature

    def vet(self, folder: Path) -> Verdict:
        """Some gateways have a runtime in which the bad version gives other scores."""
        if self._nature.refuses and is_bad(folder):
            return Verdict(
                accepted=False, reason="a golden row differs by 0.4, 0.01 is allowed"
            )
        return Verdict(accepted=True)

    def close(self) -> None:
        """Nothing to give back."""


class SimulatedFloor(HandFloor):
    """Posts whose models say nothing: time is all that passes.

    Attributes:
        began: s since the fleet began when each version of the passport first scored.
    """

    def __init__(self, cache: Cache, clock: ManualClock, nature: Nature) -> None:
        super().__init__(cache)
        self.began: dict[str, float] = {}
        self._start = clock.now()
        self._clock, self._nature = clock, nature
        self._since: dict[str, int] = {}

    def _load(self, version: Version) -> None:
        if not self.cache.has(version):
            raise Unfit(version.key, "its files are gone")

    def man(self, pipeline: str, crew: Crew) -> None:
        """Notes who works since when."""
        super().man(pipeline, crew)
        at_work = {v.key: v for v in (crew.version, crew.beside) if v is not None}
        now = self._clock.now()
        self._since = {key: self._since.get(key, now) for key in at_work}
        if crew.version is not None:
            at = (now - self._start) / NANOSECONDS
            self.began.setdefault(crew.version.label, at)

    def comparison(self, pipeline: str) -> Comparison:
        """The two agree on every row; one a second."""
        crew = self.crews[pipeline]
        if crew.beside is None:
            return Comparison()
        watched = self._clock.now() - self._since[crew.beside.key]
        return Comparison(rows=watched // NANOSECONDS, watched=watched)

    def gone(self) -> list[Gone]:
        """The bad version's scores leave their range after a while."""
        crew, bears = self.crews.get(PIPELINE), self._nature.bears
        if crew is None or crew.version is None or not bears:
            return []
        version = crew.version
        since = self._start + self.began[version.label] * NANOSECONDS
        if self._clock.now() - since < bears * NANOSECONDS:
            return []
        if not is_bad(self.cache.bundle(version.name, version.digest)):
            return []
        return [Gone(PIPELINE, version.key, "gave no number for half of its rows")]


class SimulatedGateway:
    """One gateway with one pipeline.

    Args:
        gateway: who it is.
        model: what it runs.
        registry: its link's other end.
        folder: its state.
        trust: whose models it takes.
        nature: what is special about it.
    """

    def __init__(
        self,
        gateway: Gateway,
        model: str,
        registry: Registry,
        folder: Path,
        trust: Callable[[], Trust | None],
        nature: Nature,
    ) -> None:
        self.gateway = gateway
        self.nature = nature
        self.wire = Wire(registry)
        self._began = 0 if self.nature.dead else BEGIN
        self._clock = ManualClock(self._began)
        cache = Cache(folder / "models")
        cache.prepare()
        self.floor = SimulatedFloor(cache, self._clock, self.nature)
        pipelines = {PIPELINE: _pipeline(model)}
        manning = Manning(
            pipelines, cache, self.floor, self._clock, lambda _event: None
        )
        self._adoption = Adoption(
            pipelines,
            cache,
            manning,
            Inquiry(self.wire, gateway, self._clock, poll=POLL, stale_after=86_400.0),
            Workshop(
                self.wire,
                cache,
                trust,
                SimulatedRoom(self.nature),
                gateway.site,
                lambda _found: None,
            ),
            self._clock,
            asking=Inline(),
            working=Inline(),
            agent="0.2.0",
        )
        self._adoption.start(0.0)

    def tick(self, now: float) -> None:
        """Everything that is due, ``now`` s after the fleet began."""
        off, on = self.nature.off
        self.wire.up = not off <= now < on
        self._clock.time = self._began + round(now * NANOSECONDS)
        self._adoption.turn()

    @property
    def due(self) -> float:
        """When it polls next, in s after the fleet began."""
        return (self._adoption._next_poll - self._began) / NANOSECONDS

    @property
    def life(self) -> Life:
        """The pipeline's versions."""
        return self._adoption.manning.lives[PIPELINE]

    @property
    def scores(self) -> str:
        """Version of the passport that scores; empty for none."""
        crew = self.floor.crews[PIPELINE]
        return crew.version.label if crew.version is not None else ""


def _pipeline(model: str) -> Pipeline:
    return Pipeline.model_validate(
        {
            "assets": "pump",
            "model": model,
            "score": Score(every=1.0),
            "promotion": Promotion(policy="after", after=SHADOW, probation=600.0),
        }
    )
