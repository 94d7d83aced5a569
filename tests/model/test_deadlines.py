"""A slow model costs its deadline, gives no score, and works again afterwards."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge_agent.clock import ManualClock
from edge_agent.errors import ModelRejected
from edge_agent.records import NoScore
from edge_agent.scoring import OnnxScorer, probing, scorer
from edge_agent.scoring.deadline import Watch
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.scoring.deadline import Ticket

WIDTH = 4
LIMIT = 50.0
"""The endless model ends at once only for rows below this."""
ROUNDS = 20_000_000
"""As good as endless, but a watch that sleeps must not hold up the tests for ever."""


def endless(limit: float = LIMIT) -> onnx.ModelProto:
    """The small model behind a Loop of half a minute once a number is above a limit."""
    rounds = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Identity", ["before"], ["after"]),
        ],
        "rounds",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, ["N", WIDTH]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, ["N", WIDTH]),
        ],
    )
    nodes = [
        helper.make_node("ReduceMax", ["rows"], ["highest"], keepdims=0),
        helper.make_node("Greater", ["highest", "limit"], ["endless"]),
        helper.make_node("Loop", ["most", "endless", "rows"], ["same"], body=rounds),
        helper.make_node("Mul", ["same", "same"], ["contributions"]),
        helper.make_node("MatMul", ["contributions", "ones"], ["score"]),
    ]
    weights: dict[str, NDArray[Any]] = {
        "limit": np.array(limit, np.float32),
        "most": np.array(ROUNDS, np.int64),
        "ones": np.ones((WIDTH, 1), np.float32),
    }
    outputs: dict[str, list[int | str]] = {
        "score": ["N", 1],
        "contributions": ["N", WIDTH],
    }
    return bundles.model(nodes, weights, WIDTH, outputs)


def hanging(folder: Path, limit: float = LIMIT) -> Bundle:
    """A bundle of `endless`: no Loop would be let in, so it gets there afterwards."""
    body = endless(limit).SerializeToString()
    return dataclasses.replace(bundles.make(folder), model=body)


def rows(highest: float = 1.0, count: int = 3) -> NDArray[np.float32]:
    """Rows with one number in the first."""
    values = np.ones((count, WIDTH), np.float32)
    values[0, 0] = highest
    return values


def test_an_endless_run_is_stopped_and_the_model_works_again(tmp_path: Path) -> None:
    """Its rows have no score and say why; the next rows have theirs, bit for bit."""
    slow = OnnxScorer(hanging(tmp_path), deadline=0.2)
    before = slow.score(rows())

    for _ in range(2):
        found = slow.score(rows(LIMIT + 1))

        assert found.no_score.tolist() == [NoScore.MODEL_SLOW] * 3
        assert np.isnan(found.score).all()
        assert found.error == "gave no answer within 0.2 s"
        assert found.contributions is not None
        assert not found.contributions.any()
        assert np.array_equal(slow.score(rows()).score, before.score)


def test_a_stopped_run_stops_no_other(tmp_path: Path) -> None:
    """While one model is overdue another goes on scoring with the same watch."""
    slow = OnnxScorer(hanging(tmp_path), deadline=0.5)
    text = bundles.passport("quick")
    quick = OnnxScorer(bundles.make(tmp_path, text), deadline=0.5)
    caught: list[NoScore] = []

    def hang() -> None:
        caught.append(NoScore(int(slow.score(rows(LIMIT + 1)).no_score[0])))

    beside = threading.Thread(target=hang)
    beside.start()
    scored = []
    while beside.is_alive():
        scored.append(quick.score(rows()).no_score.any())
    beside.join()

    assert caught == [NoScore.MODEL_SLOW]
    assert scored
    assert not any(scored)


def test_rows_that_were_not_run_keep_their_own_reason(tmp_path: Path) -> None:
    """A row with a hole says so, also when the model hangs on the others."""
    slow = OnnxScorer(hanging(tmp_path), deadline=0.1)
    values = rows(LIMIT + 1)
    values[1, 2] = np.nan

    found = slow.score(values)

    assert found.no_score.tolist() == [
        NoScore.MODEL_SLOW,
        NoScore.INPUT_MISSING,
        NoScore.MODEL_SLOW,
    ]


def test_a_model_that_never_ends_on_its_golden_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading ends too, and says that the model did not."""
    for module in (probing, scorer):
        monkeypatch.setattr(module, "PATIENCE", 0.2)
    bundle = hanging(tmp_path, limit=-50.0)

    with pytest.raises(ModelRejected, match=r"golden rows: no end after 0\.2 s"):
        OnnxScorer(bundle)


def test_an_answer_after_the_deadline_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one node of the graph hangs, its rows come late and have no score."""
    clock = ManualClock(7)
    watch = Watch(clock)
    late = OnnxScorer(bundles.make(tmp_path), deadline=2.0, watch=watch)
    session: Any = late._model.session

    class Hanging:
        seconds = 1

        def run(self, *run: Any) -> Any:  # noqa: ANN401
            found = session.run(*run)
            clock.time += self.seconds * 1_000_000_000
            watch.look()
            return found

    monkeypatch.setattr(late._model, "session", Hanging())

    assert not late.score(rows()).no_score.any()
    Hanging.seconds = 2
    assert (late.score(rows()).no_score == NoScore.MODEL_SLOW).all()
    Hanging.seconds = 1
    assert not late.score(rows()).no_score.any()


Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(1, 50)),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("pass"), st.integers(1, 30)),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_the_watch_is_never_too_early_nor_sleeps_too_long(steps: list[Step]) -> None:
    """As long as it looks when it said it would, exactly the overdue are stopped."""
    clock = ManualClock()
    watch = Watch(clock)
    watch._thread = threading.Thread()  # never started: the test looks by itself
    alarm = np.inf
    running: list[tuple[int, Ticket]] = []

    def look() -> float:
        wait = watch.look()
        return np.inf if wait is None else clock.time + round(wait * 1_000_000_000)

    for what, number in steps:
        if what == "begin":
            running.append((clock.time + number, watch.begin(number)))
        elif what == "end" and running:
            due, ticket = running.pop(number % len(running))
            assert watch.end(ticket) == (due > clock.time)
        elif what == "pass":
            until = clock.time + number
            if watch._wake.is_set():
                watch._wake.clear()
                alarm = look()
            while alarm <= until:
                clock.time = int(alarm)
                alarm = look()
            clock.time = until
        for due, ticket in running:
            assert ticket.options.terminate == (due <= clock.time)


def test_the_watch_sleeps_while_nothing_runs() -> None:
    """An idle gateway is not woken: after two quiet looks it waits for a call."""
    watch = Watch(ManualClock())
    watch._thread = threading.Thread()
    assert watch.look() is None

    ticket = watch.begin(1_000_000_000)

    assert watch._wake.is_set()
    assert watch.look() == 1.0
    assert watch.end(ticket)
    watch._wake.clear()
    assert watch.look() is None
    watch.end(watch.begin(1_000_000_000))
    assert watch._wake.is_set()
