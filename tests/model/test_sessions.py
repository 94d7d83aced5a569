"""Many models: what is kept, who rests, and what a model is after its rest."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto
from onnx.external_data_helper import set_external_data

from edge_agent.clock import ManualClock
from edge_agent.errors import ModelRejected
from edge_agent.records import NoScore
from edge_agent.samples import NANOSECONDS
from edge_agent.scoring import Kept, OnnxScorer, Sessions, resident, who_rests
from edge_agent.scoring.deadline import Watch
from edge_agent.scoring.runtime import open_session
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle

WIDTH = 4
BIG = 48
"""Weights of the model with a file beside it: so many are read late."""


def rows(count: int = 3) -> NDArray[np.float32]:
    """Random input rows."""
    return np.random.default_rng(0).normal(size=(count, WIDTH)).astype(np.float32)


def until_loaded(scorer: OnnxScorer) -> None:
    """Wait for the background; the test's own limit ends it."""
    while not scorer.loaded:
        threading.Event().wait(0.01)


def test_the_model_s_bytes_and_rows_are_not_kept(tmp_path: Path) -> None:
    """A scorer holds its session, not the file it was made from nor the bundle."""
    bundle = bundles.make(tmp_path)
    counts = [sys.getrefcount(held) for held in (bundle, bundle.model, bundle.golden)]

    scorer = OnnxScorer(bundle)

    held = [sys.getrefcount(held) for held in (bundle, bundle.model, bundle.golden)]
    assert held == counts
    assert not scorer.score(rows()).no_score.any()


def test_a_model_scores_after_its_rest_as_before(tmp_path: Path) -> None:
    """Resting frees the session; the next call loads it and gives the same bits."""
    scorer = OnnxScorer(bundles.make(tmp_path))
    before = scorer.score(rows())
    assert (scorer.loaded, scorer.resident_bytes > 0) == (True, True)

    scorer.rest()

    assert (scorer.loaded, scorer.resident_bytes) == (False, 0)
    assert np.array_equal(scorer.score(rows()).score, before.score)
    assert scorer.loaded


def test_a_file_that_changed_meanwhile_is_never_scored(tmp_path: Path) -> None:
    """It gives no score and names the file; the right file, put back, is taken."""
    clock = ManualClock(NANOSECONDS)
    bundle = bundles.make(tmp_path)
    scorer = OnnxScorer(bundle, watch=Watch(clock))
    scorer.rest()
    file = bundle.path / "model.onnx"
    file.write_bytes(bundles.graph(WIDTH, scale=2).SerializeToString())

    found = scorer.score(rows())

    assert found.no_score.tolist() == [NoScore.MODEL_ERROR] * 3
    assert np.isnan(found.score).all()
    assert "model.onnx is not the file the passport was made for" in found.error
    file.write_bytes(bundle.model)
    assert scorer.score(rows()).error, "it is not read every turn"
    clock.time += 60 * NANOSECONDS
    assert not scorer.score(rows()).no_score.any()


def test_a_file_that_is_gone_is_a_reason(tmp_path: Path) -> None:
    """A folder that was removed under a resting model costs its scores only."""
    bundle = bundles.make(tmp_path)
    scorer = OnnxScorer(bundle)
    scorer.rest()
    (bundle.path / "model.onnx").unlink()

    found = scorer.score(rows())

    assert found.no_score.tolist() == [NoScore.MODEL_ERROR] * 3
    assert "cannot read model.onnx" in found.error


def test_nobody_waits_for_a_model_that_loads_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is loaded beside the turns, whose rows say so, and scores once it is there."""
    scorer = OnnxScorer(bundles.make(tmp_path), deadline=30.0)
    before = scorer.score(rows())
    scorer.rest()
    scorer._model.load_ns = 20 * NANOSECONDS
    go_on, done = threading.Event(), threading.Event()

    def slowly(*made: Any) -> Any:  # noqa: ANN401
        go_on.wait()
        session = open_session(*made)
        done.set()
        return session

    monkeypatch.setattr(resident, "open_session", slowly)

    for _ in range(3):
        found = scorer.score(rows())
        assert found.no_score.tolist() == [NoScore.MODEL_MISSING] * 3
        assert found.error == "the model is being loaded"
    go_on.set()
    done.wait(10)
    until_loaded(scorer)

    assert np.array_equal(scorer.score(rows()).score, before.score)
    assert scorer._model.load_ns < 20 * NANOSECONDS


def test_loading_is_given_up_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that suddenly takes long costs one deadline; then nobody waits for it."""
    scorer = OnnxScorer(bundles.make(tmp_path), deadline=0.1)
    before = scorer.score(rows())
    scorer.rest()
    given_up = threading.Event()

    class Options:
        def set_load_cancellation_flag(self, _: bool) -> None:
            given_up.set()

    def endless(*_: object) -> None:
        given_up.wait(10)
        raise RuntimeError("cancelled")

    with monkeypatch.context() as patch:
        patch.setattr(resident, "session_options", lambda _: Options())
        patch.setattr(resident, "open_session", endless)
        found = scorer.score(rows())

    assert given_up.is_set()
    assert found.no_score.tolist() == [NoScore.MODEL_SLOW] * 3
    assert scorer.score(rows()).no_score.tolist() == [NoScore.MODEL_MISSING] * 3
    until_loaded(scorer)
    assert np.array_equal(scorer.score(rows()).score, before.score)


def test_the_longest_unused_rest_until_the_budget_is_kept(tmp_path: Path) -> None:
    """Only idle models rest, those unused for longest first, and no more than must."""
    clock = ManualClock(NANOSECONDS)
    watch = Watch(clock)
    made = [
        OnnxScorer(bundles.make(tmp_path, bundles.passport(f"m{i}")), watch=watch)
        for i in range(4)
    ]
    for scorer in made:
        scorer._model.size = 1000
    assert {scorer.used for scorer in made} == {NANOSECONDS}
    sessions = Sessions(2000, idle=60.0, watch=watch)
    for scorer in made:
        sessions.add(scorer)
        clock.time += 10 * NANOSECONDS
        scorer.score(rows())

    assert sessions.tend() == []
    assert sessions.resident_bytes == 4000
    clock.time += 55 * NANOSECONDS
    made[0].score(rows())

    assert sessions.tend() == made[1:3]
    assert [scorer.loaded for scorer in made] == [True, False, False, True]
    assert sessions.resident_bytes == 2000
    sessions.remove(made[0])
    assert sessions.resident_bytes == 1000


KEPT = st.lists(
    st.builds(Kept, used=st.integers(0, 100), size=st.integers(1, 50)), max_size=12
)


@given(kept=KEPT, budget=st.integers(0, 300), idle=st.integers(0, 60))
def test_who_rests(kept: list[Kept], budget: int, idle: int) -> None:
    """None that is in use, none too many, and the rest was used later."""
    now = 100
    chosen = who_rests(kept, budget, now, idle)

    stay = [one for place, one in enumerate(kept) if place not in chosen]
    left = sum(one.size for one in stay)
    assert len(set(chosen)) == len(chosen)
    assert all(now - kept[place].used >= idle for place in chosen)
    if chosen:
        assert left + kept[chosen[-1]].size > budget
        assert all(one.used >= kept[chosen[-1]].used for one in stay)
    if left > budget:
        assert all(now - one.used < idle for one in stay)


def beside(registry: Path, location: str = "weights.data") -> tuple[Bundle, bytes]:
    """A bundle whose graph keeps its weights in a file, and that file's bytes."""
    text = bundles.passport()
    text["features"] = [
        {"name": f"f{i}", "tag": ("flow", "pressure")[i % 2], "aggregate": "last"}
        for i in range(BIG)
    ]
    proto = bundles.graph(BIG)
    bundle = bundles.make(registry, text, proto=proto)
    (scale,) = (one for one in proto.graph.initializer if one.name == "scale")
    body = bytes(scale.raw_data)
    set_external_data(scale, location, offset=0, length=len(body))
    scale.ClearField("raw_data")
    assert scale.data_location == TensorProto.EXTERNAL
    return replace(bundle, model=proto.SerializeToString()), body


def test_weights_in_another_file_are_those_that_were_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come from the bundle's bytes; a file of that name nearby is not read."""
    bundle, body = beside(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.data").write_bytes(bytes(len(body)))
    (bundle.path / "weights.data").write_bytes(bytes(len(body)))

    scorer = OnnxScorer(replace(bundle, external={"weights.data": body}))

    values = np.ones((1, BIG), np.float32)
    assert scorer.score(values).score[0] == pytest.approx(BIG)


@pytest.mark.parametrize("location", ["weights.data", "other/weights.data"])
@pytest.mark.parametrize("given", [{}, {"else.data": b"1234"}, {"weights.data": b""}])
def test_weights_that_the_bundle_does_not_hold_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    location: str,
    given: dict[str, bytes],
) -> None:
    """The runtime would read them from the working folder."""
    bundle, body = beside(tmp_path, location)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / location).write_bytes(body)

    with pytest.raises(ModelRejected, match=r"cannot load model\.onnx"):
        OnnxScorer(replace(bundle, external=given))


def test_weights_are_hashed_again_after_a_rest(tmp_path: Path) -> None:
    """The file beside the graph is read from the bundle's folder, and no other."""
    bundle, body = beside(tmp_path)
    bundles.replace_file(bundle.path, "model.onnx", bundle.model)
    bundles.replace_file(bundle.path, "weights.data", body)
    passport = bundle.passport.model_copy(
        update={"files": bundles.hashes(bundle.path)},
    )
    whole = replace(bundle, passport=passport, external={"weights.data": body})
    values = np.ones((1, BIG), np.float32)
    scorer = OnnxScorer(whole)
    scorer.rest()
    assert scorer.score(values).score[0] == pytest.approx(BIG)
    scorer.rest()
    (bundle.path / "weights.data").write_bytes(bytes(len(body)))

    found = scorer.score(values)

    assert found.no_score.tolist() == [NoScore.MODEL_ERROR]
    assert "weights.data is not the file" in found.error
