"""Predictions, labels and desks of tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.clock import ManualClock
from edge_agent.config.monitoring import Labels
from edge_agent.features.feature_rows import FeatureRows
from edge_agent.instruments import Instruments
from edge_agent.labels.desk import Kept, LabelDesk
from edge_agent.labels.privacy import Pseudonyms
from edge_agent.labels.telling import Label
from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    EventRecord,
    Fallback,
    LabelRecord,
    NoScore,
    PipelineInfo,
)
from edge_agent.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
START = 1_700_000_000 * S
QUALITY, ANOMALY = "part-quality", "pump-anomaly"
PRESSES, PUMPS = ("PR-1", "PR-2"), ("P-101", "P-102", "P-103")
NO_TIME, ANY = -(2**62), -1
NAN = float("nan")


class WallClock(ManualClock):
    """A clock whose wall clock can be stepped."""

    offset = 0

    def wall_offset(self) -> int:
        """As it was set."""
        return self.offset


@dataclass
class Limits:
    """What of a pipeline's limits is looked at."""

    threshold: float = 0.5


@dataclass
class Pipeline:
    """What of a pipeline is looked at."""

    info: PipelineInfo
    fallback: Fallback = Fallback.MODEL
    limits: Limits = field(default_factory=Limits)


def pipeline(name: str = QUALITY, version: str = "1.0.0", **more: Any) -> Any:  # noqa: ANN401
    """A pipeline that scored."""
    assets = PRESSES if name == QUALITY else PUMPS
    digest = (version * 64)[:64]
    info = PipelineInfo(
        name, "press", assets, (), (), "model", version, digest[:8], digest
    )
    return Pipeline(info, **more)


def rows(
    at: Sequence[int], part: Sequence[str] = (), asset: Sequence[int] | None = None
) -> FeatureRows:
    """Rows of one feature."""
    count = len(at)
    where = np.zeros(count, np.int32) if asset is None else np.array(asset, np.int32)
    return FeatureRows(
        where,
        np.array(at, np.int64),
        np.zeros((count, 1), np.float32),
        np.ones(count, bool),
        np.zeros((count, 1), np.uint8),
        np.zeros(count, np.uint8),
        np.ones(count),
        np.zeros(count),
        np.ones(count, np.int16),
        np.zeros(count, bool),
        tuple(part),
    )


def scores(
    values: Sequence[float],
    probabilities: Sequence[Sequence[float]] | None = None,
    classes: tuple[str, ...] = (),
) -> Scores:
    """Scores; NaN for none."""
    score = np.array(values, np.float64)
    none = np.where(np.isnan(score), NoScore.INPUT_MISSING, NoScore.NONE)
    table = None if probabilities is None else np.array(probabilities, np.float64)
    return Scores(score, none.astype(np.uint8), None, table, classes)


def label(
    text: str = "bad",
    *,
    part: str = "",
    asset: int = ANY,
    since: int = NO_TIME,
    until: int = NO_TIME,
    groups: tuple[str, ...] = (),
) -> Label:
    """A label as `telling.Reader` reads it."""
    from edge_agent.labels.columns import State  # noqa: PLC0415

    if text == "bad":
        return Label(part, asset, since, until, State.BAD, NAN, "bad", groups)
    if text == "good":
        return Label(part, asset, since, until, State.GOOD, NAN, "good", groups)
    number = float(text)
    return Label(part, asset, since, until, State.VALUE, number, "", groups)


def alarm(
    occurrence: str,
    *,
    asset: int = 0,
    at: int,
    active: bool,
    since: int | None = None,
    name: str = ANOMALY,
) -> AlarmRecord:
    """A transition."""
    return AlarmRecord(
        info=pipeline(name).info,
        asset=asset,
        at=at,
        state=AlarmState.ACTIVE if active else AlarmState.NORMAL,
        occurrence=occurrence,
        since=at if since is None else since,
        score=0.9,
        threshold=0.5,
        severity=500,
        reason="vibration high",
    )


class Bench:
    """A desk that is moved by hand.

    Args:
        folder: its state.
        clock: of before, for a second life.
        settings: of both pipelines' labels.
    """

    def __init__(
        self,
        folder: Path,
        clock: WallClock | None = None,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        more = settings.pop("more", {})
        self.clock = clock or WallClock(START)
        self.instruments = Instruments()
        self.events: list[EventRecord] = []
        self.left: list[LabelRecord] = []
        self.settings = Labels.model_validate(settings)
        self.desk = LabelDesk(
            {
                QUALITY: Kept(PRESSES, self.settings, parts=True),
                ANOMALY: Kept(PUMPS, self.settings, parts=False),
            },
            folder,
            clock=self.clock,
            instruments=self.instruments,
            tell=self.told,
            names=Pseudonyms(b"k" * 32),
            **more,
        )
        self.desk.open()

    def told(self, record: EventRecord | LabelRecord) -> None:
        """Take what the desk tells."""
        if isinstance(record, EventRecord):
            self.events.append(record)
        else:
            self.left.append(record)

    def score(
        self,
        parts: Sequence[str],
        values: Sequence[float] | None = None,
        *,
        asset: int = 0,
        version: str = "1.0.0",
    ) -> None:
        """Score some parts now, a millisecond apart."""
        at = [self.clock.time + k * 1_000_000 for k in range(len(parts))]
        given = rows(at, parts, [asset] * len(parts))
        values = [0.1] * len(parts) if values is None else values
        done = np.zeros(len(parts), np.uint8)
        made = pipeline(version=version)
        self.desk.predicted(made, given, scores(values), done)

    def watch(
        self, seconds: int, value: float = 0.1, *, alarmed: bool = False, every: int = 1
    ) -> None:
        """Score all pumps each second (or so) for a while."""
        for _ in range(seconds // every):
            self.clock.time += every * S
            given = rows([self.clock.time] * len(PUMPS), (), range(len(PUMPS)))
            done = np.full(len(PUMPS), alarmed, np.uint8)
            values = scores([value] * len(PUMPS))
            self.desk.predicted(pipeline(ANOMALY), given, values, done)

    def tell(self, *labels: Label, name: str = QUALITY) -> None:
        """Labels arrive together."""
        assert self.desk.labelled(name, list(labels))
        self.desk.look()

    def wait(self, ns: int) -> None:
        """Time passes, and the desk looks."""
        self.clock.time += ns
        self.desk.look()

    def count(self, name: str, **labels: str) -> int:
        """A counter of labels."""
        return self.instruments.counter(f"labels_{name}_total", **labels)

    def states(self, name: str = QUALITY) -> list[int]:
        """What the label of each prediction says, oldest first."""
        ring = self.desk.books[name].ring
        return [int(s) for page in ring.pages for s in page.columns()["state"]]
