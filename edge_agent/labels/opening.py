"""From configuration to a desk and the links that bring it labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_agent.config.monitoring import Labels
from edge_agent.config.schema import MqttSource
from edge_agent.config.secrets import password_of
from edge_agent.labels.asking import answer
from edge_agent.labels.desk import Kept, LabelDesk
from edge_agent.labels.folder import DropFolder
from edge_agent.labels.hearing import HeardLabels, HeardVerdicts, Hearing
from edge_agent.labels.messages import Messages, filters
from edge_agent.labels.privacy import pseudonyms
from edge_agent.labels.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edge_agent.clock import Clock
    from edge_agent.config.pipelines import Pipeline
    from edge_agent.config.schema import AgentConfig, MqttLink
    from edge_agent.instruments import Instruments
    from edge_agent.labels.desk import Breach, Found, Judge
    from edge_agent.records import EventRecord, LabelRecord

    #: Topic of verdicts -> pipeline and asset, for one output.
    Topics = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Office:
    """The desk, and what feeds it: each link is supervised like a source.

    Attributes:
        desk: its `run` is a thread's work.
        links: MQTT sessions and drop folders.
        ask: answers ``label`` on the ask socket.
    """

    desk: LabelDesk
    links: tuple[Hearing | Watching, ...]
    ask: Callable[[str], dict[str, Any]]


def settings_of(pipeline: Pipeline) -> Labels | None:
    """How a pipeline's labels are kept; None where nobody gives any.

    A budget of false alarms needs verdicts, and these need predictions to be kept.
    """
    if pipeline.labels is None and pipeline.alarm.budget is not None:
        return Labels()
    return pipeline.labels


def opened(
    config: AgentConfig,
    assets: Mapping[str, Sequence[str]],
    topics: Mapping[str, Topics],
    *,
    clock: Clock,
    instruments: Instruments,
    tell: Callable[[EventRecord | LabelRecord], None],
    judge: Judge | None = None,
    found: Found | None = None,
    breach: Breach | None = None,
    beside: Callable[[int, bool], None] | None = None,
) -> Office | None:
    """All of it; None where no pipeline keeps labels.

    Args:
        config: the whole configuration.
        assets: ids by asset type, in the order of the plant.
        topics: of verdicts, by output; those of pipelines without labels are left out.
        clock: agent time.
        instruments: counters.
        tell: takes events and joined labels; any thread.
        judge: see `desk.LabelDesk`, as are ``found``, ``breach`` and ``beside``.
        found: takes conditions.
        breach: takes a broken requirement.
        beside: called at every look.

    Raises:
        ConfigError: a password cannot be read.
    """
    kept = {
        name: Kept(
            tuple(assets[p.assets]),
            settings,
            parts=p.score.on == "cycle",
            model=p.model.partition("@")[0],
        )
        for name, p in config.pipelines.items()
        if (settings := settings_of(p)) is not None
    }
    if not kept:
        return None
    desk = LabelDesk(
        kept,
        config.state_dir / "labels",
        clock=clock,
        instruments=instruments,
        tell=tell,
        names=pseudonyms(config.privacy.key_file, config.state_dir),
        judge=judge,
        found=found,
        breach=breach,
        beside=beside,
    )
    make = _Links(config, desk, clock, instruments)
    links: list[Hearing | Watching] = [*make.labels(), *make.verdicts(topics)]
    links += make.folders()
    return Office(desk, tuple(links), partial(answer, desk))


@dataclass(frozen=True, slots=True)
class _Links:
    """Makes links."""

    config: AgentConfig
    desk: LabelDesk
    clock: Clock
    instruments: Instruments

    def labels(self) -> Iterator[Hearing]:
        """One session for each source that brings labels."""
        for name, source in self.config.sources.items():
            messages, wanted = dict[str, Messages](), list[str]()
            for book in self.desk.books.values():
                of = book.settings
                if of.source == name and of.topic is not None:
                    assets = book.assets
                    messages[book.pipeline] = Messages(of.topic, book.reader, assets)
                    wanted += filters(of.topic, assets)
            if messages and isinstance(source, MqttSource):
                heard = HeardLabels(name, messages, self.desk, self.clock)
                password = password_of(f"source {name}", source)
                asked = list(dict.fromkeys(wanted))
                own = f"{source.client_id or self._client(name)}-labels"
                yield self._hearing(
                    f"labels:{name}", source, heard, own, asked, password
                )

    def verdicts(self, topics: Mapping[str, Topics]) -> Iterator[Hearing]:
        """One session for each output that operators judge alarms over."""
        for name, output in self.config.outputs.items():
            known = {
                topic: of
                for topic, of in topics.get(name, {}).items()
                if of[0] in self.desk.books
            }
            if not known:
                continue
            heard = HeardVerdicts(name, known, self.desk, self.clock)
            password = password_of(f"output {name}", output)
            own = f"{output.client_id or self._client(name)}-verdicts"
            yield self._hearing(
                f"verdicts:{name}", output, heard, own, _shared(known), password
            )

    def folders(self) -> Iterator[Watching]:
        """One for each pipeline with a drop folder."""
        for book in self.desk.books.values():
            if book.settings.folder is not None:
                memory = self.config.state_dir / "labels" / book.pipeline / "read.json"
                yield Watching(
                    DropFolder(
                        book.pipeline,
                        book.settings.folder,
                        book.reader,
                        self.desk,
                        memory,
                    )
                )

    def _client(self, name: str) -> str:
        return f"edge-agent-{self.config.gateway}-{name}"

    def _hearing(
        self,
        name: str,
        link: MqttLink,
        heard: HeardLabels | HeardVerdicts,
        client_id: str,
        asked: Sequence[str],
        password: str | None,
    ) -> Hearing:
        return Hearing(
            name,
            link,
            heard,
            client_id=client_id,
            filters=asked,
            desk=self.desk,
            clock=self.clock,
            instruments=self.instruments,
            password=password,
        )


def _shared(topics: Topics) -> list[str]:
    """Filters for verdict topics, ``.../ASSET/ml/PIPELINE/verdict``."""
    alike: dict[str, list[str]] = {}
    for topic in topics:
        before, asset, *behind = topic.rsplit("/", 4)
        pattern = "/".join([before, "{id}", *behind])
        alike.setdefault(pattern, []).append(asset)
    found: list[str] = []
    for pattern, assets in alike.items():
        found += filters(pattern, assets)
    return found
