"""Compiled trees decide as their source does, on thresholds and beside them too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from edge_agent.errors import ModelRejected
from edge_agent.publish import forest, histogram, sklearn
from edge_agent.publish.converted import Wanted
from edge_agent.publish.trees import floor32, moved
from tests.publish import material

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]


def near(rows: F32, thresholds: list[tuple[int, float]]) -> F32:
    """Rows with features set onto thresholds, and to the next numbers on both sides."""
    made = []
    for i, (column, threshold) in enumerate(thresholds):
        for value in (
            np.float32(threshold),
            np.nextafter(np.float32(threshold), np.float32(np.inf)),
            np.nextafter(np.float32(threshold), np.float32(-np.inf)),
        ):
            row = rows[i % len(rows)].copy()
            row[column] = value
            made.append(row)
    return np.array(made, np.float32)


def splits(model: Any) -> list[tuple[int, float]]:  # noqa: ANN401
    """(column, threshold) of some branches of a forest."""
    found = []
    subsets = getattr(model, "estimators_features_", None)
    for i, estimator in enumerate(np.ravel(model.estimators_)):
        tree = estimator.tree_
        columns = np.arange(model.n_features_in_) if subsets is None else subsets[i]
        branch = np.flatnonzero(tree.children_left >= 0)[:20]
        found += [(int(columns[tree.feature[b]]), tree.threshold[b]) for b in branch]
    return found


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    trees=st.integers(1, 12),
    samples=st.integers(1, 120),
    share=st.sampled_from([0.2, 0.6, 1.0]),
    digits=st.sampled_from([0, 1, 7]),
    bootstrap=st.booleans(),
)
def test_a_compiled_forest_scores_as_scikit_learn(
    seed: int, trees: int, samples: int, share: float, digits: int, bootstrap: bool
) -> None:
    """Any forest, any row, values exactly on thresholds included."""
    data = material.table(150, seed).round(digits)
    model = IsolationForest(
        n_estimators=trees,
        max_samples=samples,
        max_features=share,
        bootstrap=bootstrap,
        random_state=seed,
    ).fit(data)
    rows = np.concatenate(
        [material.table(60, seed + 1).round(digits), data, near(data, splits(model))]
        if splits(model)
        else [data]
    )

    found = material.run(forest.compiled(model).SerializeToString(), rows)[0][:, 0]

    np.testing.assert_allclose(found, -model.score_samples(rows), atol=2e-6)


@pytest.mark.parametrize("size", [(1, 3), (100, 256), (50, 1000)])
def test_forests_of_any_size_score_as_scikit_learn(size: tuple[int, int]) -> None:
    """From one small tree to many deep ones, in 0..1."""
    data = material.table(2000, 3)
    model = IsolationForest(
        n_estimators=size[0], max_samples=size[1], random_state=1
    ).fit(data)
    rows = material.table(3000, 4)

    found = material.run(forest.compiled(model).SerializeToString(), rows)[0][:, 0]

    np.testing.assert_allclose(found, -model.score_samples(rows), atol=1e-6)
    assert 0.0 < found.min() < found.max() < 1.0


@given(
    st.floats(width=64, allow_nan=False, allow_infinity=False, max_value=3e38),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
def test_a_threshold_rounded_down_decides_alike(
    threshold: float, reading: float
) -> None:
    """For every float32 reading ``x <= t`` is ``x <= floor32(t)``."""
    rounded = float(floor32(np.array([threshold]))[0])

    assert (reading <= threshold) == (reading <= rounded)
    beside = float(np.float32(rounded))
    assert (beside <= threshold) == (beside <= rounded)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    scaler=st.sampled_from([StandardScaler, MinMaxScaler, RobustScaler]),
    strict=st.booleans(),
)
def test_a_threshold_moved_past_a_scaler_decides_alike(
    seed: int, scaler: type, strict: bool
) -> None:
    """Each reading, the nearest ones above all, falls to the side it fell to before."""
    data = material.table(100, seed)
    fitted = scaler().fit(data)
    random = np.random.default_rng(seed)
    columns = random.integers(0, 5, 40)
    scaled = fitted.transform(data)
    thresholds = scaled[random.integers(0, 100, 40), columns].astype(np.float32)

    found = moved(
        thresholds, columns, np.full(40, strict), fitted.transform, material.FEATURES
    )

    for column, before, after in zip(columns, thresholds, found, strict=True):
        rows = near(data[:3], [(int(column), float(after))])
        was, now = fitted.transform(rows)[:, column], rows[:, column]
        expected = was < before if strict else was <= before
        assert (now < after if strict else now <= after).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "model",
    [
        IsolationForest(n_estimators=30, random_state=0),
        GradientBoostingRegressor(n_estimators=30, random_state=0),
        HistGradientBoostingRegressor(max_iter=30, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_trees_behind_scalers_flip_no_row(model: Any) -> None:  # noqa: ANN401
    """The graph has no scaler, and no row beside a threshold lands elsewhere."""
    data = material.table(800, 5)
    whole = make_pipeline(StandardScaler(), MinMaxScaler(), model)
    whole.fit(data, data[:, 0])
    wanted = Wanted(material.NAMES, data[:8])

    made = sklearn.convert(whole, wanted)

    # readings that the scalers bring nearest to the trees' thresholds
    rows = np.concatenate([data, near(data, _unscaled(whole))])
    assert made.truth is not None
    expected = made.truth(rows)["score"]
    found = material.run(made.model, rows)[0][:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    assert made.flips == 0.0


def test_categories_are_refused() -> None:
    """A gateway's features are numbers, so a split on categories has no meaning."""
    data = material.table(300, 6)
    data[:, 1] = np.digitize(data[:, 1], [45, 55])
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features=[1])
    model.fit(data, data[:, 1] > 0)

    with pytest.raises(ModelRejected, match="categorical"):
        histogram.compiled(model)


def _unscaled(whole: Any) -> list[tuple[int, float]]:  # noqa: ANN401
    model = whole.steps[-1][1]
    if hasattr(model, "estimators_"):
        found = splits(model)
    else:
        nodes = [tree.nodes for step in model._predictors for tree in step]
        found = [
            (int(n["feature_idx"]), float(n["num_threshold"]))
            for tree in nodes
            for n in tree[~tree["is_leaf"].astype(bool)][:20]
        ]
    back = []
    for column, threshold in found:
        row = np.zeros((1, material.FEATURES))
        row[0, column] = threshold
        for _, step in reversed(whole.steps[:-1]):
            row = step.inverse_transform(row)
        back.append((column, float(row[0, column])))
    return back
