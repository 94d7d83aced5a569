"""Every family of models: converted, held against its source, opened as a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM

from edge_agent.bundle.contents import open_bundle
from edge_agent.errors import ModelRejected
from edge_agent.publish import build
from edge_agent.publish.converted import Wanted
from edge_agent.publish.converting import convert
from edge_agent.scoring import OnnxScorer
from tests.publish import material

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.publish import Built

TRAINING = material.table(900, 1)
CLASSES = ("0", "1", "2")


def anomaly(model: Any, tmp_path: Path, **changed: Any) -> Built:  # noqa: ANN401
    """A bundle of an anomaly model."""
    holdout = material.aside()
    words = material.words(tmp_path, **changed)
    return build(model, TRAINING, holdout=holdout, **words)


def quality(model: Any, tmp_path: Path, classes: int) -> Built:  # noqa: ANN401
    """A bundle of a quality model; class 0 is good."""
    modest = {"metric": "recall", "level": 0.01, "min_labels": 50}
    statement = {**material.STATEMENT, "accuracy": modest}
    words = material.words(tmp_path, kind="quality", good="0", budget=200.0)
    words["statement"] = statement
    holdout = material.aside(classes=classes)
    return build(model, TRAINING, holdout=holdout, **words)


def labels(classes: int) -> NDArray[np.int64]:
    """What became of the training rows."""
    return np.minimum(material.answers(TRAINING), classes - 1)


def scores_of(built: Built, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """What a gateway makes of rows, from the folder alone."""
    return OnnxScorer(open_bundle(built.bundle.path)).score(rows).score


ANOMALY = {
    "forest": lambda x: IsolationForest(n_estimators=20, random_state=0).fit(x),
    "forest behind a scaler": lambda x: make_pipeline(
        StandardScaler(), IsolationForest(n_estimators=20, random_state=0)
    ).fit(x),
    "forest behind a pca": lambda x: make_pipeline(
        PCA(3), IsolationForest(n_estimators=5, random_state=0)
    ).fit(x),
}


@pytest.mark.parametrize("made", ANOMALY.values(), ids=ANOMALY.keys())
def test_isolation_forests(tmp_path: Path, made: Any) -> None:  # noqa: ANN401
    """The score is scikit-learn's, turned so that high is odd."""
    model = made(TRAINING)

    built = anomaly(model, tmp_path)

    rows = material.table(500, 9)
    expected = -model.score_samples(rows)
    np.testing.assert_allclose(scores_of(built, rows), expected, atol=1e-5)
    assert built.parity is not None
    assert built.parity.alarms == 0


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("scaler", [StandardScaler, MinMaxScaler, MaxAbsScaler])
def test_pca_reconstruction(tmp_path: Path, scaler: type, whiten: bool) -> None:
    """Score and each feature's part are the squared residual of the scaled row."""
    model = make_pipeline(scaler(), PCA(2, whiten=whiten)).fit(TRAINING)

    built = anomaly(model, tmp_path)

    rows = material.table(300, 9)
    scaled = model.steps[0][1].transform(rows.astype(np.float64))
    pca = model.steps[1][1]
    parts = (scaled - pca.inverse_transform(pca.transform(scaled))) ** 2 / 5
    found = OnnxScorer(open_bundle(built.bundle.path)).score(rows)
    assert found.contributions is not None
    scale = parts.max()
    np.testing.assert_allclose(found.contributions, parts, rtol=1e-3, atol=1e-5 * scale)
    np.testing.assert_allclose(
        found.score, parts.sum(axis=1), rtol=1e-3, atol=1e-5 * scale
    )


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_an_autoencoder(tmp_path: Path, activation: str) -> None:
    """A network fitted on its own input scores what it cannot give back."""
    scaler = StandardScaler().fit(TRAINING)
    inside = scaler.transform(TRAINING)
    network = MLPRegressor(
        hidden_layer_sizes=(4, 2, 4), activation=activation, max_iter=500, tol=1e-2
    ).fit(inside, inside)

    built = anomaly(make_pipeline(scaler, network), tmp_path)

    rows = material.table(300, 9)
    scaled = scaler.transform(rows.astype(np.float64))
    expected = ((scaled - network.predict(scaled)) ** 2).mean(axis=1)
    np.testing.assert_allclose(scores_of(built, rows), expected, rtol=1e-3, atol=1e-4)
    assert built.bundle.passport.model.outputs.contributions == "contributions"


REGRESSORS = {
    "gradient": lambda x: GradientBoostingRegressor(n_estimators=15).fit(x, x[:, 0]),
    "histogram": lambda x: HistGradientBoostingRegressor(max_iter=15).fit(x, x[:, 0]),
    "histogram poisson": lambda x: HistGradientBoostingRegressor(
        max_iter=15, loss="poisson"
    ).fit(x, np.abs(x[:, 0])),
    "lightgbm": lambda x: lightgbm.LGBMRegressor(n_estimators=15, verbose=-1).fit(
        x, x[:, 0]
    ),
    "lightgbm booster": lambda x: (
        lightgbm.LGBMRegressor(n_estimators=15, verbose=-1).fit(x, x[:, 0]).booster_
    ),
    "xgboost": lambda x: xgboost.XGBRegressor(n_estimators=15).fit(x, x[:, 0]),
    "xgboost booster": lambda x: (
        xgboost.XGBRegressor(n_estimators=15).fit(x, x[:, 0]).get_booster()
    ),
    "xgboost behind a scaler": lambda x: make_pipeline(
        StandardScaler(), xgboost.XGBRegressor(n_estimators=15)
    ).fit(x, x[:, 0]),
}


@pytest.mark.parametrize("made", REGRESSORS.values(), ids=REGRESSORS.keys())
def test_regressors(tmp_path: Path, made: Any) -> None:  # noqa: ANN401
    """The score is the prediction."""
    model = made(TRAINING)

    built = anomaly(model, tmp_path)

    rows = material.table(300, 9)
    booster = type(model).__name__ == "Booster" and "xgboost" in type(model).__module__
    expected = model.predict(xgboost.DMatrix(rows) if booster else rows)
    np.testing.assert_allclose(scores_of(built, rows), np.ravel(expected), rtol=1e-5)
    assert built.parity is not None
    assert built.parity.off == 0


CLASSIFIERS = {
    "gradient": GradientBoostingClassifier(n_estimators=10),
    "histogram": HistGradientBoostingClassifier(max_iter=10),
    "forest": RandomForestClassifier(n_estimators=10),
    "forest behind a pca": make_pipeline(PCA(3), RandomForestClassifier(10)),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "network": make_pipeline(
        StandardScaler(),
        # trained until it is good: half done, another processor's rounding decides
        MLPClassifier((6,), max_iter=500, tol=1e-3, random_state=0),
    ),
    "histogram behind scalers": make_pipeline(
        StandardScaler(), MinMaxScaler(), HistGradientBoostingClassifier(max_iter=10)
    ),
    "lightgbm": lightgbm.LGBMClassifier(n_estimators=10, verbose=-1),
    "lightgbm behind a scaler": make_pipeline(
        StandardScaler(), lightgbm.LGBMClassifier(n_estimators=10, verbose=-1)
    ),
    "xgboost": xgboost.XGBClassifier(n_estimators=10),
}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("model", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
def test_classifiers(tmp_path: Path, model: Any, count: int) -> None:  # noqa: ANN401
    """Probabilities are the source's, the score is 1 - P(good)."""
    model = clone(model).fit(TRAINING, labels(count))

    built = quality(model, tmp_path, count)

    rows = material.table(300, 9)
    expected = np.asarray(model.predict_proba(rows), np.float64)
    found = OnnxScorer(open_bundle(built.bundle.path)).score(rows)
    assert found.classes == CLASSES[:count]
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(found.score, 1 - expected[:, 0], atol=1e-5)
    assert built.reached is not None
    assert built.reached.labels == 1600


@pytest.mark.parametrize("good", ["0", "1"])
def test_a_logistic_model_tells_each_features_part(tmp_path: Path, good: str) -> None:
    """What pushes a part towards bad is its contribution, from usual values on."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(TRAINING, labels(2))
    words = material.words(tmp_path, kind="quality", good=good, budget=None)
    words["thresholds"] = [{"value": 0.5, "severity": 500}]

    built = build(model, TRAINING, **words)

    rows = material.table(200, 9)
    found = OnnxScorer(open_bundle(built.bundle.path)).score(rows)
    scaled = model.steps[0][1].transform(rows.astype(np.float64))
    usual = model.steps[0][1].transform(TRAINING[:256].astype(np.float64)).mean(axis=0)
    sign = 1.0 if good == "0" else -1.0
    parts = np.maximum((scaled - usual) * model.steps[1][1].coef_[0] * sign, 0)
    assert found.contributions is not None
    np.testing.assert_allclose(found.contributions, parts, atol=1e-5)
    expected = model.predict_proba(rows)[:, 1 - int(good)]
    np.testing.assert_allclose(found.score, expected, atol=1e-5)


def test_a_linear_model_tells_each_features_part(tmp_path: Path) -> None:
    """The prediction is the score; its terms above usual are told."""
    model = LinearRegression().fit(TRAINING, TRAINING[:, 0] - 0.01 * TRAINING[:, 3])

    built = anomaly(model, tmp_path)

    rows = material.table(200, 9)
    np.testing.assert_allclose(scores_of(built, rows), model.predict(rows), rtol=1e-4)
    found = OnnxScorer(built.bundle).score(rows)
    assert found.contributions is not None
    usual = TRAINING[:256].mean(axis=0, dtype=np.float64)
    expected = np.maximum((rows - usual) * model.coef_, 0)
    np.testing.assert_allclose(found.contributions, expected, atol=1e-4)


def test_thresholds_of_lightgbm_are_rounded_down() -> None:
    """LightGBM compares in float64; a reading on the rounded threshold stays left."""
    rows = material.table(900, 1)
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(rows, rows[:, 0])
    dump = model.booster_.dump_model()
    beside = []

    def walk(node: dict[str, Any]) -> None:
        if "threshold" in node:
            row = rows[0].copy()
            row[node["split_feature"]] = np.float32(node["threshold"])
            beside.append(row)
            walk(node["left_child"])
            walk(node["right_child"])

    for tree in dump["tree_info"]:
        walk(tree["tree_structure"])
    probe = np.array(beside, np.float32)

    made = convert(model, Wanted(material.NAMES, rows[:8]))

    found = material.run(made.model, probe)[0][:, 0]
    np.testing.assert_allclose(found, model.predict(probe), rtol=1e-6)


def test_a_model_that_keeps_everything_is_refused(tmp_path: Path) -> None:
    """A PCA with all components reconstructs every row: its error says nothing."""
    with pytest.raises(ModelRejected, match="keeps all 5 components"):
        anomaly(PCA().fit(TRAINING), tmp_path)


def test_a_model_without_a_number_is_refused(tmp_path: Path) -> None:
    """What cannot be read as a score is named, with what can."""
    model = OneClassSVM().fit(TRAINING[:50])

    with pytest.raises(ModelRejected, match=r"OneClassSVM cannot be published.*onnx"):
        anomaly(model, tmp_path)


def test_a_stranger_is_refused(tmp_path: Path) -> None:
    """An object of no known library is named, and the known ones are listed."""
    with pytest.raises(ModelRejected, match="scikit-learn, LightGBM, XGBoost, PyTorch"):
        anomaly(object(), tmp_path)


def test_columns_of_another_model_are_refused(tmp_path: Path) -> None:
    """A model fitted on four columns cannot score rows of five."""
    model = IsolationForest(n_estimators=3).fit(TRAINING[:, :4])

    with pytest.raises(ModelRejected, match="fitted on 4 columns"):
        anomaly(model, tmp_path)


def test_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    """Scores would look right and mean nothing."""
    model = IsolationForest(n_estimators=3).fit(TRAINING)
    model.feature_names_in_ = np.array(material.NAMES[::-1], dtype=object)

    with pytest.raises(ModelRejected, match="in another order"):
        anomaly(model, tmp_path)
