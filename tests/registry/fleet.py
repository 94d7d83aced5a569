"""Two hundred gateways in one process, beside a real registry.

Each gateway polls on its own jittered schedule, chooses, fetches really, checks every
byte, and walks the life of a version; what it would score is made up. Time is moved by
hand. ``python -m tests.registry.fleet --gateways 200`` prints what it did.
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from edge_agent.bundle.passport import load
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry import conducting, lifecycle
from edge_agent.registry.choosing import Reference, choose
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.lifecycle import Life, Stage, Version
from edge_agent.registry.listing import FILES, Gateway, Listing, ModelReport, Report
from edge_agent.registry.publishing import all_of
from edge_agent.registry.rollout import Kind
from edge_agent.registry.rules import Limit, Rules
from edge_agent.samples import NANOSECONDS
from tests.registry import made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_agent.registry.listing import Offer
    from edge_agent.registry.registry import Desk, Registry
    from edge_agent.registry.rollout import Decision

#: s between two looks of a gateway, give or take a tenth, as the agent's default.
POLL = 60.0
#: s that a version is watched beside the old one, and s between two reports at most.
SHADOW, REPORT = 120.0, 900.0
#: The wall clock when a fleet begins, in s.
BEGIN = 1_900_000_000
#: Title of a bundle that fails where it scores.
BAD = "Bad "


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


def nature(name: str) -> Nature:
    """The same for the same name: one in eight has a link that is down for hours."""
    draw = Random(name)
    start, hours = draw.uniform(0, 2700), draw.uniform(1, 1.5)
    off = (start, start + hours * 3600) if draw.random() < 0.125 else (0.0, 0.0)
    dead, refuses = draw.random() < 0.05, draw.random() < 0.06
    return Nature(off, dead, refuses, draw.choice((120.0, 240.0, 420.0, 0.0)))


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


@dataclass
class SimulatedGateway:
    """One gateway with one model.

    Attributes:
        gateway: who it is.
        model: what it runs.
        wire: its link.
        folder: for what it fetches.
        digests: SHA-256 over all files of each version, as they were made.
        nature: what is special about it.
        had: versions that ever scored here.
    """

    gateway: Gateway
    model: str
    wire: Wire
    folder: Path
    digests: dict[str, str]
    nature: Nature
    life: Life = field(default_factory=Life)
    had: set[str] = field(default_factory=set)
    _listing: Listing | None = None
    _since: float = 0.0
    _told: ModelReport | None = None
    _told_at: float = -REPORT
    _bad: set[str] = field(default_factory=set)

    def tick(self, now: float) -> None:
        """Everything that is due.

        Args:
            now: s since the fleet began.
        """
        off, on = self.nature.off
        self.wire.up = not off <= now < on
        self._break_down(now)
        try:
            self._listing = self.wire.listing(self.model)
            self._look()
            self._carry_on(now)
        except RegistryUnavailable:
            self._carry_on(now, alone=True)
        self._report(now)

    def _look(self) -> None:
        assert self._listing is not None
        active = self.life.active
        if active is not None and active.version in self._listing.halted:
            why = f"halted: {self._listing.halted[active.version]}"
            self.life = lifecycle.give_back(self.life, why)
            active = self.life.active
        wanted = choose(self._listing, Reference(self.model), self.gateway)
        if not wanted.version or (active and active.version == wanted.version):
            self.life = lifecycle.unsee(self.life, watch=False)
        elif not self._listing.paused and not self._met(wanted.version):
            offer = self.wire.offer(self.model, wanted.version)
            self.life = lifecycle.see(self.life, offer, wanted.via)

    def _met(self, version: str) -> bool:
        """Whether a version is on its way or was refused: asked for once."""
        return any(
            v.version == version and v.stage not in (Stage.RETIRED, Stage.PREVIOUS)
            for v in self.life.versions
        ) or self._return_to(version)

    def _return_to(self, version: str) -> bool:
        """Go back to a version that is kept."""
        previous = self.life.previous
        if previous is None or previous.version != version:
            return False
        self.life = lifecycle.activate(self.life, previous.key)
        return True

    def _carry_on(self, now: float, *, alone: bool = False) -> None:
        """The candidate's next steps, until one takes time."""
        while candidate := self.life.candidate:
            if candidate.stage is Stage.SEEN and alone:
                return
            if not self._step(candidate, now):
                return

    def _step(self, at: Version, now: float) -> bool:
        match at.stage:
            case Stage.SEEN:
                self._fetch(at)
            case Stage.FETCHED:
                self._verify(at)
            case Stage.VERIFIED if self.nature.refuses and at.version in self._bad:
                why = "a golden row differs by 0.4, 0.01 is allowed"
                self.life = lifecycle.refuse(self.life, at.key, why)
            case Stage.VERIFIED:
                self.life = lifecycle.advance(self.life, at.key, Stage.VETTED)
            case Stage.VETTED if self.life.active is not None:
                self.life = lifecycle.advance(self.life, at.key, Stage.SHADOW)
                self._since = now
            case _ if at.stage is Stage.SHADOW and now - self._since < SHADOW:
                return False
            case _:
                self.life = lifecycle.activate(self.life, at.key)
                self.had.add(at.version)
                self._since = now
        return True

    def _fetch(self, at: Version) -> None:
        offer = self.wire.offer(at.name, at.version)
        self.wire.fetch(offer, self.folder / at.key, made.go_on)
        self.life = lifecycle.advance(self.life, at.key, Stage.FETCHED)

    def _verify(self, at: Version) -> None:
        folder = self.folder / at.key
        passport = load(folder)
        digest = all_of(folder, made.contents(folder))
        assert digest == self.digests[passport.version], "not what was published"
        if passport.title.startswith(BAD):
            self._bad.add(at.version)
        self.life = lifecycle.advance(
            self.life, at.key, Stage.VERIFIED, digest=digest, label=passport.version
        )

    def _break_down(self, now: float) -> None:
        active, bears = self.life.active, self.nature.bears
        if active is None or active.version not in self._bad or not bears:
            return
        if now - self._since >= bears:
            why = "its scores left the range that they had in shadow"
            self.life = lifecycle.give_back(self.life, why)

    def _report(self, now: float) -> None:
        mine = self._state()
        if mine == self._told and now - self._told_at < REPORT:
            return
        wall = now if self.nature.dead else BEGIN + now
        try:
            self.wire.report(
                Report(self.gateway, "0.2.0", int(wall * NANOSECONDS), (mine,))
            )
        except RegistryUnavailable:
            return
        self._told, self._told_at = mine, now

    def _state(self) -> ModelReport:
        active, coming = self.life.active, self.life.candidate or self.life.refused
        state = "shadow" if coming and coming.stage is Stage.SHADOW else "active"
        if active is None:
            state = "none"
        elif self.life.returned:
            state = "returned"
        return ModelReport(
            self.model,
            active.version if active else "",
            active.digest if active else "",
            active.release if active else 0,
            state,
            coming.version if coming else "",
            str(coming.stage) if coming else "",
            coming.reason if coming else "",
        )


class SimulatedFleet:
    """Gateways that share a registry, and a centre that looks once a minute.

    Args:
        count: gateways.
        desk: the registry as the centre uses it.
        model: what they run.
        registry: the registry as the gateway of that name uses it.
        folder: for what gateways fetch.
    """

    def __init__(
        self,
        count: int,
        desk: Desk,
        model: str,
        registry: Callable[[str], Registry],
        folder: Path,
    ) -> None:
        self.desk, self.model = desk, model
        self.now = 0.0
        self.digests: dict[str, str] = {}
        self._jitter = Random(count)
        names = [f"gw-{number:03}" for number in range(count)]
        self.gateways = [
            SimulatedGateway(
                Gateway(name, f"site-{number % 8}"),
                model,
                Wire(registry(name)),
                folder / name,
                self.digests,
                nature(name),
            )
            for number, name in enumerate(names)
        ]
        self._due = [(self._jitter.uniform(0, POLL), i) for i in range(count)]
        heapq.heapify(self._due)

    def publish(self, version: str, folder: Path, *, bad: bool = False) -> str:
        """Push a version; returns the registry's id."""
        bundle = made.bundle(folder, self.model, version, say=BAD if bad else "")
        pushed = self.desk.push(bundle, {}).version
        history = {one["version"]: one[FILES] for one in self.desk.history(self.model)}
        self.digests[version] = history[pushed]
        return pushed

    def run(self, seconds: float) -> None:
        """Let time go by."""
        until = self.now + seconds
        while self._due[0][0] < until:
            self.now, index = heapq.heappop(self._due)
            self.gateways[index].tick(self.now)
            after = self.now + POLL * self._jitter.uniform(0.9, 1.1)
            heapq.heappush(self._due, (after, index))
        self.now = until

    def roll_out(
        self, version: str, rules: Rules, note: Callable[[str], None]
    ) -> list[Decision]:
        """Begin a rollout and look once a minute until it ends, or for six hours.

        Args:
            version: the registry's id.
            rules: what is watched.
            note: told of every change.
        """
        begun = conducting.start(self.desk, self.model, version, rules, self.wall)
        note(f"begun at {begun.percent:g} %")
        seen = []
        for _ in range(360):
            self.run(60.0)
            done = conducting.check(self.desk, self.model, self.wall)
            if done is None:
                break
            seen.append(done[1])
            if done[1].kind is not Kind.WAIT:
                note(_word(done[1]))
        return seen

    @property
    def wall(self) -> int:
        """The centre's clock, ns UTC."""
        return int((BEGIN + self.now) * NANOSECONDS)

    def running(self) -> Counter[str]:
        """Gateways by the version that scores."""
        return Counter(
            active.label if (active := one.life.active) else "none"
            for one in self.gateways
        )

    def had(self, version: str) -> set[str]:
        """Names of the gateways on which a version ever scored."""
        return {one.gateway.name for one in self.gateways if version in one.had}

    def asked(self) -> Counter[str]:
        """Calls to the registry by all gateways."""
        return sum((one.wire.asked for one in self.gateways), Counter[str]())


def _word(decision: Decision) -> str:
    share = f" to {decision.percent:g} %" if decision.kind is Kind.WIDEN else ""
    return f"{decision.kind}{share}"


@dataclass
class Story:
    """What came of a good first version, a bad second and a good third.

    Attributes:
        bad: what was decided of the second, look by look.
        after: gateways by version, half an hour after the second was halted.
        good: what was decided of the third.
        lines: of the table.
    """

    bad: list[Decision] = field(default_factory=list)
    after: Counter[str] = field(default_factory=Counter)
    good: list[Decision] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


RULES = Rules(watch=300.0, failed=Limit(3), quiet=1800.0)


def perform(fleet: SimulatedFleet, folder: Path) -> Story:
    """Everybody runs 1.0.0; 1.1.0 is bad, 1.2.0 is good.

    Args:
        fleet: whose model has no version yet.
        folder: for bundles.
    """
    story = Story()
    note = _noter(fleet, story)
    first = fleet.publish("1.0.0", folder)
    conducting.promote(fleet.desk, fleet.model, first)
    fleet.run(600.0)
    note("1.0.0 published")

    bad = fleet.publish("1.1.0", folder, bad=True)
    story.bad = fleet.roll_out(bad, RULES, note)
    fleet.run(1800.0)
    story.after = fleet.running()
    note("half an hour later")

    good = fleet.publish("1.2.0", folder)
    story.good = fleet.roll_out(good, RULES, note)
    fleet.run(4200.0)
    note("an hour later")
    return story


_VERSIONS = ("none", "1.0.0", "1.1.0", "1.2.0")


def _noter(fleet: SimulatedFleet, story: Story) -> Callable[[str], None]:
    columns = "".join(f"{version:>8}" for version in _VERSIONS)
    story.lines.append(f"{'minute':>6}  {'what':<20}{columns}")

    def note(what: str) -> None:
        running = fleet.running()
        counts = "".join(f"{running[version]:>8}" for version in _VERSIONS)
        story.lines.append(f"{fleet.now / 60:6.0f}  {what:<20}{counts}")

    return note


def main() -> None:
    """Perform beside a real registry and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateways", type=int, default=200)
    arguments = parser.parse_args()
    memory = Path("/dev/shm")  # noqa: S108 - gateways sync every file they fetch
    place = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        stick = folder / "registry"
        stick.mkdir()
        desk = DirectoryRegistry(stick)
        began = time.perf_counter()
        fleet = SimulatedFleet(
            arguments.gateways,
            desk,
            "pump",
            lambda gateway: DirectoryRegistry(stick, gateway),
            folder,
        )
        story = perform(fleet, folder)
        took = time.perf_counter() - began
    print("\n".join([*story.lines, "", *_closing(fleet, story)]))
    print(f"{fleet.now / 3600:.1f} h of the fleet took {took:.0f} s")


def _closing(fleet: SimulatedFleet, story: Story) -> Iterator[str]:
    yield f"1.1.0: {story.bad[-1].reason}"
    inside = sum(one.inside for one in story.bad[-1].stands.each)
    yield f"1.1.0 ever scored on {len(fleet.had('1.1.0'))} of {inside} canaries"
    counts = (f"{n} {word}" for word, n in story.good[-1].stands.counts.items())
    yield f"1.2.0 when it became champion: {', '.join(counts)}"
    asked, hours = fleet.asked(), len(fleet.gateways) * fleet.now / 3600
    each = ", ".join(f"{n / hours:.2f} {what}" for what, n in asked.most_common())
    yield f"calls per gateway and hour: {sum(asked.values()) / hours:.1f} ({each})"


if __name__ == "__main__":
    main()
