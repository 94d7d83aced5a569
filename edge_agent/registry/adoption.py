"""Carries every pipeline's model from the registry to its post; scoring never waits.

One thread of its own (`run`) owns the lives. What blocks, the registry's answers, a
download, a model being vetted, is done by two workers and comes back as a result: a
slow link holds up no automatic return. Every step is kept before it is acted on, so
after a kill at any moment the next start goes on from the last step. A step that fails
for the moment is tried again at the next poll; a version that is refused is told of
once, and the next one is not held up by it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry import lifecycle, wishes
from edge_agent.registry.choosing import Reference
from edge_agent.registry.lifecycle import Stage
from edge_agent.registry.obeying import obey
from edge_agent.registry.receipts import report_of
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor, Future

    from edge_agent.clock import Clock
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.registry.cache import Cache
    from edge_agent.registry.inquiry import Answer, Inquiry
    from edge_agent.registry.lifecycle import Version
    from edge_agent.registry.listing import Observed
    from edge_agent.registry.manning import Manning
    from edge_agent.registry.workshop import Done, Workshop

log = structlog.get_logger()

#: Ns without a version on its way after which the workshop is tidied up.
QUIET = 30 * NANOSECONDS
#: Seconds between two looks at failures, orders and promotions.
LOOK = 1.0
_TO_BE_PROVEN = (Stage.SEEN, Stage.FETCHED, Stage.VERIFIED)
#: Different bugs that are logged.
_BUGS = 50


class Adoption:
    """The way of every pipeline's model.

    Args:
        pipelines: as configured, by name.
        cache: what this gateway keeps.
        manning: the lives, and who scores.
        inquiry: asks the registry, and reports to it.
        workshop: fetches, verifies and vets.
        clock: agent time.
        asking, working: run what blocks, one job at a time each.
        agent: version of the agent, for reports.
    """

    def __init__(
        self,
        pipelines: Mapping[str, Pipeline],
        cache: Cache,
        manning: Manning,
        inquiry: Inquiry,
        workshop: Workshop,
        clock: Clock,
        *,
        asking: Executor,
        working: Executor,
        agent: str = "",
    ) -> None:
        self.manning = manning
        self.observed: Callable[[], Mapping[str, Observed]] = dict
        """What monitoring says, by pipeline; asked on this thread before a report."""
        self._pipelines = pipelines
        self._wanted = {n: Reference.of(p.model) for n, p in pipelines.items()}
        self._cache = cache
        self._inquiry = inquiry
        self._workshop = workshop
        self._clock = clock
        self._asking, self._working = asking, working
        self._agent = agent
        self._asked: Future[Answer] | None = None
        self._job: tuple[str, str, Future[Done]] | None = None
        self._reporting: Future[None] | None = None
        self._tried: set[tuple[str, str]] = set()
        self._bugs: set[str] = set()
        self._worked = 0
        self._next_poll = clock.now()
        self._wake = threading.Event()
        self._stopping = threading.Event()

    # --- the thread -----------------------------------------------------------------

    def start(self, seconds: float) -> None:
        """Man every post from what is here; wait for first versions to be ready.

        Args:
            seconds: how long to wait at most for pipelines that never had a version;
                0 for a registry that may not answer.
        """
        for name in self._pipelines:
            self.manning.begin(name)
        until = self._clock.now() + round(seconds * NANOSECONDS)
        while self._clock.now() < until and not self._stopping.is_set():
            self.turn_guarded()
            if self._idle():
                break
            self._wake.wait(0.05)
            self._wake.clear()

    def _idle(self) -> bool:
        """The registry was heard, and no pipeline without a version can get one."""
        lives = self.manning.lives
        return self._asked is None and not any(
            life.active is None
            and life.candidate is not None
            and name not in self.manning.paused
            and (name, life.candidate.key) not in self._tried
            for name, life in lives.items()
        )

    def run(self) -> None:
        """Turn until `stop`."""
        while not self._stopping.is_set():
            self.turn_guarded()
            self._wake.wait(LOOK)
            self._wake.clear()

    def stop(self) -> None:
        """End `run`; what is being fetched goes on at the next start."""
        self._stopping.set()
        self._workshop.stop()
        self._wake.set()

    def turn_guarded(self) -> None:
        """Turn; a bug in here must not take the line's scores away."""
        try:
            self.turn()
        except Exception as bug:
            if repr(bug) not in self._bugs and len(self._bugs) < _BUGS:
                self._bugs.add(repr(bug))
                log.exception("a bug in the life of models; scoring goes on")

    def turn(self) -> None:
        """Everything that can be done now without waiting."""
        if obey(self.manning, self._cache.root / "orders"):
            self._next_poll = self._clock.now()  # what was wanted may be another now
        self.manning.look()
        self._listen()
        while self._collect() or self._work():
            pass
        self.manning.renew()
        self._report()

    # --- what the registry wants ------------------------------------------------------

    def _listen(self) -> None:
        """Take the registry's answer; ask again when it is time."""
        now = self._clock.now()
        if self._asked is None and now >= self._next_poll:
            self._next_poll = now + self._inquiry.pause()
            wanted = sorted(set(self._wanted.values()), key=str)
            self._asked = self._asking.submit(self._inquiry.ask, wanted)
            self._asked.add_done_callback(self._awake)
        if self._asked is None or not self._asked.done():
            return
        asked, self._asked = self._asked, None
        answer = asked.result()
        self._tried.clear()  # what failed for the moment may be tried again
        for event in self._inquiry.heard(answer):
            self.manning.tell(event)
        if answer.failed:  # a server that is down is not asked as often
            self._postpone(self._inquiry.respite())
        for name in self._pipelines:
            wishes.heed(
                self.manning, name, self._wanted[name], answer, self._inquiry.gateway
            )
        if self._job is None and not answer.failed:
            # what a job makes ready no life knows yet; what a pipeline needs that the
            # configuration lost for a day can be fetched again only from who answers
            self._cache.tidy(self.manning.lives)

    def _postpone(self, pause: int) -> None:
        self._next_poll = max(self._next_poll, self._clock.now() + pause)

    def _awake(self, _: object) -> None:
        self._wake.set()

    # --- one step of one version ------------------------------------------------------

    def _work(self) -> bool:
        """Begin the next step of a version that has one; True if it is done already."""
        if self._job is not None or self._stopping.is_set():
            return False
        for name, life in self.manning.lives.items():
            for version in (life.candidate, life.challenger):
                if version is None or (name, version.key) in self._tried:
                    continue
                if name in self.manning.paused and not version.urgent:
                    continue
                if version.stage is Stage.VETTED:
                    if self.manning.try_on(name, version):
                        return True
                    self._tried.add((name, version.key))
                    continue
                if version.stage is not Stage.SHADOW:
                    return self._begin(name, version).done()
        if self._worked and self._clock.now() - self._worked > QUIET:
            self._worked = 0
            self._working.submit(self._workshop.tidy)
        return False

    def _begin(self, name: str, version: Version) -> Future[Done]:
        job = self._working.submit(self._workshop.step, version, self._twin(version))
        self._job, self._worked = (name, version.key, job), self._clock.now()
        job.add_done_callback(self._awake)
        return job

    def _twin(self, version: Version) -> Version | None:
        """The same offer, further on its way in another pipeline."""
        order = (Stage.ACTIVE, Stage.SHADOW, Stage.VETTED, Stage.VERIFIED)
        lives = self.manning.lives.values()
        same = [v for life in lives if (v := life.of(version.key)) is not None]
        return next((v for stage in order for v in same if v.stage is stage), None)

    def _collect(self) -> bool:
        """Take the result of a step, and keep it; True if there was one."""
        if self._job is None or not self._job[2].done():
            return False
        (name, key, job), self._job = self._job, None
        life = self.manning.lives[name]
        version = life.of(key)
        if version is None or version.stage not in lifecycle.ON_ITS_WAY:
            return True  # it is wanted no more
        try:
            done = job.result()
        except ModelRejected as why:
            self._refuse(name, version, str(why))
        except (RegistryUnavailable, OSError) as why:
            self._tried.add((name, key))
            self.manning.wait(name, f"{version.shown}: {why}")
            asked = why.retry_after if isinstance(why, RegistryUnavailable) else None
            self._postpone(round((asked or 0.0) * NANOSECONDS))
        except Exception:
            self._tried.add((name, key))  # the others go on
            raise
        else:
            life = lifecycle.advance(life, key, done.stage, **done.facts)
            self.manning.proceed(name, key, life)
        return True

    def _refuse(self, name: str, version: Version, reason: str) -> None:
        """What was found out of a version counts for all pipelines that wait for it."""
        self.manning.refuse(name, version, reason)
        for other, life in list(self.manning.lives.items()):
            same = life.of(version.key)
            alike = same is not None and (same.via, same.urgent) == (
                version.via,
                version.urgent,
            )
            if same is not None and alike and same.stage in _TO_BE_PROVEN:
                self.manning.refuse(other, same, reason)

    # --- reports --------------------------------------------------------------------

    def _report(self) -> None:
        """Tell the centre what changed; a report under way is not doubled."""
        if self._reporting is not None and not self._reporting.done():
            return
        report = report_of(
            self.manning.lives,
            self.manning.crews,
            {name: wanted.name for name, wanted in self._wanted.items()},
            self._inquiry.gateway,
            self._agent,
            self._clock.now() + self._clock.wall_offset(),
            self.observed(),
        )
        if self._inquiry.due(report.news):
            self._reporting = self._asking.submit(self._inquiry.report, report)

    def status(self) -> dict[str, object]:
        """The registry's part of `edge-agent status`."""
        done, whole = self._workshop.progress
        fetching = f"{done} of {whole} bytes" if self._job and whole else ""
        return {**self._inquiry.status(), "fetching": fetching}
