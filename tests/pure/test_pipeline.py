"""One turn of one pipeline, with a scorer made for the test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.alarms import Limits
from edge_agent.config.languages import english
from edge_agent.explain import Usual
from edge_agent.features.feature_rows import FeatureRows
from edge_agent.judging import turn
from edge_agent.pipeline import Pipeline, PipelineState
from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    Fallback,
    NoScore,
    PipelineInfo,
    ScoreRecord,
)
from edge_agent.samples import NANOSECONDS, Quality
from edge_agent.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.records import Record

ASSETS = ("P-1", "P-2")
INFO = PipelineInfo(
    "pump", "pump", ASSETS, ("pressure", "flow"), ("bar", "m3/h"), "m", "1.0.0", "abc"
)
USUAL = Usual(
    ("pressure", "flow"),
    ("bar", "m3/h"),
    np.array([0, 1]),
    ("last", "last"),
    (None, None),
    np.array([1.0, 10.0]),
    np.array([2.0, 20.0]),
    np.array([1.5, 15.0]),
    np.array([0.2, 2.0]),
)


@dataclass
class FirstFeature:
    """Scores a row with its first feature."""

    error: str = ""

    def score(self, values: NDArray[np.float32]) -> Scores:
        """The first column; no score where it is not a number."""
        score = values[:, 0].astype(np.float64)
        if self.error:
            why = np.full(len(score), NoScore.MODEL_ERROR, np.uint8)
            return Scores(np.full(len(score), np.nan), why, error=self.error)
        none = np.isnan(score)
        why = np.where(none, NoScore.INPUT_MISSING, NoScore.NONE).astype(np.uint8)
        return Scores(score, why, np.abs(values))


def pipeline(**changes: object) -> Pipeline:
    """Threshold 3, alarms at once."""
    made = Pipeline(
        INFO,
        FirstFeature(),
        USUAL,
        Limits(3.0, on_delay=0, off_delay=0),
        np.array([3.0, 6.0]),
        np.array([400, 800], np.int32),
        phrases=english(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def rows(
    asset: Sequence[int], score: Sequence[float], *, at: Sequence[int] | None = None
) -> FeatureRows:
    """Good rows with these first features, a second apart."""
    values = np.array([[s, 15.0] for s in score], np.float32)
    valid = np.atleast_1d(np.isfinite(values).all(axis=1))
    count = len(score)
    seconds = range(count) if at is None else at
    return FeatureRows(
        np.array(asset, np.int32),
        np.array([s * NANOSECONDS for s in seconds], np.int64),
        values,
        valid,
        np.where(np.isnan(values), NoScore.INPUT_STALE, 0).astype(np.uint8),
        np.where(valid, Quality.GOOD, Quality.BAD).astype(np.uint8),
        np.ones(count),
        np.zeros(count),
        np.full(count, 2, np.int16),
        np.zeros(count, bool),
    )


def score_record(records: Sequence[Record]) -> ScoreRecord:
    """The one score record of a turn."""
    (found,) = [r for r in records if isinstance(r, ScoreRecord)]
    return found


def alarms(records: Sequence[Record]) -> list[AlarmRecord]:
    """The alarm records of a turn."""
    return [r for r in records if isinstance(r, AlarmRecord)]


def test_a_calm_row_is_sent_with_its_score_and_no_alarm() -> None:
    """A score below its limit is reported as it is."""
    _, records, _ = turn(pipeline(), PipelineState.fresh(2), rows([0], [1.0]))

    found = score_record(records)
    assert found.score.tolist() == [1.0]
    assert found.reason == ("normal",)
    assert found.severity.tolist() == [0]
    assert alarms(records) == []


def test_an_episode_gives_two_alarm_records_of_one_occurrence() -> None:
    """Above the limit and back again is one episode, named alike at both ends."""
    _, records, _ = turn(
        pipeline(), PipelineState.fresh(2), rows([0, 0, 0, 0], [1.0, 4.0, 5.0, 1.0])
    )

    came, went = alarms(records)
    assert (came.state, went.state) == (AlarmState.ACTIVE, AlarmState.NORMAL)
    assert came.occurrence == went.occurrence
    assert "pressure" in came.reason
    assert came.top[0][0] in {"pressure", "flow"}


def test_the_highest_level_passed_gives_the_severity() -> None:
    """A score above the second threshold is graver than one above the first."""
    _, records, _ = turn(
        pipeline(), PipelineState.fresh(2), rows([0, 1], [4.0, 7.0], at=[0, 0])
    )

    assert score_record(records).severity.tolist() == [400, 800]
    assert [alarm.severity for alarm in alarms(records)] == [400, 800]


def test_a_missing_input_gives_no_score_and_no_verdict() -> None:
    """An active alarm stays active over rows without a score, and the row says why."""
    state, _, _ = turn(pipeline(), PipelineState.fresh(2), rows([0], [9.0]))
    _, records, _ = turn(pipeline(), state, rows([0], [np.nan], at=[1]))

    found = score_record(records)
    assert np.isnan(found.score).all()
    assert found.no_score.tolist() == [NoScore.INPUT_STALE]
    assert found.quality.tolist() == [Quality.BAD]
    assert found.fallback.tolist() == [Fallback.NO_SCORE]
    assert found.alarm.tolist() == [AlarmState.ACTIVE]
    assert found.reason[0].startswith("no score: no new value of pressure")
    assert alarms(records) == []


def test_a_failing_model_says_so_on_every_row() -> None:
    """The runtime's words reach the operator; no number does."""
    broken = pipeline(scorer=FirstFeature(error="Boom: shape"))
    _, records, scores = turn(broken, PipelineState.fresh(2), rows([0], [9.0]))

    assert "Boom: shape" in score_record(records).reason[0]
    assert scores.no_score.tolist() == [NoScore.MODEL_ERROR]
    assert alarms(records) == []


def test_a_deadband_sends_changes_and_a_sign_of_life() -> None:
    """Small changes wait for max_interval; a large one, or a new quality, does not."""
    quiet = pipeline(deadband=0.5, max_interval=10 * NANOSECONDS)
    scores = [1.0, 1.1, 1.2, 2.0, 2.1, np.nan, np.nan, 2.0]
    given = rows([0] * 8, scores, at=[0, 1, 2, 3, 4, 5, 6, 16])
    _, records, _ = turn(quiet, PipelineState.fresh(2), given)

    sent = (score_record(records).at // NANOSECONDS).tolist()
    assert sent == [0, 3, 5, 16]


def test_a_batch_gives_what_its_halves_give() -> None:
    """Where turns cut the rows changes no record."""
    given = rows([0, 1] * 6, [1, 5, 4, 2, 5, 7, 1, 1, 6, 2, 1, 5], at=list(range(12)))
    whole_state, whole, _ = turn(pipeline(), PipelineState.fresh(2), given)
    state, first, _ = turn(pipeline(), PipelineState.fresh(2), given.take(np.arange(5)))
    state, second, _ = turn(pipeline(), state, given.take(np.arange(5, 12)))

    assert alarms(whole) == [*alarms(first), *alarms(second)]
    parts = [score_record(first).score, score_record(second).score]
    assert score_record(whole).score.tolist() == np.concatenate(parts).tolist()
    assert whole_state.sent_score.tolist() == state.sent_score.tolist()


def test_a_restored_alarm_is_not_announced_again() -> None:
    """After a restart an alarm that is still active makes no second ACTIVE."""
    state, _, _ = turn(pipeline(), PipelineState.fresh(2), rows([0], [9.0]))
    again = PipelineState.restored(state.alarms.to_arrays(), ASSETS, ASSETS)
    _, records, _ = turn(pipeline(), again, rows([0], [9.0], at=[1]))

    assert alarms(records) == []
    assert score_record(records).alarm.tolist() == [AlarmState.ACTIVE]


def test_unjudged_pipelines_score_without_alarms() -> None:
    """With alarms disabled the score is still sent."""
    _, records, _ = turn(
        pipeline(alarmed=False), PipelineState.fresh(2), rows([0], [9.0])
    )

    assert alarms(records) == []
    assert score_record(records).score.tolist() == [9.0]


@pytest.mark.parametrize("quality", [Quality.GOOD, Quality.UNCERTAIN])
def test_doubtful_input_is_said_but_still_judged(quality: Quality) -> None:
    """UNCERTAIN input lowers the score's quality and is explained."""
    given = rows([0], [1.0])
    given = replace(given, quality=np.array([quality], np.uint8))
    _, records, _ = turn(pipeline(), PipelineState.fresh(2), given)

    expected = "normal" if quality is Quality.GOOD else "input uncertain"
    assert score_record(records).quality.tolist() == [quality]
    assert score_record(records).reason[0].startswith(expected)
