"""The running pipelines as the life of models sees them: loads versions, seats crews.

Before the lines are built crews are only noted (`manned` then gives what to build them
with); after `open` each crew takes its posts between two turns.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from edge_agent import assembly
from edge_agent.commissioning import (
    Commissioned,
    commission,
    limits_only,
    on_rung,
    without_model,
)
from edge_agent.comparison import Comparison
from edge_agent.errors import ModelRejected
from edge_agent.evaluation.active import active_of
from edge_agent.posts import Beside, Seating
from edge_agent.records import Fallback
from edge_agent.registry import checks
from edge_agent.registry.floor import Gone, Unfit
from edge_agent.samples import NANOSECONDS
from edge_agent.scoring import OnnxScorer
from edge_agent.scoring.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edge_agent.bundle.passport import Passport
    from edge_agent.clock import Clock
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.evaluation.active import Active
    from edge_agent.evaluation.memory import Moved
    from edge_agent.phrases import Phrases
    from edge_agent.registry.cache import Cache
    from edge_agent.registry.crew import Crew
    from edge_agent.registry.lifecycle import Version
    from edge_agent.samples import TagTable
    from edge_agent.seats import Seats

    PassportOf = Callable[[str], Passport | None]


#: Ns between two looks at the memory of models.
TEND_EVERY = 10 * NANOSECONDS
#: Passports at hand: over the years a gateway meets many.
_PASSPORTS = 256


class PlantFloor:
    """Loads versions for pipelines and lets them work; see `registry.floor.Floor`.

    Args:
        pipelines: as configured, by name.
        tags: the plant's.
        cache: where versions lie.
        passport_of: a verified passport by digest, also of versions that are gone.
        clock: for dates of expiry and the start of ticks.
        memory: bytes that loaded models may take together.
        catch_up: ns of ticks a new trigger makes in one turn at most.
        phrases: what is said of rows.
        moved: thresholds that were moved to hold a budget of false alarms.
    """

    def __init__(
        self,
        pipelines: Mapping[str, Pipeline],
        tags: TagTable,
        cache: Cache,
        passport_of: PassportOf,
        clock: Clock,
        memory: int,
        catch_up: int | None = None,
        *,
        phrases: Phrases,
        moved: Mapping[str, Moved] | None = None,
    ) -> None:
        self.manned: dict[str, Seating] = {}
        """Who works at each post, or shall as soon as the lines are built."""
        self.working: dict[str, Commissioned] = {}
        """The rung in use of each pipeline."""
        self._pipelines = pipelines
        self._tags = tags
        self._cache = cache
        self._passport_of = passport_of
        self._clock = clock
        self._catch_up = catch_up
        self._phrases = phrases
        self._seats: Seats | None = None
        self._sessions = Sessions(memory)
        self._tended = clock.now()
        self._loaded: dict[tuple[str, str], Commissioned] = {}
        self._passports: dict[str, Passport | None] = {}
        self._moved: dict[str, Moved] = dict(moved or {})
        self._crews: dict[str, Crew] = {}
        self._bases: dict[str, float] = {}
        self._anew: set[str] = set()
        """Pipelines whose threshold was moved since they were manned."""

    def open(self, seats: Seats) -> None:
        """From now on crews take their posts between turns."""
        self._seats = seats

    def fit(self, pipeline: str, version: Version) -> None:
        """See `Floor`."""
        self._model(pipeline, version)

    def man(self, pipeline: str, crew: Crew) -> None:
        """See `Floor`."""
        self._anew.discard(pipeline)
        made = self._at_threshold(pipeline, self._rung(pipeline, crew))
        self._crews[pipeline] = crew
        beside = None
        if crew.beside is not None:
            other = self._model(pipeline, crew.beside)
            beside = Beside(other.pipeline, other.plan, crew.beside.key, crew.control)
        scores = crew.version is not None and crew.rung < Fallback.LIMITS
        key = crew.version.key if crew.version is not None and scores else ""
        settings = self._pipelines[pipeline]
        trigger = partial(assembly.trigger, settings, self._clock.now(), self._catch_up)
        seating = Seating(made.pipeline, made.plan, made.standby, key, beside, trigger)
        self.manned[pipeline], self.working[pipeline] = seating, made
        self._forget(pipeline, crew)
        if self._seats is not None:
            self._seats.seat(pipeline, seating)

    def comparison(self, pipeline: str) -> Comparison:
        """See `Floor`."""
        if self._seats is None or self._seats.waiting(pipeline):
            return Comparison()
        # the turn may just be taking the seating that was left last
        seated = self.manned[pipeline]
        beside = seated.beside.key if seated.beside is not None else ""
        return self._seats.post(pipeline).compared(seated.key, beside)

    def threshold(self, pipeline: str) -> float:
        """See `Floor`."""
        beside, newer = self.manned[pipeline].beside, self.working[pipeline].pipeline
        if beside is not None and not beside.control:
            newer = beside.pipeline
        return newer.limits.threshold

    def barred(self, version: Version) -> str:
        """See `Floor`."""
        passport = self._passport(version.digest)
        return checks.expired(passport, self.today()) if passport is not None else ""

    def gone(self) -> Sequence[Gone]:
        """See `Floor`."""
        found: list[Gone] = []
        if self._seats is not None:
            with contextlib.suppress(IndexError):
                while True:
                    found.append(Gone(*self._seats.off.popleft()))
        return found

    def tend(self) -> None:
        """See `Floor`."""
        for pipeline in list(self._anew):
            self.man(pipeline, self._crews[pipeline])
        now = self._clock.now()
        if now - self._tended >= TEND_EVERY:
            self._tended = now
            self._sessions.tend()

    def move(self, pipeline: str, moved: Moved | None) -> None:
        """Let alarms come at another threshold soon; any thread.

        Args:
            pipeline: where.
            moved: counts for its version alone; None for the passport's threshold.
        """
        if moved is None:
            self._moved.pop(pipeline, None)
        else:
            self._moved[pipeline] = moved
        self._anew.add(pipeline)

    def active(self, pipeline: str) -> Active | None:
        """What scores, as labels are held against it; any thread."""
        made = self.working.get(pipeline)
        if made is None or made.passport is None:
            return None
        digest, limits = made.pipeline.info.model_digest, made.pipeline.limits
        return active_of(made.passport, digest, limits, self._bases[pipeline])

    def _at_threshold(self, pipeline: str, made: Commissioned) -> Commissioned:
        """With the threshold that was moved, if it is this version's."""
        base, moved = made.pipeline.limits.threshold, self._moved.get(pipeline)
        self._bases[pipeline] = base
        if moved is None or (moved.digest, moved.base) != (made.digest, base):
            return made
        return replace(made, pipeline=made.pipeline.at_threshold(moved.threshold))

    def memory(self, pipeline: str) -> tuple[float, bool]:
        """KiB that the version that scores takes, and whether it rests."""
        made = self.working.get(pipeline)
        scorer = made.pipeline.scorer if made is not None else None
        if not isinstance(scorer, OnnxScorer):
            return 0.0, False
        return scorer.resident_bytes / 1024, not scorer.loaded

    def overdue(self, pipeline: str) -> str:
        """That the version that scores should have been reviewed by now."""
        made = self.working.get(pipeline)
        if made is None or made.passport is None:
            return ""
        return checks.overdue(made.passport, self.today())

    def today(self) -> dt.datetime:
        """The wall clock's, which may be wrong."""
        seconds = (self._clock.now() + self._clock.wall_offset()) / 1e9
        return dt.datetime.fromtimestamp(seconds, dt.UTC)

    def _rung(self, name: str, crew: Crew) -> Commissioned:
        settings, version = self._pipelines[name], crew.version
        because, phrases = crew.because, self._phrases
        kind = self._tags.type_named(settings.assets)
        if version is None:
            return without_model(name, settings, kind, because, phrases=phrases)
        if crew.rung is Fallback.LIMITS:
            passport = self._passport(version.digest)
            if passport is None:
                raise Unfit(version.key, "its passport is not here any more")
            with _unfit(version):
                return limits_only(
                    name, settings, passport, kind, because, phrases=phrases
                )
        made = self._model(name, version)
        return (
            made if crew.rung is Fallback.MODEL else on_rung(made, crew.rung, because)
        )

    def _model(self, name: str, version: Version) -> Commissioned:
        """A version, loaded for a pipeline; one that is loaded already is the same."""
        key = (name, version.key)
        if key not in self._loaded:
            settings = self._pipelines[name]
            kind = self._tags.type_named(settings.assets)
            folder = self._cache.bundle(version.name, version.digest)
            with _unfit(version):
                made = commission(name, settings, kind, folder, phrases=self._phrases)
                if made.digest != version.digest:
                    raise ModelRejected(f"{folder} holds another bundle than verified")
            self._loaded[key] = made
            if isinstance(made.pipeline.scorer, OnnxScorer):
                self._sessions.add(made.pipeline.scorer)
        return self._loaded[key]

    def _forget(self, name: str, crew: Crew) -> None:
        """Let go of versions that no longer work at a post: their memory is wanted."""
        kept = {v.key for v in (crew.version, crew.beside) if v is not None}
        for key in [k for k in self._loaded if k[0] == name and k[1] not in kept]:
            gone = self._loaded.pop(key).pipeline.scorer
            if isinstance(gone, OnnxScorer):
                self._sessions.remove(gone)

    def _passport(self, digest: str) -> Passport | None:
        if not digest:
            return None
        if digest not in self._passports:
            if len(self._passports) >= _PASSPORTS:
                del self._passports[next(iter(self._passports))]
            self._passports[digest] = self._passport_of(digest)
        return self._passports[digest]


@contextlib.contextmanager
def _unfit(version: Version) -> Iterator[None]:
    """A version that cannot be loaded is named in the error, whatever it is."""
    try:
        yield
    except ModelRejected as why:
        raise Unfit(version.key, str(why)) from why
    except Exception as bug:
        # a disk that fails, a file nobody thought of: it must not end the agent
        raise Unfit(version.key, f"{type(bug).__name__}: {bug}") from bug
