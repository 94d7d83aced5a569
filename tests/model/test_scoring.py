"""The scorer: verdicts only where there is evidence, the same bits in any batch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from edge_agent.errors import ModelRejected
from edge_agent.records import NoScore
from edge_agent.scoring import OnnxScorer
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

WIDTH = 4


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> OnnxScorer:
    """A scorer of the small bundle."""
    return OnnxScorer(bundles.make(tmp_path_factory.mktemp("registry")))


def rows(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Random input rows."""
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)


def test_scores_are_what_the_graph_computes(scorer: OnnxScorer) -> None:
    """Score and contributions are the graph's own outputs, as numpy computes them."""
    values = rows(50)

    found = scorer.score(values)

    squares = np.square(values.astype(np.float64))
    np.testing.assert_allclose(found.score, squares.sum(axis=1), rtol=1e-6)
    assert found.contributions is not None
    np.testing.assert_allclose(found.contributions, squares, rtol=1e-6)
    assert found.score.dtype == np.float64
    assert not found.no_score.any()


@given(
    count=st.integers(1, 60),
    holes=st.lists(
        st.tuples(st.integers(0, 59), st.integers(0, WIDTH - 1)), max_size=30
    ),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
)
@settings(max_examples=60, deadline=None)
def test_a_row_with_a_hole_has_no_score_and_moves_no_other(
    scorer: OnnxScorer, count: int, holes: list[tuple[int, int]], bad: float
) -> None:
    """A missing number silences its row; all other rows keep their exact bits."""
    clean = rows(count)
    values = clean.copy()
    for row, column in holes:
        values[row % count, column] = bad
    before = values.copy()

    found, whole = scorer.score(values), np.isfinite(values).all(axis=1)

    expected = scorer.score(clean).score
    assert np.array_equal(found.score[whole], expected[whole])
    assert np.isnan(found.score[~whole]).all()
    assert (found.no_score[~whole] == NoScore.INPUT_MISSING).all()
    assert not found.no_score[whole].any()
    assert np.array_equal(values, before, equal_nan=True)


@given(cuts=st.lists(st.integers(1, 59), max_size=6), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_chopping_and_permuting_rows_moves_no_bit(
    scorer: OnnxScorer, cuts: list[int], seed: int
) -> None:
    """A batch gives what its parts give, and order does not matter."""
    values = rows(60, seed % 1000)
    order = np.random.default_rng(seed).permutation(60)

    whole = scorer.score(values)
    parts = np.split(values, sorted(set(cuts)))
    found = np.concatenate([scorer.score(part).score for part in parts if len(part)])

    assert np.array_equal(found, whole.score)
    assert np.array_equal(scorer.score(values[order]).score, whole.score[order])


def test_no_rows_is_no_run(scorer: OnnxScorer) -> None:
    """An empty batch and an all-missing batch yield empty and silent verdicts."""
    assert len(scorer.score(rows(0)).score) == 0

    found = scorer.score(np.full((3, WIDTH), np.nan, np.float32))

    assert (found.no_score == NoScore.INPUT_MISSING).all()


def test_rows_of_another_width_are_an_error_not_a_crash(scorer: OnnxScorer) -> None:
    """A caller's mistake gives no score with a reason for each row."""
    found = scorer.score(np.zeros((2, WIDTH + 1), np.float32))

    assert (found.no_score == NoScore.MODEL_ERROR).all()
    assert "5" in found.error


class _Broken:
    """A session that fails in a chosen way after the model was loaded."""

    def __init__(self, result: Any) -> None:  # noqa: ANN401
        self.result = result

    def run(self, names: list[str], feed: dict[str, Any], _: object) -> list[Any]:
        """Raise, or return the prepared outputs for the fed rows."""
        if isinstance(self.result, Exception):
            raise self.result
        return [self.result(name, next(iter(feed.values()))) for name in names]


def _nan_in_first(name: str, fed: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = np.ones((len(fed), 1 if name == "score" else WIDTH), np.float32)
    out[0] = np.nan
    return out


@pytest.mark.parametrize(
    ("result", "codes"),
    [
        (RuntimeError("bad kernel"), [NoScore.MODEL_ERROR] * 3),
        (
            lambda _, fed: np.ones((len(fed) + 1, 1), np.float32),
            [NoScore.MODEL_ERROR] * 3,
        ),
        (
            lambda _, fed: np.ones((len(fed), 1, 2), np.float32),
            [NoScore.MODEL_ERROR] * 3,
        ),
        (lambda _, fed: np.ones((len(fed), 2), np.float32), [NoScore.MODEL_ERROR] * 3),
        (lambda *_: "no array", [NoScore.MODEL_ERROR] * 3),
        (_nan_in_first, [NoScore.MODEL_NAN, NoScore.NONE, NoScore.NONE]),
    ],
    ids=["raises", "too many rows", "3-d", "contributions too narrow", "text", "NaN"],
)
def test_a_failing_model_never_gives_a_verdict(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    result: Any,  # noqa: ANN401
    codes: list[NoScore],
) -> None:
    """Exceptions, wrong shapes and NaN become reasons, never scores."""
    scorer = OnnxScorer(bundles.make(tmp_path))
    monkeypatch.setattr(scorer._model, "session", _Broken(result))

    found = scorer.score(rows(3))

    assert list(found.no_score) == codes
    assert np.isnan(found.score[found.no_score > 0]).all()
    assert bool(found.error) == (NoScore.MODEL_ERROR in codes)
    assert found.contributions is not None
    assert np.isfinite(found.contributions).all()


def test_buckets_pad_and_give_the_same_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of batch sizes runs any number of rows in those sizes only."""
    text = bundles.passport()
    text["model"]["batch"] = [4, 16]
    scorer = OnnxScorer(bundles.make(tmp_path, text))
    seen: list[int] = []
    session: Any = scorer._model.session

    class Watched:
        def run(self, names: list[str], feed: dict[str, Any], way: Any) -> list[Any]:  # noqa: ANN401
            seen.append(len(feed["rows"]))
            found: list[Any] = session.run(names, feed, way)
            return found

    monkeypatch.setattr(scorer._model, "session", Watched())
    values = rows(37)

    found = scorer.score(values)

    np.testing.assert_allclose(
        found.score, np.square(values).sum(axis=1, dtype=np.float64), rtol=1e-5
    )
    assert seen == [16, 16, 16]
    scorer.score(values[:3])
    assert seen[-1] == 4


def test_a_fixed_batch_graph_runs_in_its_one_size(tmp_path: Path) -> None:
    """A graph exported for 8 rows serves any number of rows."""
    text = bundles.passport()
    text["model"]["batch"] = [8]
    scorer = OnnxScorer(
        bundles.make(tmp_path, text, proto=bundles.graph(WIDTH, rows=8))
    )
    values = rows(19)

    found = scorer.score(values)

    np.testing.assert_allclose(
        found.score, np.square(values).sum(axis=1, dtype=np.float64), rtol=1e-5
    )


def _wide(registry: Path, replay: str) -> OnnxScorer:
    """13 features, summed by ReduceSum: known to depend on the place in the batch."""
    text = bundles.passport()
    text["features"] = [
        {"name": f"f{i}", "tag": ("flow", "pressure")[i % 2], "aggregate": "last"}
        for i in range(13)
    ]
    text["model"]["replay"] = replay
    return OnnxScorer(
        bundles.make(
            registry,
            text,
            proto=bundles.graph(13, scale=1.37, reduce_sum=True),
            outputs={"score": np.square(1.37 * bundles.golden(13)).sum(axis=1)},
        )
    )


def test_a_graph_whose_bits_depend_on_the_batch_is_run_row_by_row(
    tmp_path: Path,
) -> None:
    """Where a sum's bits depend on the place in the batch, exact replay still holds."""
    scorer = _wide(tmp_path, "exact")
    values = np.random.default_rng(1).normal(size=(200, 13)).astype(np.float32)

    whole = scorer.score(values).score

    assert scorer.exact
    for size in (1, 2, 3, 7, 64):
        parts = [scorer.score(values[i : i + size]).score for i in range(0, 200, size)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_close_replay_keeps_one_call(tmp_path: Path) -> None:
    """With `replay: close` such a graph runs in batches and says it is not exact."""
    scorer = _wide(tmp_path, "close")

    assert scorer.rows_per_call is None


def _restless() -> onnx.ModelProto:
    """A graph with a little noise in it, as dropout left switched on would be."""
    nodes = [
        helper.make_node("RandomNormalLike", ["rows"], ["noise"], scale=1e-7),
        helper.make_node("Add", ["rows", "noise"], ["noisy"]),
        helper.make_node("Mul", ["noisy", "noisy"], ["contributions"]),
        helper.make_node("MatMul", ["contributions", "ones"], ["score"]),
    ]
    weights = {"ones": np.ones((WIDTH, 1), np.float32)}
    outputs: dict[str, list[int | str]] = {
        "score": ["N", 1],
        "contributions": ["N", WIDTH],
    }
    return bundles.model(nodes, weights, WIDTH, outputs)


def test_a_graph_with_chance_in_it_is_refused(tmp_path: Path) -> None:
    """Noise within the golden tolerance would still make a replay another story."""
    chance = _restless().SerializeToString()
    with pytest.raises(ModelRejected, match="it uses RandomNormalLike"):
        bundles.make(tmp_path, proto=_restless())
    bundle = dataclasses.replace(bundles.make(tmp_path), model=chance)

    with pytest.raises(ModelRejected, match="different scores from run to run"):
        OnnxScorer(bundle)


def test_a_quality_model_gives_labels_and_a_complement_score(tmp_path: Path) -> None:
    """Probabilities become labels; the score is 1 - P(good)."""
    text = bundles.passport()
    text["kind"] = "quality"
    text["model"]["outputs"] = {
        "score": {"output": "p", "class_name": "good", "complement": True},
        "probabilities": {"output": "p", "classes": ["scratch", "good", "dent"]},
    }
    weights = {"w": np.eye(WIDTH, 3, dtype=np.float32)}
    nodes = [
        helper.make_node("MatMul", ["rows", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"], axis=1),
    ]
    inputs = bundles.golden(WIDTH).astype(np.float64)[:, :3]
    table = np.exp(inputs) / np.exp(inputs).sum(axis=1, keepdims=True)
    bundle = bundles.make(
        tmp_path,
        text,
        proto=bundles.model(nodes, weights, WIDTH, {"p": ["N", 3]}),
        outputs={"score": 1 - table[:, 1], "probabilities": table},
    )
    scorer = OnnxScorer(bundle)
    values = np.array([[5, 0, 0, 0], [0, 5, 0, 0], [np.nan, 0, 0, 0]], np.float32)

    found = scorer.score(values)

    assert [scorer.classes[i] for i in found.labels()[:2]] == ["scratch", "good"]
    assert found.labels()[2] == -1
    assert found.named(np.array([2, 0])) == ("", "scratch")
    assert found.score[0] > 0.9
    assert found.score[1] < 0.1
    assert np.isnan(found.score[2])


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("max", lambda x: np.abs(x).max(axis=1)),
        ("mean", lambda x: np.abs(x).mean(axis=1)),
        ("sum", lambda x: np.abs(x).sum(axis=1)),
        ("norm", lambda x: np.sqrt(np.square(x).sum(axis=1))),
        ("reconstruction", lambda x: np.square(np.abs(x) - x).mean(axis=1)),
    ],
)
def test_a_table_is_reduced_as_the_passport_says(
    tmp_path: Path,
    read: str,
    expected: Any,  # noqa: ANN401
) -> None:
    """An output with a column per feature becomes one number a row."""
    text = bundles.passport()
    text["model"]["outputs"] = {"score": {"output": "y", "read": read}}
    nodes = [helper.make_node("Abs", ["rows"], ["y"])]
    scorer = OnnxScorer(
        bundles.make(
            tmp_path,
            text,
            proto=bundles.model(nodes, {}, WIDTH, {"y": ["N", WIDTH]}),
            outputs={"score": expected(bundles.golden(WIDTH).astype(np.float64))},
        )
    )
    values = rows(9)

    found = scorer.score(values)

    np.testing.assert_allclose(
        found.score, expected(values.astype(np.float64)), rtol=1e-5
    )
    assert (found.contributions is not None) == (read == "reconstruction")
    assert scorer.score(values[2:3]).score[0] == found.score[2]


def test_the_session_is_told_not_to_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread, no spinning, no arena: an idle gateway stays idle and small."""
    seen: list[ort.SessionOptions] = []
    real = ort.InferenceSession

    def watched(model: bytes, options: ort.SessionOptions, **more: Any) -> Any:  # noqa: ANN401
        seen.append(options)
        return real(model, options, **more)

    monkeypatch.setattr(ort, "InferenceSession", watched)
    OnnxScorer(bundles.make(tmp_path))

    (options,) = seen
    assert options.intra_op_num_threads == 1
    assert options.inter_op_num_threads == 1
    assert not options.enable_cpu_mem_arena
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
