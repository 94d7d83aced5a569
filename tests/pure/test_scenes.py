"""Judging in context: machines that stand, recipes with limits of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydantic import ValidationError

from edge_agent.alarms import Limits
from edge_agent.bundle.passport import Passport
from edge_agent.config.pipelines import Alarm
from edge_agent.features.arrivals import Sorter
from edge_agent.features.contexts import Contexts, ContextSpec
from edge_agent.features.naming import Places, leading
from edge_agent.features.triggers import Due
from edge_agent.fitting import context_levels
from edge_agent.judging import turn
from edge_agent.levels import ContextLevels
from edge_agent.pipeline import PipelineState
from edge_agent.records import NO_CONTEXT, AlarmState
from edge_agent.samples import NANOSECONDS, AssetType, Quality, SampleBatch, Tag
from tests.model import bundles
from tests.pure.test_pipeline import (
    ASSETS,
    alarms,
    pipeline,
    rows,
    score_record,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import AlarmRecord, ScoreRecord

KIND = AssetType("pump", ASSETS, (Tag("state", text=True), Tag("recipe", text=True)), 0)
STATE, RECIPE = 0, 1
SPEC = ContextSpec((("state", ("RUN",)),), ("recipe",), 60 * NANOSECONDS)
Said = tuple[int, int, int, str]
"""Second, role, asset, value."""
RUNNING: list[Said] = [
    (second, role, asset, value)
    for asset in (0, 1)
    for second, role, value in ((-100, STATE, "RUN"), (-100, RECIPE, "A"))
]


class Line:
    """A pipeline whose rows know their context, row by row.

    Args:
        one: the pipeline.
        spec: what makes the contexts.
    """

    def __init__(self, one: Pipeline, spec: ContextSpec = SPEC) -> None:
        self.pipeline, self.state = one, PipelineState.fresh(2)
        self.contexts = Contexts(KIND, spec)
        self.scored: list[ScoreRecord] = []
        self.alarms: list[AlarmRecord] = []

    def hear(self, said: Sequence[Said]) -> None:
        """Take samples in."""
        arrivals = Sorter(KIND).arrivals(
            SampleBatch.of(
                [KIND.index(role, asset) for _, role, asset, _ in said],
                [second * NANOSECONDS for second, *_ in said],
                list(range(len(said))),
                texts=[value for *_, value in said],
            )
        )
        self.contexts.told(arrivals, Due.of([]))

    def row(self, second: int, score: float, asset: int = 0) -> ScoreRecord:
        """Score one row; what was sent of it."""
        given = self.told(rows([asset], [score], at=[second]))
        self.state, records, _ = turn(self.pipeline, self.state, given, self.contexts)
        self.alarms += alarms(records)
        self.scored.append(score_record(records))
        return self.scored[-1]

    def told(self, given: FeatureRows) -> FeatureRows:
        """The same rows with their contexts."""
        none = Sorter(KIND).arrivals(SampleBatch.of([], [], []))
        due = Due(given.asset, given.at, np.zeros(len(given), np.int64))
        found = self.contexts.told(none, due)
        return replace(given, context=found.context, gates=found.gates)


def test_a_machine_that_stands_raises_no_alarm() -> None:
    """The score is shown, its quality is UNCERTAIN, and the sentence says why."""
    line = Line(pipeline())
    line.hear([*RUNNING, (10, STATE, 0, "STOPPED")])
    shown = line.row(20, 9.0)

    assert shown.score.tolist() == [9.0]
    assert shown.quality.tolist() == [Quality.UNCERTAIN]
    assert shown.alarm.tolist() == [AlarmState.NORMAL]
    assert shown.reason == ("not judged: state is STOPPED since 00:00",)
    assert shown.top_role.max() == -1
    assert shown.context is not None
    assert shown.context.tolist() == [NO_CONTEXT]
    assert line.alarms == []

    judged = line.row(20, 9.0, asset=1)
    assert judged.quality.tolist() == [Quality.GOOD]
    assert (judged.contexts, judged.context.tolist()) == (("A",), [0])  # type: ignore[union-attr]
    assert [one.context for one in line.alarms] == ["A"]


def test_an_active_alarm_leaves_with_the_machine_and_comes_back() -> None:
    """Suppressed by design: NORMAL with the reason, and ACTIVE again when it runs."""
    line = Line(pipeline(limits=Limits(3.0, on_delay=0, off_delay=30 * NANOSECONDS)))
    line.hear(RUNNING)
    line.row(0, 9.0)
    line.hear([(5, STATE, 0, "STOPPED")])
    for second in range(10, 60, 10):
        line.row(second, 9.0)
    came, went = line.alarms
    assert (came.state, went.state) == (AlarmState.ACTIVE, AlarmState.NORMAL)
    assert came.occurrence == went.occurrence
    assert went.at == 40 * NANOSECONDS
    assert went.reason.startswith("not judged: state is STOPPED since 00:00 (Score")
    assert went.context == ""

    line.hear([(100, STATE, 0, "RUN")])
    assert line.row(110, 9.0).reason == ("not judged: warming up for another 50 s",)
    line.row(160, 9.0)
    assert [one.state for one in line.alarms[2:]] == [AlarmState.ACTIVE]
    assert line.alarms[2].occurrence != came.occurrence


def test_an_unknown_state_keeps_an_alarm() -> None:
    """Who does not know the state neither raises an alarm nor takes one back."""
    line = Line(pipeline())
    line.hear(RUNNING)
    line.row(0, 9.0)
    line.hear([(5, STATE, 0, ""), (5, STATE, 1, "")])
    for second in range(10, 600, 10):
        line.row(second, 1.0)
    shown = line.scored[-1]
    line.row(600, 9.0, asset=1)

    assert shown.alarm.tolist() == [AlarmState.ACTIVE]
    assert shown.reason == ("not judged: state is not known since 00:00",)
    assert len(line.alarms) == 1


def test_a_row_without_a_score_says_both() -> None:
    """BAD stays BAD, and neither reason hides the other."""
    line = Line(pipeline())
    line.hear([*RUNNING, (10, STATE, 0, "STOPPED")])
    shown = line.row(20, np.nan)

    assert shown.quality.tolist() == [Quality.BAD]
    assert shown.reason[0].startswith(
        "not judged: state is STOPPED since 00:00 (no score: no new value of pressure"
    )


def test_a_recipe_has_its_own_limit_and_severity() -> None:
    """Limit and severity of the row's context are judged by, and shown."""
    levels = ContextLevels(
        {"B": (np.array([8.0, 9.0]), np.array([100, 900], np.int32))},
        (np.array([3.0, 6.0]), np.array([400, 800], np.int32)),
    )
    line = Line(pipeline(levels_in=levels), replace(SPEC, warm_up=0))
    line.hear([*RUNNING, (10, RECIPE, 1, "B")])
    in_a, in_b = line.row(20, 5.0), line.row(20, 5.0, asset=1)

    assert (in_a.threshold.tolist(), in_a.alarm.tolist()) == ([3.0], [1])
    assert (in_b.threshold.tolist(), in_b.alarm.tolist()) == ([8.0], [0])
    assert in_a.severity.tolist() == [400]
    high = line.row(30, 9.5, asset=1)
    assert high.severity.tolist() == [900]
    assert "limit 8.0" in high.reason[0]
    assert [(one.threshold, one.severity) for one in line.alarms] == [
        (3.0, 400),
        (8.0, 900),
    ]


def test_a_change_of_context_is_news() -> None:
    """With a deadband SCADA still hears at once that a recipe is another."""
    line = Line(
        pipeline(deadband=5.0, max_interval=3600 * NANOSECONDS),
        replace(SPEC, warm_up=0),
    )
    line.hear(RUNNING)
    sent = []
    for second, said in ((0, ""), (1, ""), (2, "B"), (3, ""), (4, "")):
        line.hear([(second, RECIPE, 0, said)] if said else [])
        given = line.told(rows([0], [1.0], at=[second]))
        line.state, records, _ = turn(line.pipeline, line.state, given, line.contexts)
        sent.append(len(records))

    assert sent == [1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("A", "A"),
        ("A/early", "A"),
        ("A/early/x", "A"),
        ("B/early", "B/early"),
        ("B/late", None),
        ("AB", None),
        ("", None),
    ],
)
def test_the_longest_leading_part_is_taken(name: str, found: str | None) -> None:
    """A limit for a recipe holds for its shifts; one for a shift for that alone."""
    known = ["A", "B/early"]
    names = [name]

    assert leading(name, known) == found
    place = -1 if found is None else known.index(found)
    places = Places(known)
    assert places.of(names, np.array([0, -1], np.int32)).tolist() == [place, -1]
    names.append("B/early")
    assert places.of(names, np.array([1, 0, -1], np.int32)).tolist() == [1, place, -1]


def stated(**by_context: object) -> Passport:
    """A passport with thresholds by context."""
    files = ("model.onnx", "golden.json", "reference.json")
    text = bundles.passport() | {
        "files": dict.fromkeys(files, "0" * 64),
        "context_thresholds": by_context,
    }
    for feature in text["features"]:
        feature["trained"] = [0.0, 1.0]
    return Passport.model_validate(text)


def test_the_operators_word_counts_more_than_the_passports() -> None:
    """One threshold for all rows puts the passport's contexts aside, not his own."""
    passport = stated(
        A=[{"value": 4, "severity": 300}, {"value": 6, "severity": 600}],
        B=[{"value": 7, "severity": 700}],
    )

    def levels(**alarm: object) -> dict[str, tuple[list[float], list[int]]]:
        found = context_levels(Alarm.model_validate(alarm), passport)
        assert found is not None
        names = ("A", "B", "C", "other")
        each = {name: found.of(name) for name in names}
        return {name: (v.tolist(), s.tolist()) for name, (v, s) in each.items()}

    own = ([3.0, 9.0], [500, 800])
    assert levels() == {
        "A": ([4.0, 6.0], [300, 600]),
        "B": ([7.0], [700]),
        "C": own,
        "other": own,
    }
    assert levels(thresholds={"A": 5, "C": 1})["A"] == ([5.0, 6.0], [300, 600])
    assert levels(thresholds={"A": 5, "C": 1})["C"] == ([1.0, 9.0], [500, 800])
    over = levels(threshold=2, thresholds={"B": 8})
    assert over["A"] == ([2.0, 9.0], [500, 800])
    assert over["B"] == ([8.0, 9.0], [500, 800])
    assert context_levels(Alarm(threshold=2.0), passport) is None


def test_thresholds_of_a_context_ascend_too() -> None:
    """A passport that mixes them up is refused."""
    with pytest.raises(ValidationError, match="thresholds must ascend"):
        stated(A=[{"value": 6, "severity": 300}, {"value": 4, "severity": 600}])
