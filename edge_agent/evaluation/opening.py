"""From configuration to labels that are joined, judged and acted on."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.evaluation.judging import Evaluation, Reach, Terms
from edge_agent.evaluation.thresholds import Thresholds
from edge_agent.labels.opening import opened as office_of
from edge_agent.labels.opening import settings_of
from edge_agent.records import AlarmRecord
from edge_agent.sinks.topics import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.clock import Clock
    from edge_agent.config.loading import Loaded
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.instruments import Instruments
    from edge_agent.labels.hearing import Hearing
    from edge_agent.labels.opening import Office
    from edge_agent.labels.watching import Watching
    from edge_agent.pipeline import PipelineState
    from edge_agent.posts import Turned
    from edge_agent.records import EventRecord

    #: Names of the contexts that ``FeatureRows.context`` counts, by pipeline.
    Names = Callable[[str], Sequence[str]]

log = structlog.get_logger()

#: Context of a row that raises no alarm, see `FeatureRows`.
_GATED = -1


@dataclass(slots=True)
class Judgements:
    """All of it.

    Attributes:
        office: desk and links; None where no pipeline keeps labels.
        evaluation: judges.
        thresholds: alarms at other thresholds.
        names: of contexts.
        tell: takes an event; any thread.
    """

    office: Office | None
    evaluation: Evaluation
    thresholds: Thresholds
    names: Names = lambda _name: ()
    tell: Callable[[EventRecord], None] = lambda _event: None
    _error: str = ""
    """Of a bug that ended all this; scoring goes on without it."""

    @property
    def links(self) -> Sequence[Hearing | Watching]:
        """Supervised like sources."""
        return self.office.links if self.office is not None else ()

    @property
    def answers(self) -> Mapping[str, Callable[[str], dict[str, Any]]]:
        """What may be asked of the running agent."""
        return {"label": self.office.ask} if self.office is not None else {}

    def run(self) -> None:
        """Join and judge until `stop`."""
        if self.office is None:
            return
        try:
            self.office.desk.run()
        except Exception as why:
            self._failed(why, self.office)
            raise

    def stop(self) -> None:
        """End `run`; any thread."""
        if self.office is not None:
            self.office.desk.stop()

    def turned(self, done: Turned, before: PipelineState, rows: FeatureRows) -> None:
        """Take a turn's rows and alarms; the turn's thread, never blocks.

        A bug here ends the judging of labels, not the turn.
        """
        if self.office is None or self._error:
            return
        try:
            self._take(self.office, done, before, rows)
        except Exception as why:
            log.exception("a bug in keeping predictions; scoring goes on without them")
            self._failed(why, self.office)

    def _take(
        self, office: Office, done: Turned, before: PipelineState, rows: FeatureRows
    ) -> None:
        desk, made = office.desk, done.pipeline
        context = rows.context
        names = self.names(made.info.pipeline) if context is not None else ()
        alarmed = _alarmed(done, before, rows)
        counts = None if context is None else context != _GATED
        desk.predicted(made, rows, done.scores, alarmed, context, names, counts)
        self.thresholds.observe(made, rows, done.scores, counts)
        for record in done.records:
            if isinstance(record, AlarmRecord):
                desk.alarm(record)

    def _failed(self, why: Exception, office: Office) -> None:
        self._error = _where(why)
        text = (
            "labels are not joined or judged until the agent is started again, because"
            f" of an error in the agent ({self._error}); scoring and alarms go on."
            " Report it with the agent's log"
        )
        for name in office.desk.books:
            self.tell(office.desk.ended(name, text))

    def going_on(self) -> set[str]:
        """Ids of the findings that are open here."""
        return self.evaluation.going_on()

    def status(self, name: str) -> dict[str, Any]:
        """A pipeline's part of the status; any thread."""
        if self.office is None or name not in self.office.desk.books:
            return {}
        told = self.office.desk.status(name)
        if self._error:
            told = {**told, "error": f"not joined any more: {self._error}"}
        return {"labels": told, **self.evaluation.status(name)}


def _alarmed(
    done: Turned, before: PipelineState, rows: FeatureRows
) -> NDArray[np.bool_]:
    """bool[n] an alarm was active behind each row."""
    found: NDArray[np.bool_] = before.alarms.active[rows.asset]
    for record in done.records:
        if isinstance(record, AlarmRecord):
            later = (rows.asset == record.asset) & (rows.at >= record.at)
            found[later] = bool(record.state)
    return found


def opened(
    loaded: Loaded, reach: Reach, *, clock: Clock, instruments: Instruments
) -> Judgements:
    """All of it, of the pipelines that keep labels.

    Args:
        loaded: the configuration with its plant.
        reach: what judgements may ask and do.
        clock: agent time.
        instruments: counters.

    Raises:
        ConfigError: a password cannot be read.
    """
    config = loaded.config
    assets = {kind.name: kind.assets for kind in loaded.plant.tags.types}
    folder = config.state_dir / "labels"
    terms = {
        name: Terms(labels, pipeline.alarm.budget)
        for name, pipeline in config.pipelines.items()
        if (labels := settings_of(pipeline)) is not None
    }
    at_most = {n: t.budget.at_most for n, t in terms.items() if t.budget is not None}
    of = {name: tuple(assets[config.pipelines[name].assets]) for name in at_most}
    thresholds = Thresholds(at_most, of, folder, reach.active, instruments)
    evaluation = Evaluation(terms, folder, clock, thresholds, reach)
    office = office_of(
        config,
        assets,
        {name: dict(_topics(loaded, name, assets)) for name in config.outputs},
        clock=clock,
        instruments=instruments,
        tell=reach.tell,
        judge=evaluation.judge,
        beside=thresholds.fold,
    )
    return Judgements(office, evaluation, thresholds, tell=reach.tell)


def _topics(
    loaded: Loaded, output: str, assets: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Where operators send verdicts on each asset's alarms."""
    config, site = loaded.config, loaded.config.site
    levels = (site.enterprise, site.site, site.area, site.line, site.cell)
    place = Place.of(config.outputs[output].root, levels, config.gateway)
    for name, pipeline in config.pipelines.items():
        for asset in assets[pipeline.assets]:
            yield f"{place.of_pipeline(asset, name)}/verdict", (name, asset)


def _where(why: Exception) -> str:
    """An error for an event: its own words may repeat a label, and with it a name."""
    *_, frame = traceback.extract_tb(why.__traceback__)
    return f"{type(why).__name__} in {Path(frame.filename).name}:{frame.lineno}"
