"""PyTorch modules, where PyTorch is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.bundle.contents import open_bundle
from edge_agent.errors import ModelRejected
from edge_agent.publish import build
from edge_agent.scoring import OnnxScorer
from tests.publish import material

torch = pytest.importorskip("torch", reason="PyTorch is not installed here")

if TYPE_CHECKING:
    from pathlib import Path


def network(columns: int) -> Any:  # noqa: ANN401
    """A small network with what must be frozen for inference."""
    torch.manual_seed(0)
    made = torch.nn.Sequential(
        torch.nn.BatchNorm1d(material.FEATURES),
        torch.nn.Linear(material.FEATURES, 8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(8, columns),
    )
    for _ in range(20):
        made(torch.from_numpy(material.table(200, 1)))
    return made


def test_logits_become_probabilities(tmp_path: Path) -> None:
    """Rows that do not add up to one get a softmax; the score is 1 - P(good)."""
    model = network(2)
    words = material.words(
        tmp_path, kind="quality", good="0", classes=["0", "1"], budget=500.0
    )
    # it is not trained: nothing is asked of it
    nothing = {"metric": "recall", "level": 0.0, "min_labels": 1}
    words["statement"] = {**material.STATEMENT, "accuracy": nothing}

    built = build(
        model, material.table(500, 1), holdout=material.aside(classes=2), **words
    )

    rows = material.table(100, 9)
    with torch.no_grad():
        expected = torch.softmax(model.eval()(torch.from_numpy(rows)), dim=1).numpy()
    found = OnnxScorer(open_bundle(built.bundle.path)).score(rows)
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("columns", [1, material.FEATURES])
def test_scores_and_reconstructions(tmp_path: Path, columns: int) -> None:
    """One column is the score; as many as features are the row given back."""
    model = network(columns)

    built = build(
        model,
        material.table(500, 1),
        holdout=material.aside(),
        **material.words(tmp_path),
    )

    rows = material.table(100, 9)
    with torch.no_grad():
        given = model.eval()(torch.from_numpy(rows)).numpy().astype(np.float64)
    expected = given[:, 0] if columns == 1 else ((given - rows) ** 2).mean(axis=1)
    found = OnnxScorer(open_bundle(built.bundle.path)).score(rows)
    np.testing.assert_allclose(found.score, expected, rtol=1e-4, atol=1e-5)


def test_a_width_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """Three columns for five features and no classes cannot be read."""
    with pytest.raises(ModelRejected, match="gives 3 columns"):
        build(
            network(3),
            material.table(500, 1),
            holdout=material.aside(),
            **material.words(tmp_path),
        )
