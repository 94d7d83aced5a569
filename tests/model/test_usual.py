"""What is usual, by context, from a profile."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.bundle.passport import Passport
from edge_agent.bundle.profile import QUANTILES
from edge_agent.bundle.reference import Reference, profiled, read_reference
from edge_agent.bundle.usual import LEAST, normal, ordinary, ranges
from tests.model import bundles

NAMES = ("flow.last", "flow.std", "pressure.last", "pressure.std")
FEW = LEAST - 1


@pytest.fixture
def reference() -> Reference:
    """Thick parts about 10, thin ones about 20, and hardly any strange ones at 90."""
    kinds = ["thick"] * 400 + ["thin"] * 400 + ["strange"] * FEW
    middle = np.array([10.0] * 400 + [20.0] * 400 + [90.0] * FEW)
    table = np.random.default_rng(3).normal(size=(len(kinds), 4)) + middle[:, None]
    made = profiled(NAMES, table, kinds, outputs={"score": np.arange(101.0)})
    files = dict.fromkeys(("model.onnx", "golden.json", "reference.json"), "0" * 64)
    content = bundles.passport() | {"files": files}
    for feature in content["features"]:
        feature["trained"] = [0, 100]
    passport = Passport.model_validate(content)
    return read_reference(made.model_dump_json().encode(), passport)


def test_each_context_has_its_own_range(reference: Reference) -> None:
    """In the plant's order, the whole last."""
    found = ranges(reference, NAMES, ("thin", "thick"))

    assert found.mean[:2, 0] == pytest.approx([20.0, 10.0], abs=0.2)
    assert found.low[0, 0] > found.high[1, 0]
    assert (found.low[2], found.high[2]) == (
        pytest.approx(reference.usual_low),
        pytest.approx(reference.usual_high),
    )
    assert found.std[0, 0] == pytest.approx(1.0, abs=0.1)


def test_a_context_that_is_hardly_known_has_the_whole_s_range(
    reference: Reference,
) -> None:
    """The 1st percentile of few rows is chance; of none there is none."""
    found = ranges(reference, NAMES, ("strange", "never seen"))
    put = normal(reference, NAMES, ("strange", "never seen"))

    for place in (0, 1):
        assert found.high[place].tolist() == found.high[2].tolist()
        assert put[place].tolist() == put[2].tolist()


def test_what_is_put_in_a_feature_s_place_are_its_quantiles(
    reference: Reference,
) -> None:
    """Of the row's context, ascending."""
    put = normal(reference, NAMES, ("thick",))

    assert put.shape == (2, len(QUANTILES), len(NAMES))
    assert put.dtype == np.float32
    assert (np.diff(put, axis=1) > 0).all()
    assert put[0, 3, 0] == pytest.approx(10.0, abs=0.2)
    assert put[1, 3, 0] > 11


def test_an_ordinary_score_is_the_median(reference: Reference) -> None:
    """What is near the limit is counted from there."""
    assert ordinary(reference) == 50.0
