"""Who scores a pipeline, turn by turn: stand-ins, watchers, and other models' rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.comparison import Comparison
from edge_agent.explain import Usual
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.triggers import OnUpdate
from edge_agent.limitrule import LimitRule
from edge_agent.lines import restore, saved
from edge_agent.posts import Beside, Seating
from edge_agent.records import AlarmRecord, EventRecord, Fallback, NoScore, ScoreRecord
from edge_agent.samples import NANOSECONDS, Quality
from edge_agent.scores import Scores
from tests.agent.test_inference import KIND, SPECS, Bench
from tests.pure.test_pipeline import USUAL, FirstFeature, pipeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.pipeline import Pipeline

PLAN = FeaturePlan(SPECS, KIND)
RULE = LimitRule.of([(0.0, 5.0), (10.0, 20.0)], ["last"] * 2, [(-np.inf, np.inf)] * 2)


def standby() -> Pipeline:
    """Judges by ranges."""
    return pipeline(scorer=RULE, fallback=Fallback.LIMITS)


class Loading:
    """A model that rested and is not back yet."""

    def score(self, values: NDArray[np.float32]) -> Scores:
        """Nothing yet."""
        rows = len(values)
        why = np.full(rows, NoScore.MODEL_MISSING, np.uint8)
        return Scores(np.full(rows, np.nan), why, error="the model is being loaded")


def seated(bench: Bench, seating: Seating) -> None:
    """Let it take the post with the next turn."""
    bench.inference.seats.seat("pump", seating)


def last(bench: Bench) -> ScoreRecord:
    """The newest score record."""
    found: list[Any] = bench.of(ScoreRecord)
    newest: ScoreRecord = found[-1]
    return newest


def test_a_failed_call_goes_to_the_standby_in_the_same_turn() -> None:
    """No row waits and none is without a score: SCADA sees limits, and why."""
    bench = Bench()
    broken = pipeline(scorer=FirstFeature(error="Boom"))
    seated(bench, Seating(broken, PLAN, standby(), "v2"))
    bench.second(2.5)
    record = last(bench)

    assert record.fallback.tolist() == [Fallback.LIMITS] * 2
    assert record.quality.tolist() == [Quality.UNCERTAIN] * 2
    assert record.score.tolist() == [0.0, 0.0]
    assert "by limits: the model Boom" in record.reason[0]

    bench.second(7.0)
    assert last(bench).score.tolist() == [4.0, 4.0]  # 2.0 outside, margins of 0.5
    assert len(bench.of(AlarmRecord)) == 2


def test_a_model_that_keeps_failing_is_taken_off_and_told_once() -> None:
    """The third turn in a row is the last; the standby keeps the post."""
    bench = Bench()
    broken = pipeline(scorer=FirstFeature(error="Boom"))
    seated(bench, Seating(broken, PLAN, standby(), "v2"))
    for _ in range(6):
        bench.second(2.5)

    (off,) = bench.inference.seats.off
    assert (off.pipeline, off.key) == ("pump", "v2")
    assert off.reason == "failed 3 times in a row: Boom"
    names = [event.name for event in bench.of(EventRecord)]
    assert names == ["model fails", "model taken off"]
    assert "taken off" in last(bench).reason[0]


def test_without_a_standby_there_is_no_score_and_no_alarm() -> None:
    """The ladder ends in an explicit no score, with quality BAD."""
    bench = Bench()
    seated(bench, Seating(pipeline(scorer=FirstFeature(error="Boom")), PLAN, key="v2"))
    for _ in range(4):
        bench.second(9.0)
    record = last(bench)

    assert record.fallback.tolist() == [Fallback.NO_SCORE] * 2
    assert record.no_score.tolist() == [NoScore.MODEL_MISSING] * 2
    assert "the model was taken off: failed 3 times" in record.reason[0]
    assert bench.of(AlarmRecord) == []


def test_a_model_that_is_being_loaded_is_not_at_fault() -> None:
    """However many turns it takes, it is not taken off, and the limits stand in."""
    bench = Bench()
    seated(bench, Seating(pipeline(scorer=Loading()), PLAN, standby(), "v2"))
    for _ in range(10):
        bench.second(2.5)

    assert not bench.inference.seats.off
    assert bench.of(EventRecord) == []
    assert last(bench).fallback.tolist() == [Fallback.LIMITS] * 2


def test_a_breach_from_outside_takes_the_way_of_a_failure() -> None:
    """A judgement on accuracy names the version that scores; without one it is moot."""
    bench = Bench()
    seated(bench, Seating(pipeline(), PLAN, key="v2"))
    bench.second(1.0)
    bench.inference.seats.breach("pump", "reached a recall of 0.4, not 0.8")

    (off,) = bench.inference.seats.off
    assert (off.pipeline, off.key) == ("pump", "v2")
    seated(bench, Seating(standby(), PLAN))
    bench.second(1.0)
    bench.inference.seats.breach("pump", "again")
    assert len(bench.inference.seats.off) == 1


def test_the_last_known_good_says_so_in_every_row() -> None:
    """A full score, but never GOOD: the wanted version failed."""
    bench = Bench()
    rung = pipeline(fallback=Fallback.LAST_KNOWN_GOOD, because="by 1.0.0: 1.1.0 failed")
    seated(bench, Seating(rung, PLAN, key="v1"))
    bench.second(1.0)
    record = last(bench)

    assert record.score.tolist() == [1.0, 1.0]
    assert record.quality.tolist() == [Quality.UNCERTAIN] * 2
    assert record.reason == ("by 1.0.0: 1.1.0 failed",) * 2


def watcher(bench: Bench, other: Pipeline, plan: FeaturePlan = PLAN) -> None:
    """Let another model score beside the one there is."""
    beside = Beside(other, plan, "v2")
    seated(bench, Seating(pipeline(), PLAN, key="v1", beside=beside))


def compared(bench: Bench) -> Comparison:
    """How the two compare."""
    return bench.inference.seats.post("pump").comparison


def test_a_watcher_scores_every_row_and_changes_nothing() -> None:
    """Records are those of a bench without one, bit for bit."""
    alone, watched = Bench(), Bench()
    watcher(watched, pipeline(scorer=FirstFeature(error="Boom")))
    for pressure in (1.0, 9.0, 9.0, 1.0):
        alone.second(pressure)
        watched.second(pressure)

    for one, other in zip(alone.of(ScoreRecord), watched.of(ScoreRecord), strict=True):
        assert one.score.tobytes() == other.score.tobytes()
        assert one.reason == other.reason
    assert len(alone.of(AlarmRecord)) == len(watched.of(AlarmRecord)) == 4
    assert compared(watched).lost_new == 6
    (off,) = watched.inference.seats.off  # taken off after its third failure
    assert off.key == "v2"
    assert watched.inference.seats.post("pump").beside is None


def test_a_watcher_scores_when_the_records_are_on_their_way() -> None:
    """However slow it is, the rows of the turn do not wait for it."""
    bench = Bench()
    sent: list[int] = []

    class Slow(FirstFeature):
        """Notes how many score records had left when it was asked."""

        def score(self, values: NDArray[np.float32]) -> Scores:
            """As slow as it likes."""
            sent.append(len(bench.of(ScoreRecord)))
            return FirstFeature.score(self, values)

    watcher(bench, pipeline(scorer=Slow()))
    for pressure in (1.0, 2.0, 3.0):
        bench.second(pressure)

    assert sent == [1, 2, 3]


def test_a_watcher_that_is_being_loaded_is_not_at_fault() -> None:
    """It rested while memory was short: no failure, and nothing to compare."""
    bench = Bench()
    watcher(bench, pipeline(scorer=Loading()))
    for _ in range(10):
        bench.second(2.5)

    assert not bench.inference.seats.off
    assert bench.inference.seats.post("pump").beside is not None
    assert compared(bench) == Comparison()


def test_a_comparison_is_of_those_who_are_asked_for() -> None:
    """Another thread asks while the turn is about to seat another pair."""
    bench = Bench()
    watcher(bench, pipeline())
    bench.second(2.0)
    bench.second(2.0)
    post = bench.inference.seats.post("pump")

    assert post.compared("v1", "v2") == compared(bench)
    assert post.compared("v2", "v1") == Comparison()


def test_a_watcher_with_other_features_sees_the_same_moments() -> None:
    """It looks further back than the window was made for: the window grows."""
    longer = [FeatureSpec("p", "pressure", "mean", window=300.0, rate=1.0)]
    bench = Bench()
    for _ in range(20):
        bench.second(2.0)
    depth = bench.line.builder.window.depth
    watcher(bench, pipeline(), FeaturePlan(longer, KIND))
    bench.second(4.0)

    assert bench.line.builder.window.depth > depth
    assert bench.line.builder.window.reach <= depth
    for _ in range(260):
        bench.second(2.0)
    assert compared(bench).rows > 0
    assert compared(bench).disagreement < 0.2


def test_another_model_with_other_tags_takes_the_post() -> None:
    """The windows keep what they hold: the first row after the swap is whole."""
    bench = Bench()
    for _ in range(5):
        bench.second(2.0)
    only_flow = FeaturePlan([FeatureSpec("f", "flow", "last", hold=10.0)], KIND)
    one = slice(1, 2)
    usual = Usual(
        USUAL.labels,
        USUAL.units,
        USUAL.role[one],
        ("last",),
        (None,),
        USUAL.low[one],
        USUAL.high[one],
        USUAL.mean[one],
        USUAL.std[one],
    )
    seated(bench, Seating(pipeline(usual=usual), only_flow, key="v2"))
    bench.second(2.0)

    assert last(bench).score.tolist() == [15.0, 15.0]
    assert last(bench).inputs_total == 1


def test_another_model_takes_the_post_though_a_row_is_always_open() -> None:
    """One pump's flow is dead: each of its rows waits for it, and no row is lost."""
    bench = Bench()
    plan = FeaturePlan(SPECS, KIND)
    window = bench.line.builder.window
    every = np.ones(4, bool)
    settle = 2 * NANOSECONDS
    bench.line.builder.replan(0, plan, OnUpdate(KIND, every, settle))

    def second(pressure: float) -> None:
        bench.clock.time += NANOSECONDS
        now = bench.clock.now()
        tags, values = np.array([0, 1, 2], np.int32), [pressure, 15.0, pressure]
        good = np.zeros(3, np.uint8)
        bench.inbox.push(tags, np.full(3, now), np.array(values), good, now)
        bench.inference.turn(now)

    for _ in range(4):
        second(2.0)
    only = FeaturePlan([FeatureSpec("p", "pressure", "last", hold=10.0)], KIND)
    one = slice(0, 1)
    usual = Usual(
        USUAL.labels,
        USUAL.units,
        USUAL.role[one],
        ("last",),
        (None,),
        USUAL.low[one],
        USUAL.high[one],
        USUAL.mean[one],
        USUAL.std[one],
    )
    makers = np.array([True, False, True, False])
    seated(
        bench,
        Seating(
            pipeline(usual=usual),
            only,
            key="v2",
            trigger=lambda *_: OnUpdate(KIND, makers, settle),
        ),
    )
    for _ in range(4):
        second(3.0)

    assert window is bench.line.builder.window
    assert bench.inference.seats.post("pump").key == "v2"
    count = bench.instruments.counter
    rows = count("rows_scored_total", pipeline="pump")
    rows += count("rows_without_score_total", pipeline="pump")
    assert rows == 2 * 8


def test_a_comparison_goes_on_after_a_restart() -> None:
    """A day of watching is not lost with the process."""
    first = Bench()
    watcher(first, pipeline())
    for _ in range(30):
        first.second(2.0)
    kept = saved([first.line])
    again = Bench()
    restore([again.line], kept, first.clock.now())
    again.clock.time = first.clock.time
    watcher(again, pipeline())
    again.second(2.0)

    assert compared(again).rows > compared(first).rows
    assert compared(again).watched >= 29 * NANOSECONDS
    other = Bench()
    restore([other.line], kept, first.clock.now())
    seated(other, Seating(pipeline(), PLAN, key="v3", beside=None))
    other.second(2.0)
    assert compared(other).rows == 0
