"""Whatever happens to a gateway, and in whatever order: what always holds.

A real folder of models, real files, restarts. A floor made by hand that loads bundles.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from edge_agent.bundle.contents import open_bundle
from edge_agent.comparison import Comparison
from edge_agent.config.pipelines import Promotion
from edge_agent.records import Fallback
from edge_agent.registry import lifecycle, orders
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.floor import Gone
from edge_agent.registry.lifecycle import ON_ITS_WAY, Stage
from edge_agent.registry.orders import Order
from tests.registry import made
from tests.registry.adopting import SECOND, Plant

pytestmark = pytest.mark.timeout(120)
MODEL = "pump"
VERSIONS = [f"1.{number}.0" for number in range(5)]
PIPELINES = ("pumps", "twins")
ALIASES = ("champion", "challenger", "gw-gw-07")
SEEN: dict[str, Path] = {}
"""Bundles are made once: that takes longest."""

versions = st.sampled_from(VERSIONS)
pipelines = st.sampled_from(PIPELINES)


def bundle(version: str) -> Path:
    """A bundle of that version."""
    if version not in SEEN:
        folder = Path(tempfile.mkdtemp(prefix="bundles-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        SEEN[version] = made.bundle(folder, MODEL, version, say=f"v{version} ")
    return SEEN[version]


class Gateway(RuleBasedStateMachine):
    """Two pipelines on one model; everything that a plant does to them."""

    @initialize(
        policy=st.sampled_from(["after", "at-once", "manual"]),
        rungs=st.sampled_from(
            [("last-known-good", "limits", "none"), ("limits", "none"), ("none",)]
        ),
    )
    def begin(self, policy: str, rungs: tuple[str, ...]) -> None:
        """A gateway without a model, and a stick without versions."""
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        (self.folder / "stick").mkdir()
        self.desk = DirectoryRegistry(self.folder / "stick", "gw-07")
        self.how = Promotion(policy=policy, after=600.0, probation=600.0)  # type: ignore[arg-type]
        self.rungs = rungs
        self.pushed: set[str] = set()
        self.refuses: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
        self.expired: set[str] = set()
        self.taken_off: dict[str, set[str]] = {name: set() for name in PIPELINES}
        self.marks = 0
        self.manned: dict[str, str] = {}
        self.told = 0
        self.start()

    def start(self) -> None:
        """The agent starts."""
        self.plant = Plant(
            self.folder / "state",
            self.desk,
            MODEL,
            promotion=self.how,
            fallback=self.rungs,
            pipelines={"twins": MODEL},
            unfit=self.unfit,
            expired=self.expired,
        )
        self.plant.room.refuses = self.refuses
        self.told = 0

    def teardown(self) -> None:
        """Nothing stays."""
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- what the centre does -----------------------------------------------------

    @rule(version=versions)
    def push(self, version: str) -> None:
        """Publish a version."""
        if (self.folder / "stick").is_dir():
            self.desk.push(bundle(version), {})
            self.pushed.add(version)

    @precondition(lambda self: self.pushed)
    @rule(alias=st.sampled_from(ALIASES), data=st.data())
    def point(self, alias: str, data: st.DataObject) -> None:
        """Let an alias point somewhere else, or nowhere."""
        if (self.folder / "stick").is_dir():
            choice = st.sampled_from([None, *sorted(self.pushed)])
            self.desk.point(MODEL, alias, data.draw(choice))

    @precondition(lambda self: self.pushed)
    @rule(version=versions, on=st.booleans())
    def halt(self, version: str, on: bool) -> None:
        """Nobody may run a version any more; or they may again."""
        if (self.folder / "stick").is_dir():
            self.desk.set_tag(MODEL, f"edge.halted.{version}", "bad" if on else None)

    @precondition(lambda self: self.pushed)
    @rule(on=st.booleans())
    def pause(self, on: bool) -> None:
        """Adopt nothing new."""
        if (self.folder / "stick").is_dir():
            self.desk.set_tag(MODEL, "edge.paused", "true" if on else None)

    @rule()
    def pull_or_put_the_stick(self) -> None:
        """The link to the registry comes and goes."""
        stick, pocket = self.folder / "stick", self.folder / "pocket"
        source, target = (stick, pocket) if stick.is_dir() else (pocket, stick)
        source.rename(target)

    # --- what the plant does --------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 70.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        """And the agent turns."""
        self.plant.pass_time(seconds)

    @rule(name=pipelines, beside=st.booleans())
    def fails(self, name: str, beside: bool) -> None:
        """A version at work keeps failing."""
        crew = self.plant.floor.crews[name]
        version = crew.beside if beside else crew.version
        if version is not None and (beside or crew.rung < Fallback.LIMITS):
            self.plant.floor.failing.append(Gone(name, version.key, "failed"))
            if not beside or not crew.control:
                self.taken_off[name].add(version.digest)
            self.plant.pass_time(1.0)

    @rule(kind=st.sampled_from(["well", "broken", "differs", "nothing"]))
    def compares(self, kind: str) -> None:
        """The two at the posts have been compared for long."""
        long = 700 * SECOND
        self.plant.floor.compared = {
            "well": Comparison(rows=500, watched=long, xx=1.0, yy=1.0),
            "broken": Comparison(rows=500, alarm_new=400, xx=1.0, yy=1.0),
            "differs": Comparison(rows=500, alarm_new=50, watched=long, xx=1.0, yy=1.0),
            "nothing": Comparison(),
        }[kind]

    @rule(version=versions, on=st.booleans())
    def vetting(self, version: str, on: bool) -> None:
        """A version cannot be run here."""
        if on:
            self.refuses[version] = "asked for 40 GB"
        else:
            self.refuses.pop(version, None)

    @rule(version=versions, on=st.booleans())
    def expires(self, version: str, on: bool) -> None:
        """The date, or a clock that is wrong."""
        (self.expired.add if on else self.expired.discard)(version)
        self.plant.floor.expired = set(self.expired)
        self.plant.pass_time(1.0)

    @rule(version=versions, on=st.booleans())
    def another_plant(self, version: str, on: bool) -> None:
        """A version does not fit the plant as the next start finds it."""
        if on:
            self.unfit[version] = "needs torque"
        else:
            self.unfit.pop(version, None)
        self.restart()

    @rule()
    def restart(self) -> None:
        """Killed, and started again."""
        self.start()

    @rule(data=st.data())
    def disk_eats_a_file(self, data: st.DataObject) -> None:
        """And the agent starts again."""
        there = sorted((self.folder / "state" / "models" / "bundles").glob("*/*"))
        if there:
            chosen = data.draw(st.sampled_from(there))
            (chosen / "passport.yaml").write_bytes(b"name: x")
            self.start()

    # --- what people do -------------------------------------------------------------

    @rule(
        name=pipelines,
        action=st.sampled_from(["activate", "rollback", "follow"]),
        version=versions,
    )
    def order(self, name: str, action: str, version: str) -> None:
        """An order by hand."""
        folder = self.plant.cache.root / "orders"
        orders.give(folder, Order(name, action, version, "anna"))  # type: ignore[arg-type]
        life = self.plant.adoption.manning.lives[name]
        self.taken_off[name] -= {  # a person may want to see it fail again
            v.digest for v in life.versions if version in (v.label, v.version)
        }
        self.plant.pass_time(1.0)

    # --- what always holds ----------------------------------------------------------

    @invariant()
    def one_rung_is_manned_and_it_is_the_best(self) -> None:
        """By the life and the configuration; the floor works as the manning says."""
        manning, floor = self.plant.adoption.manning, self.plant.floor
        for name in PIPELINES:
            life, crew = manning.lives[name], manning.crews[name]
            assert floor.crews[name] == crew
            stages = [v.stage for v in life.versions]
            assert stages.count(Stage.ACTIVE) <= 1
            assert stages.count(Stage.PREVIOUS) <= 1
            for watch in (True, False):
                on_way = [
                    v
                    for v in life.versions
                    if v.stage in ON_ITS_WAY and v.watch is watch
                ]
                assert len(on_way) <= 1
            active = life.active
            fit = active is not None and active.label not in self.expired
            fit = fit and not manning._misfits[name].get(active.key)  # type: ignore[union-attr]
            if fit and not life.returned:
                assert crew.rung is Fallback.MODEL, crew
            elif fit and "last-known-good" in self.rungs:
                assert crew.rung is Fallback.LAST_KNOWN_GOOD, crew
            if crew.rung >= Fallback.LIMITS and not fit and "limits" in self.rungs:
                known = any(v.digest for v in life.versions)
                assert crew.rung is Fallback.LIMITS or not known, (crew, life)
            if crew.rung is Fallback.NO_SCORE:
                assert crew.because
            waiting = life.candidate
            if crew.rung >= Fallback.LIMITS and waiting is not None:
                alone = life.active is None or self.how.policy != "manual"
                if alone and waiting.stage is Stage.SHADOW:
                    assert manning.waits[name]  # it says what it waits for

    @invariant()
    def what_scores_is_whole_and_allowed(self) -> None:
        """Its files are those that were verified; it was not refused, nor expired."""
        for name in PIPELINES:
            crew = self.plant.adoption.manning.crews[name]
            for version in (
                crew.version if crew.rung < Fallback.LIMITS else None,
                crew.beside,
            ):
                if version is None:
                    continue
                life = self.plant.adoption.manning.lives[name]
                assert version in life.versions
                assert version.stage not in (Stage.REFUSED, Stage.RETIRED)
                folder = self.plant.cache.bundle(MODEL, version.digest)
                assert open_bundle(folder).digest == version.digest
            if crew.rung < Fallback.LIMITS and crew.version is not None:
                assert crew.version.label not in self.expired
                off = self.taken_off[name]
                assert crew.version.digest not in off, "the same files failed here"

    @invariant()
    def marks_never_go_down(self) -> None:
        """What was active is remembered."""
        mark = self.plant.cache.mark(MODEL)
        for life in self.plant.adoption.manning.lives.values():
            for version in life.versions:
                if version.stage in (Stage.ACTIVE, Stage.PREVIOUS):
                    assert version.digest in mark.proven
        assert len(mark.proven) >= self.marks
        self.marks = len(mark.proven)

    @invariant()
    def every_change_of_who_scores_is_told(self) -> None:
        """By an event of the pipeline, except where only the date changed it."""
        names = {event.subject for event in self.plant.events[self.told :]}
        self.told = len(self.plant.events)
        for name in PIPELINES:
            life = self.plant.adoption.manning.lives[name]
            scores = life.active.digest if life.active else ""
            before = self.manned.get(name, scores)
            if before != scores:
                assert name in names, (before, scores)
            self.manned[name] = scores

    @invariant()
    def what_is_kept_is_what_counts(self) -> None:
        """A kill at any moment goes on from the same life."""
        for name in PIPELINES:
            life = self.plant.adoption.manning.lives[name]
            kept = self.plant.cache.life(name)
            assert lifecycle.reconsider(kept) == lifecycle.reconsider(life)

    @rule()
    def calm(self) -> None:
        """With the stick there and time enough, the champion scores, or it says why."""
        if not (self.folder / "stick").is_dir() or not self.pushed:
            return
        self.plant.floor.compared = Comparison()
        for _ in range(4):
            self.plant.pass_time(70.0)
        before = dict(self.plant.floor.crews)
        events = len(self.plant.events)
        for _ in range(3):
            self.plant.pass_time(70.0)
        assert before == self.plant.floor.crews  # it does not flap
        assert events == len(self.plant.events), self.plant.told()[events:]


TestGateway = Gateway.TestCase
TestGateway.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
