"""A gateway's life of models without its lines: real files, a floor made by hand."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from edge_agent.bundle import passport
from edge_agent.clock import ManualClock
from edge_agent.comparison import Comparison
from edge_agent.config.pipelines import Pipeline, Promotion, Score
from edge_agent.errors import ModelRejected
from edge_agent.registry.adoption import Adoption
from edge_agent.registry.cache import Cache
from edge_agent.registry.floor import Gone, Unfit
from edge_agent.registry.inquiry import Inquiry
from edge_agent.registry.listing import Gateway
from edge_agent.registry.manning import Manning
from edge_agent.registry.verdict import Verdict
from edge_agent.registry.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from edge_agent.bundle.trust import Trust
    from edge_agent.records import EventRecord
    from edge_agent.registry import checks
    from edge_agent.registry.crew import Crew
    from edge_agent.registry.lifecycle import Life, Version
    from edge_agent.registry.registry import Registry

START = 1_790_000_000_000_000_000
SECOND = 1_000_000_000


class Inline(Executor):
    """Does a job at once, where it is given."""

    def submit(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Future[Any]:
        """The job, done."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            done.set_exception(error)
        return done


class HandFloor:
    """Says what a test tells it to: who fits, who fails, how two compare."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.crews: dict[str, Crew] = {}
        self.unfit: dict[str, str] = {}
        self.compared = Comparison()
        self.failing: list[Gone] = []
        self.expired: set[str] = set()
        self.history: list[tuple[str, str]] = []
        """Rung and version of each crew that was put to work."""

    def fit(self, pipeline: str, version: Version) -> None:
        """Loads the bundle for real."""
        del pipeline
        self._load(version)

    def _load(self, version: Version) -> None:
        if version.label in self.unfit:
            raise Unfit(version.key, self.unfit[version.label])
        try:
            passport.load(self.cache.bundle(version.name, version.digest))
        except ModelRejected as why:
            raise Unfit(version.key, str(why)) from why

    def man(self, pipeline: str, crew: Crew) -> None:
        """Notes who works; what scores must be whole on disk."""
        for version in (
            crew.version if crew.rung.name != "LIMITS" else None,
            crew.beside,
        ):
            if version is not None:
                self._load(version)
        self.crews[pipeline] = crew
        shown = crew.version.label if crew.version else ""
        if not self.history or self.history[-1] != (crew.rung.name, shown):
            self.history.append((crew.rung.name, shown))

    def comparison(self, pipeline: str) -> Comparison:
        """As told."""
        del pipeline
        return self.compared

    def threshold(self, pipeline: str) -> float:
        """Any."""
        del pipeline
        return 1.0

    def barred(self, version: Version) -> str:
        """As told."""
        return f"{version.shown} expired" if version.label in self.expired else ""

    def tend(self) -> None:
        """Nothing is loaded here."""

    def gone(self) -> list[Gone]:
        """As told, once."""
        gone, self.failing = self.failing, []
        return gone


class HandRoom:
    """Accepts every model but those a test names."""

    def __init__(self) -> None:
        self.refuses: dict[str, str] = {}
        self.vetted: list[str] = []

    def vet(self, folder: Path) -> Verdict:
        """By the passport's version."""
        found = passport.load(folder)
        self.vetted.append(found.version)
        reason = self.refuses.get(found.version, "")
        return Verdict(not reason, reason)

    def close(self) -> None:
        """Nothing to give back."""


class Plant:
    """One gateway with a pipeline, ``pumps``, and time that a test moves.

    Args:
        folder: of the gateway's state.
        registry: real.
        model: of the pipeline.
        trust, promotion, fallback, gateway: its settings.
        pipelines: models of more pipelines, by name.
        first: whether there is the pipeline ``pumps``.
        unfit, expired: see `HandFloor`.
    """

    def __init__(
        self,
        folder: Path,
        registry: Registry,
        model: str,
        *,
        trust: Callable[[], Trust | None] = lambda: None,
        promotion: Promotion | None = None,
        fallback: tuple[str, ...] = ("last-known-good", "limits", "none"),
        gateway: str = "gw-07",
        pipelines: Mapping[str, str] | None = None,
        first: bool = True,
        unfit: dict[str, str] | None = None,
        expired: Iterable[str] = (),
    ) -> None:
        self.clock = ManualClock(START)
        self.cache = Cache(folder / "models")
        self.cache.prepare()
        self.floor = HandFloor(self.cache)
        self.floor.unfit = dict(unfit or {})
        self.floor.expired = set(expired)
        self.room = HandRoom()
        self.events: list[EventRecord] = []
        models = ({"pumps": model} if first else {}) | dict(pipelines or {})
        settings = {
            name: Pipeline.model_validate(
                {
                    "assets": "pump",
                    "model": of,
                    "score": Score(every=1.0),
                    "promotion": promotion or Promotion(policy="at-once"),
                    "fallback": fallback,
                }
            )
            for name, of in models.items()
        }
        self.inquiry = Inquiry(
            registry,
            Gateway(gateway, "hamburg"),
            self.clock,
            poll=60.0,
            stale_after=30 * 86_400.0,
        )
        self.archived: list[checks.Verified] = []
        self.adoption = Adoption(
            settings,
            self.cache,
            Manning(settings, self.cache, self.floor, self.clock, self.events.append),
            self.inquiry,
            Workshop(
                registry,
                self.cache,
                trust,
                self.room,
                "hamburg",
                self.archived.append,
            ),
            self.clock,
            asking=Inline(),
            working=Inline(),
            agent="0.2.0",
        )
        self.adoption.start(0.0)

    @property
    def life(self) -> Life:
        """The pipeline's versions."""
        return self.adoption.manning.lives["pumps"]

    @property
    def crew(self) -> Crew:
        """Who works now."""
        return self.floor.crews["pumps"]

    @property
    def active(self) -> str:
        """Version of the passport that is active; empty for none."""
        return self.life.active.label if self.life.active else ""

    def watching(self) -> str:
        """Version of the passport that scores beside; empty for none."""
        return self.crew.beside.label if self.crew.beside else ""

    def stages(self) -> dict[str, str]:
        """Stage of each version by its passport's, or the registry's, version."""
        return {v.label or v.version: str(v.stage) for v in self.life.versions}

    def pass_time(self, seconds: float = 70.0) -> None:
        """Let time pass, and everything happen that is due then."""
        self.clock.time += round(seconds * SECOND)
        self.adoption.turn()

    def told(self) -> list[str]:
        """Names of the events so far."""
        return [event.name for event in self.events]
