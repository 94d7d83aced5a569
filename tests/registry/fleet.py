"""Two hundred gateways in one process, beside a real registry.

``python -m tests.registry.fleet --gateways 200`` prints what they did.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import logging
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import structlog

from edge_agent.bundle import keys, signing
from edge_agent.bundle.trust import Trust
from edge_agent.clock import SystemClock
from edge_agent.config import schema
from edge_agent.registry import conducting
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.listing import Gateway
from edge_agent.registry.mlflow.client import Client
from edge_agent.registry.mlflow.registry import MlflowRegistry
from edge_agent.registry.rollout import Kind
from edge_agent.registry.rules import Limit, Rules
from edge_agent.samples import NANOSECONDS
from tests.registry import made
from tests.registry.gateways import BAD, BEGIN, POLL, SimulatedGateway, nature
from tests.registry.mlflow_server import MlflowServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_agent.registry.registry import Desk, Registry
    from edge_agent.registry.rollout import Decision


#: The model, and the experiment in which gateways report: nobody else's.
MODEL, FLEET = "pump", "edge-simulation"


class SimulatedFleet:
    """Gateways that share a registry, and a centre that looks once a minute.

    Args:
        count: gateways.
        desk: the registry as the centre uses it.
        model: what they run.
        registry: the registry as the gateway of that name uses it.
        folder: for their state.
        away: h that some links are down.
    """

    def __init__(
        self,
        count: int,
        desk: Desk,
        model: str,
        registry: Callable[[str], Registry],
        folder: Path,
        away: float,
    ) -> None:
        self.desk, self.model = desk, model
        self.now = 0.0
        self._folder = folder / "made"
        self.ids: dict[str, str] = {}
        """The registry's id of each version."""
        self._key = keys.made()
        trust = Trust.of([self._key.public_key()])
        jitter = Random(count)
        names = [f"gw-{number:03}" for number in range(count)]
        self.gateways = [
            SimulatedGateway(
                Gateway(name, f"site-{number % 8}"),
                model,
                registry(name),
                folder / name,
                lambda: trust,
                nature(name, away),
            )
            for number, name in enumerate(names)
        ]
        self._due = [(jitter.uniform(0, POLL), i) for i in range(count)]
        heapq.heapify(self._due)

    def publish(self, version: str, *, bad: bool = False) -> str:
        """Sign and push a version; returns the registry's id."""
        bundle = made.bundle(self._folder, self.model, version, say=BAD if bad else "")
        signing.sign(bundle, self._key)
        self.ids[version] = self.desk.push(bundle, {}).version
        return self.ids[version]

    def run(self, seconds: float) -> None:
        """Let time go by."""
        until = self.now + seconds
        while self._due[0][0] < until:
            self.now, index = heapq.heappop(self._due)
            gateway = self.gateways[index]
            gateway.tick(self.now)
            heapq.heappush(self._due, (max(gateway.due, self.now + 1.0), index))
        self.now = until

    def roll_out(
        self, version: str, rules: Rules, note: Callable[[str], None]
    ) -> list[Decision]:
        """Begin a rollout and look once a minute until it ends, or for ten hours.

        Args:
            version: the registry's id.
            rules: what is watched.
            note: told of every change.
        """
        begun = conducting.start(self.desk, self.model, version, rules, self.wall)
        note(f"begun at {begun.percent:g} %")
        seen = []
        for _ in range(600):
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
        return BEGIN + round(self.now * NANOSECONDS)

    def scores(self) -> Counter[str]:
        """Gateways by the version that scores."""
        return Counter(one.scores for one in self.gateways)

    def had(self, version: str) -> dict[str, float]:
        """Gateways on which a version ever scored, and since when."""
        return {
            one.gateway.name: one.floor.began[version]
            for one in self.gateways
            if version in one.floor.began
        }

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
        halted: s since the fleet began when it ended.
        after: gateways by the version that scores, some time after the second ended.
        good: what was decided of the third.
        lines: of the table.
    """

    bad: list[Decision] = field(default_factory=list)
    halted: float = 0.0
    after: Counter[str] = field(default_factory=Counter)
    good: list[Decision] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


#: An hour of watching; a canary of 26 bears two failures, one of 6 bears one.
RULES = Rules(enough=0.8, failed=Limit(2, 0.1))


def perform(fleet: SimulatedFleet, rules: Rules, rest: float = 1800.0) -> Story:
    """Everybody runs 1.0.0; 1.1.0 is bad, 1.2.0 is good.

    Args:
        fleet: whose model has no version yet.
        rules: of both rollouts.
        rest: s between the two.
    """
    story = Story()
    note = _noter(fleet, story)
    first = fleet.publish("1.0.0")
    conducting.promote(fleet.desk, fleet.model, first)
    fleet.run(300.0)
    note("1.0.0 published")

    bad = fleet.publish("1.1.0", bad=True)
    story.bad = fleet.roll_out(bad, rules, note)
    story.halted = fleet.now
    fleet.run(rest)
    story.after = fleet.scores()
    note(f"{rest / 60:.0f} min later")

    good = fleet.publish("1.2.0")
    story.good = fleet.roll_out(good, rules, note)
    back = max(one.nature.off[1] for one in fleet.gateways)
    fleet.run(max(0.0, back - fleet.now) + 600.0)
    note("all links are up")
    return story


_VERSIONS = ("1.0.0", "1.1.0", "1.2.0")


def _noter(fleet: SimulatedFleet, story: Story) -> Callable[[str], None]:
    columns = "".join(f"{version:>8}" for version in _VERSIONS)
    story.lines.append(f"{'minute':>6}  {'what':<20}{columns}")

    def note(what: str) -> None:
        scores = fleet.scores()
        counts = "".join(f"{scores[version]:>8}" for version in _VERSIONS)
        story.lines.append(f"{fleet.now / 60:6.0f}  {what:<20}{counts}")

    return note


@contextlib.contextmanager
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: gateways sync every file they fetch."""
    shared = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        yield Path(name)


@contextlib.contextmanager
def folder_fleet(count: int, away: float) -> Iterator[SimulatedFleet]:
    """Gateways that share a folder."""
    with memory() as folder:
        stick = folder / "registry"
        stick.mkdir()
        yield SimulatedFleet(
            count,
            DirectoryRegistry(stick),
            MODEL,
            lambda gateway: DirectoryRegistry(stick, gateway),
            folder,
            away,
        )


@contextlib.contextmanager
def mlflow_fleet(
    count: int, away: float, server: MlflowServer
) -> Iterator[SimulatedFleet]:
    """Gateways that share an MLflow server; they have one client, which counts."""
    settings = schema.Registry(type="mlflow", url=server.url)
    client = Client(settings, None, SystemClock())
    with memory() as folder:
        yield SimulatedFleet(
            count,
            MlflowRegistry(client, FLEET, FLEET),
            MODEL,
            lambda _gateway: MlflowRegistry(client, FLEET, FLEET),
            folder,
            away,
        )


def main() -> None:
    """Perform beside a real registry and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateways", type=int, default=200)
    parser.add_argument("--mlflow", action="store_true", help="not a folder")
    parser.add_argument("--away", type=float, default=5.0, help="h, of some links")
    arguments = parser.parse_args()
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    count, away, began = arguments.gateways, arguments.away, time.perf_counter()
    with contextlib.ExitStack() as stack:
        if arguments.mlflow:
            place = stack.enter_context(memory())
            server = stack.enter_context(MlflowServer(place))
            began = time.perf_counter()
            fleet = stack.enter_context(mlflow_fleet(count, away, server))
        else:
            fleet = stack.enter_context(folder_fleet(count, away))
        story = perform(fleet, RULES)
        calls = fleet.desk.status().get("calls")
    print("\n".join([*story.lines, "", *_closing(fleet, story)]))
    if calls is not None:
        hours = count * fleet.now / 3600
        print(
            f"HTTP requests per gateway and hour, the centre's too: {calls / hours:.1f}"
        )
    took = time.perf_counter() - began
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
