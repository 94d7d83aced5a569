"""The model is asked which tag made a score: rightly, seldom, and without harm."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.alarms import Limits
from edge_agent.explain import Ranges, Usual
from edge_agent.judging import turn
from edge_agent.occlusion import FRESH, LASTING, Occlusion, Spent, afford, occluded
from edge_agent.pipeline import PipelineState
from edge_agent.records import AlarmRecord, AlarmState, NoScore, ScoreRecord
from edge_agent.samples import NANOSECONDS
from edge_agent.scores import Scores
from tests.pure.test_pipeline import pipeline, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64

    F32 = NDArray[np.float32]

ROLE = np.array([0, 0, 1, 2])
QUANTILES = (-2.0, -1.0, 0.0, 1.0, 2.0)


def usual(role: NDArray[np.int64] = ROLE, contexts: Ranges | None = None) -> Usual:
    """Features that are usual between -2 and 2."""
    count, one = len(role), np.ones(len(role))
    names = tuple(f"t{i}" for i in range(int(role.max()) + 1))
    return Usual(
        *(names, ("",) * len(names), role, ("last",) * count, (None,) * count),
        *(-2 * one, 2 * one, 0 * one, one),
        contexts,
    )


def normal(count: int = len(ROLE), contexts: int = 0) -> F32:
    """The same quantiles of every feature."""
    table = np.repeat(np.array(QUANTILES, np.float32)[:, None], count, axis=1)
    return np.repeat(table[None], contexts + 1, axis=0)


@dataclass
class Model:
    """Scores rows by a rule, and keeps what it was asked."""

    rule: Callable[[F64], F64]
    fails: bool = False
    asked: list[int] = field(default_factory=list)

    def score(self, values: F32) -> Scores:
        """The rule's numbers; none where it fails."""
        self.asked.append(len(values))
        if self.fails:
            none = np.full(len(values), np.nan)
            why = np.full(len(values), NoScore.MODEL_SLOW, np.uint8)
            return Scores(none, why, error="gave no answer within 0.25 s")
        good = np.zeros(len(values), np.uint8)
        return Scores(self.rule(values.astype(np.float64)), good)


def told(
    rule: Callable[[F64], F64],
    values: Sequence[Sequence[float]],
    own: F32 | None = None,
) -> F64:
    """Parts of rows by a model that follows a rule."""
    table, model = np.array(values, np.float32), Model(rule)
    score = rule(table.astype(np.float64))
    place = usual().places(None, len(table))
    how = Occlusion(model.score, normal())
    return occluded(how, table, score, own, usual(), place)


def test_the_tag_whose_right_value_lets_the_score_fall_made_it() -> None:
    """A tag far out that the model does not look at has no part."""
    parts = told(lambda v: np.abs(v[:, 2]), [[50, 50, 9, 0]])

    assert parts[0].argmax() == 2
    assert parts[0, [0, 1, 3]].max() == 0


def test_either_of_two_that_only_alarm_together_is_named() -> None:
    """Putting one of them right ends it: both made the score, equally."""
    parts = told(
        lambda v: ((v[:, 2] > 5) & (v[:, 3] > 5)).astype(float), [[0, 0, 9, 9]]
    )

    assert parts[0, 2] == pytest.approx(parts[0, 3])
    assert parts[0, 2] > 0


def test_of_two_that_do_not_fit_the_one_out_of_its_range_is_first() -> None:
    """The model sees only their difference; the profile knows which reads strangely."""
    parts = told(lambda v: np.abs(v[:, 2] - v[:, 3]), [[0, 0, 1.0, 3.0]])

    assert parts[0, 3] > 2 * parts[0, 2]


def test_a_right_value_anywhere_in_the_range_counts() -> None:
    """At its median the tag would not fit either; at 2 it does."""
    parts = told(lambda v: np.abs(v[:, 2] - v[:, 3]), [[0, 0, 2.0, -1.5]])

    assert parts[0, 3] > 0


def test_a_tags_features_share_by_distance() -> None:
    """The feature that is further from the training data has the larger part."""
    parts = told(lambda v: v[:, 0] + v[:, 1], [[1.0, 3.0, 0, 0]])

    assert parts[0, 1] == pytest.approx(9 * parts[0, 0])


def test_a_models_own_word_counts_half() -> None:
    """What it tells of itself is neither taken for all nor thrown away."""
    own = np.array([[0, 0, 0, 1.0]], np.float32)

    parts = told(lambda v: np.abs(v[:, 2]), [[0, 0, 9, 0]], own)

    assert parts[0].tolist() == [0, 0, 0.5, 0.5]


def test_no_answer_is_no_part_and_the_model_is_not_asked_again() -> None:
    """A slow model costs one call, however many alarms wait."""
    values, model = np.full((600, 4), 9, np.float32), Model(np.sum, fails=True)
    place = usual().places(None, 600)

    parts = occluded(
        Occlusion(model.score, normal()), values, np.ones(600), None, usual(), place
    )

    assert np.isnan(parts).all()
    assert len(model.asked) == 1


def test_a_row_that_no_tag_alone_explains_says_nothing() -> None:
    """All zeros would look like an answer."""
    assert np.isnan(told(lambda v: np.ones(len(v)), [[9, 9, 9, 9]])).all()


def test_a_call_is_never_large() -> None:
    """Many alarms of many tags, or of ten thousand features, come in pieces."""
    for count, alarms in ((200, 30), (10_000, 2)):
        model = Model(lambda v: v.max(axis=1))
        values = np.full((alarms, count), 9, np.float32)
        wide = usual(np.arange(count))
        place = wide.places(None, alarms)
        how = Occlusion(model.score, normal(count))

        occluded(how, values, np.full(alarms, 9.0), None, wide, place)

        assert max(model.asked) <= 4096
        assert max(model.asked) * count <= 2**21


def test_the_row_s_context_says_what_is_usual() -> None:
    """What is right in one recipe is not in another; an unknown one has the whole's."""
    table = normal(contexts=1)
    table[0] += 10
    whole = np.zeros((2, 4))
    far = np.array([[8.0] * 4, [-2.0] * 4]), np.array([[12.0] * 4, [2.0] * 4])
    known = usual(contexts=Ranges(*far, whole, whole + 1))
    values = np.full((3, 4), 10, np.float32)
    model = Model(lambda v: np.abs(v[:, 2] - 10) + np.abs(v[:, 3]))
    context = np.array([0, -1, 7], np.int32)
    place = known.places(context, 3)

    parts = occluded(
        Occlusion(model.score, table), values, np.full(3, 10.0), None, known, place
    )

    assert place.tolist() == [0, 1, 1]
    # it falls from 10 to 8 at the context's best; to 0 at the whole's, and is outside
    assert parts[0, 3] == pytest.approx(0.2 * 2)
    assert parts[1, 3] == pytest.approx(1.2 * 10)
    assert (parts[1] == parts[2]).all()


times = st.lists(st.tuples(st.integers(0, 3 * 10**9), st.booleans()), max_size=120).map(
    sorted
)


@given(times, st.integers(0, 120))
def test_what_is_afforded_depends_on_the_rows_alone(
    alarms: list[tuple[int, bool]], cut: int
) -> None:
    """Two turns choose what one would, and a second never costs more than it may."""
    at = np.array([a for a, _ in alarms], np.int64)
    fresh = np.array([f for _, f in alarms], bool)

    once, spent = afford(Spent(), at, fresh)
    first, middle = afford(Spent(), at[:cut], fresh[:cut])
    second, behind = afford(middle, at[cut:], fresh[cut:])

    assert once.tolist() == [*first.tolist(), *second.tolist()]
    assert spent == behind
    for number in np.unique(at // NANOSECONDS):
        mine = at // NANOSECONDS == number
        assert np.count_nonzero(once & mine & fresh) <= FRESH
        assert np.count_nonzero(once & mine & ~fresh) <= LASTING


PLAIN = np.zeros((1, 5, 2), np.float32) + np.array([15.0, 15.0], np.float32)


class Deaf:
    """A model that tells nothing of itself, and is asked by the same door."""

    def __init__(self, *, fails_when_asked: bool = False) -> None:
        self.asked = 0
        self.fails = fails_when_asked

    def score(self, values: F32) -> Scores:
        """The second feature's distance from 15."""
        none = np.zeros(len(values), np.uint8)
        return Scores(np.abs(values[:, 1] - 15.0).astype(np.float64), none)

    def ask(self, values: F32) -> Scores:
        """The same, counted; or no answer."""
        self.asked += len(values)
        found = self.score(values)
        return replace(found, score=found.score * np.nan) if self.fails else found


def turned(model: Deaf, flow: Sequence[float], halves: int = 1) -> list[str]:
    """What is said of rows with these flows, turn by turn, and of their alarms."""
    made = pipeline(
        scorer=model,
        occlusion=Occlusion(model.ask, PLAIN),
        limits=Limits(3.0, on_delay=0, off_delay=0),
    )
    given_rows = rows([0] * len(flow), [2.5] * len(flow))
    given_rows.values[:, 1] = flow
    state, said = PipelineState.fresh(2), list[str]()
    for part in np.array_split(np.arange(len(flow)), halves):
        state, records, _ = turn(made, state, given_rows.take(part))
        for record in records:
            match record:
                case ScoreRecord():
                    said += record.reason
                case AlarmRecord():
                    said.append(f"{record.state.name} {record.reason}")
                case _:
                    pass
    said.sort()
    return [*said, f"{state.spent.asked} {state.spent.failed}"]


def test_calm_rows_cost_the_model_nothing() -> None:
    """It is asked about alarms only, not about what is near one."""
    model = Deaf()

    turned(model, [15, 15.5, 17.9])

    assert model.asked == 0


def test_an_alarm_is_explained_by_the_model() -> None:
    """Pressure is further from usual; the model looks at flow."""
    said = turned(Deaf(), [15, 20, 15])

    alarm = next(line for line in said if line.startswith(AlarmState.ACTIVE.name))
    assert "above limit 3.0: flow 20" in alarm
    assert "pressure" not in alarm
    assert said[-1] == "1 0"


def test_a_model_that_does_not_answer_costs_only_the_explanation() -> None:
    """The score stands, the alarm comes, and the sentence says how it was made."""
    said = turned(Deaf(fails_when_asked=True), [15, 30])

    assert said[-1] == "1 1"
    alarm = next(line for line in said if line.startswith("ACTIVE"))
    assert alarm.endswith("(by distance from usual, not by the model)")


@given(st.lists(st.floats(10, 40), min_size=1, max_size=30), st.integers(1, 30))
def test_where_turns_cut_changes_no_word(flow: list[float], halves: int) -> None:
    """A replay, which turns otherwise, says what was said live."""
    assert turned(Deaf(), flow) == turned(Deaf(), flow, halves)
