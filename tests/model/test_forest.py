"""A scikit-learn forest as a quality model: converted, proven and read by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.writing import write_bundle
from edge_agent.errors import ModelRejected
from edge_agent.scoring import OnnxScorer
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle

CLASSES = ["good", "scratch", "dent"]


@pytest.fixture(scope="module")
def forest() -> RandomForestClassifier:
    """A small forest on three blobs."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 80)
    rows = random.normal(size=(240, 4)) + labels[:, None]
    return RandomForestClassifier(30, max_depth=6, random_state=0).fit(rows, labels)


def rows(count: int) -> NDArray[np.float32]:
    """Parts to judge."""
    random = np.random.default_rng(1)
    return (random.normal(size=(count, 4)) + random.integers(0, 3, (count, 1))).astype(
        np.float32
    )


def shipped(registry: Path, forest: RandomForestClassifier, **options: Any) -> Bundle:  # noqa: ANN401
    """The forest as a bundle, with scikit-learn's own probabilities as golden rows."""
    made = to_onnx(forest, rows(1), target_opset=17, options={id(forest): options})
    text = bundles.passport("plates")
    text["kind"] = "quality"
    text["model"] |= {
        "input": "X",
        "ir_version": made.ir_version,
        "outputs": {
            "score": {
                "output": "probabilities",
                "class_name": "good",
                "complement": True,
            },
            "probabilities": {"output": "probabilities", "classes": CLASSES},
        },
    }
    inputs = rows(24)
    table = forest.predict_proba(inputs)
    return write_bundle(
        registry,
        text,
        model=made.SerializeToString(),
        training=rows(200).astype(np.float64),
        golden_inputs=inputs,
        golden_outputs={"score": 1 - table[:, 0], "probabilities": table},
    )


def test_a_forest_judges_parts_as_scikit_learn_does(
    tmp_path: Path, forest: RandomForestClassifier
) -> None:
    """Labels, probabilities and 1 - P(good) equal scikit-learn's; bits hold."""
    scorer = OnnxScorer(open_bundle(shipped(tmp_path, forest, zipmap=False).path))
    parts = rows(300)

    found = scorer.score(parts)

    table = forest.predict_proba(parts)
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, table, atol=1e-5)
    np.testing.assert_allclose(found.score, 1 - table[:, 0], atol=1e-5)
    assert found.labels().tolist() == forest.predict(parts).tolist()
    assert scorer.exact
    single = [scorer.score(parts[i : i + 1]).score[0] for i in range(100)]
    assert np.array_equal(single, found.score[:100])


def test_a_forest_with_a_zipmap_is_refused_with_what_to_do(
    tmp_path: Path, forest: RandomForestClassifier
) -> None:
    """The default conversion gives a list of dicts; the message says how to change."""
    made = to_onnx(forest, rows(1), target_opset=17)
    bundle = shipped(tmp_path, forest, zipmap=False)
    names = [output.name for output in made.graph.output]
    bundles.replace_file(bundle.path, "model.onnx", made.SerializeToString())
    bundles.rewrite(
        bundle.path,
        lambda text: text["model"]["outputs"].update(
            {
                "score": {"output": names[1], "class_name": "good"},
                "probabilities": {"output": names[1], "classes": CLASSES},
            }
        ),
    )

    with pytest.raises(ModelRejected, match="must be converted with zipmap=False"):
        OnnxScorer(open_bundle(bundle.path))
