"""Models of every family, built as users build them, to see how they are explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_agent.bundle import build
from edge_agent.demo.equipment import INSTRUMENTS
from edge_agent.features.feature_rows import joined
from edge_agent.publish import Stretch
from edge_agent.scoring import OnnxScorer
from models.pump_hall import EPOCH, PUMPS, SPECS, Day, rows
from tests.monitoring.faulty import COLUMNS
from tests.publish.material import STATEMENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.demo.hall import Hall

    F32 = NDArray[np.float32]
    Texts = NDArray[np.str_]

FOREST_TAGS = ("suction_pressure", "vibration_rms", "motor_current")
"""As in the worked example: a forest that is given more tags sees less."""
PROCESS_FAULTS = ("good", "cavitation", "bearing_wear", "blocked_discharge")
_LIMIT = 0.5


def healthy(seeds: Sequence[int], hours: float) -> F32:
    """Rows of halls in which nothing is wrong, one a pump and five seconds."""
    days = [rows(Day(s, hours, 6.0 * i % 24)) for i, s in enumerate(seeds)]
    found = joined(days)
    every: F32 = found.values[found.at // 1_000_000_000 % 5 == 0]
    return every


def labelled(seeds: Sequence[int]) -> tuple[F32, Texts]:
    """Rows of halls in which three pumps of four have a fault, and its name."""
    tables, names = [], []

    def meddle(hall: Hall, step: int) -> None:
        for pump in range(PUMPS) if step == 0 else ():
            kind = PROCESS_FAULTS[pump % len(PROCESS_FAULTS)]
            if kind != PROCESS_FAULTS[0]:
                hall.inject(kind, pump, 0.4 + 0.3 * (pump // 4 % 3))

    for seed in seeds:
        found = rows(Day(seed, 0.15, 6.0 * (seed % 4)), meddle)
        late = np.flatnonzero((found.at - EPOCH) / 1e9 > 60)[::3]
        tables.append(found.values[late])
        names += [PROCESS_FAULTS[p % len(PROCESS_FAULTS)] for p in found.asset[late]]
    return np.concatenate(tables), np.array(names)


def pump_pca(out: Path, learning: F32, aside: F32) -> Bundle:
    """What a pump's features have in common; the residual is the score."""
    model = make_pipeline(StandardScaler(), PCA(0.9, random_state=0)).fit(learning)
    return _anomaly(out, "pump-pca", model, learning, aside, _pumps(SPECS), 0.999)


def pump_forest(out: Path, learning: F32, aside: F32) -> Bundle:
    """A forest on three tags."""
    columns = [i for i, spec in enumerate(SPECS) if spec.tag in FOREST_TAGS]
    mine, other = (np.ascontiguousarray(t[:, columns]) for t in (learning, aside))
    words = _pumps([SPECS[i] for i in columns])
    model = IsolationForest(n_estimators=100, max_samples=256, random_state=0).fit(mine)
    return _anomaly(out, "pump-forest", model, mine, other, words, 0.999)


def pump_boost(
    out: Path, learning: tuple[F32, Texts], *, hist: bool, rounds: int = 60
) -> Bundle:
    """Which of three process faults a pump has, if any."""
    name, model = (
        "pump-boost",
        GradientBoostingClassifier(n_estimators=rounds, max_depth=3, random_state=0),
    )
    if hist:
        name, model = (
            "pump-hist",
            HistGradientBoostingClassifier(max_iter=rounds, random_state=0),
        )
    return _quality(out, name, model, learning, _pumps(SPECS))


def turbine(out: Path, family: str, learning: F32, aside: F32) -> Bundle:
    """How far a turbine's hour is from normal: ``pca``, ``autoencoder``, ``forest``."""
    scaler = StandardScaler().fit(learning)
    scaled = scaler.transform(learning)
    if family == "pca":
        model: Any = make_pipeline(scaler, PCA(0.95, random_state=0).fit(scaled))
    elif family == "autoencoder":
        inner = MLPRegressor(
            hidden_layer_sizes=(12, 4, 12),
            activation="tanh",
            max_iter=300,
            random_state=0,
        )
        model = make_pipeline(scaler, inner.fit(scaled, scaled))
    else:
        model = IsolationForest(n_estimators=100, max_samples=256, random_state=0)
        model.fit(learning)
    words = _turbine()
    return _anomaly(out, f"turbine-{family}", model, learning, aside, words, 0.99)


def turbine_quality(out: Path, family: str, learning: tuple[F32, Texts]) -> Bundle:
    """Whether emissions are high: ``boost``, ``hist``, ``random-forest``."""
    model = {
        "boost": GradientBoostingClassifier(n_estimators=100, random_state=0),
        "hist": HistGradientBoostingClassifier(max_iter=100, random_state=0),
        "random-forest": RandomForestClassifier(
            n_estimators=100, max_depth=10, random_state=0
        ),
    }[family]
    return _quality(out, f"turbine-{family}", model, learning, _turbine())


def _anomaly(
    out: Path,
    name: str,
    model: Any,  # noqa: ANN401  (any estimator)
    learning: F32,
    aside: F32,
    words: dict[str, Any],
    quantile: float,
) -> Bundle:
    """The threshold is a quantile of rows kept aside."""
    given = {"kind": "anomaly", "name": name, "out": out, "holdout": aside, **words}
    first = build(model, learning, thresholds=_at(1.0), **given).bundle
    limit = float(np.quantile(OnnxScorer(first).score(aside).score, quantile))
    made: Bundle = build(model, learning, thresholds=_at(limit), **given).bundle
    return made


def _quality(
    out: Path,
    name: str,
    model: Any,  # noqa: ANN401
    learning: tuple[F32, Texts],
    words: dict[str, Any],
) -> Bundle:
    values, names = learning
    half = np.random.default_rng(3).random(len(values)) < 0.7
    model.fit(values[half], names[half])
    aside = Stretch(values[~half], labels=names[~half].tolist(), every=5.0)
    made: Bundle = build(
        model,
        values[half],
        holdout=aside,
        kind="quality",
        good=PROCESS_FAULTS[0],
        name=name,
        out=out,
        thresholds=_at(_LIMIT),
        **words,
    ).bundle
    return made


def _at(limit: float) -> list[dict[str, Any]]:
    return [{"value": limit, "severity": 500}]


def _words(asset_type: str, tags: Any, features: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "version": "1.0.0",
        "title": "A model of the bench of explanations",
        "asset_type": asset_type,
        "tags": tags,
        "features": features,
        "statement": STATEMENT,
        "compare": False,
        "quiet": True,
        "overwrite": True,
    }


def _pumps(specs: Sequence[Any]) -> dict[str, Any]:
    tags = {
        spec.tag: {
            "unit": INSTRUMENTS[spec.tag].unit,
            "range": [INSTRUMENTS[spec.tag].low, INSTRUMENTS[spec.tag].high],
        }
        for spec in specs
    }
    return _words("pump", tags, list(specs))


def _turbine() -> dict[str, Any]:
    tags = {name: {"unit": "", "range": [-1e4, 1e5]} for name in COLUMNS}
    features = [{"tag": name, "aggregate": "last"} for name in COLUMNS]
    return _words("turbine", tags, features)
