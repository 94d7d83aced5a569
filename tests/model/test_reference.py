"""The reference profile: counts that add up, bins that have a name, old files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.passport import Passport, find
from edge_agent.bundle.profile import Bins, baseline_id, merged, tally
from edge_agent.bundle.reference import profiled, read_reference
from edge_agent.errors import ModelRejected
from tests.model import bundles

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHIPPED = Path(__file__).parents[2] / "models"
NAMES = ["flow.last", "flow.std", "pressure.last", "pressure.std"]

columns = hnp.arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(
        st.floats(-1e6, 1e6, width=32), st.sampled_from([0.0, 1.0, 2.5, np.nan])
    ),
)


@given(columns, columns, st.data())
def test_halves_add_up_to_the_whole(
    training: NDArray[np.float64], live: NDArray[np.float64], data: st.DataObject
) -> None:
    """Counts of two parts of a stretch merge to the counts of the stretch."""
    if not np.isfinite(training).any():
        training[0] = 1.0
    bins = Bins.of(training)
    cut = data.draw(st.integers(0, len(live)))

    whole = tally(live, bins)
    both = merged(tally(live[:cut], bins), tally(live[cut:], bins))

    assert (whole.n, whole.missing, whole.counts) == (both.n, both.missing, both.counts)
    assert (whole.min, whole.max) == (both.min, both.max)
    scale = float(np.nansum(np.abs(live - bins.origin))) + 1
    assert whole.sum == pytest.approx(both.sum, abs=1e-9 * scale)
    assert whole.sumsq == pytest.approx(both.sumsq, rel=1e-9, abs=1e-9)


@given(columns)
def test_the_training_data_itself_has_nothing_outside(
    training: NDArray[np.float64],
) -> None:
    """Under- and overflow are empty for the rows the bins were made of."""
    if not np.isfinite(training).any():
        training[0] = 1.0
    bins = Bins.of(training)

    counted = tally(training, bins)

    assert counted.counts[0] == 0
    assert counted.counts[-1] == 0
    assert counted.n + counted.missing == len(training)
    assert list(bins.edges) == np.array(bins.edges, np.float32).tolist()


def test_what_was_never_seen_is_counted_below_and_above() -> None:
    """A value under the lowest or over the highest falls into the outer counts."""
    bins = Bins.of(np.array([1.0, 2.0, 3.0]))

    counted = tally(np.array([0.5, 1.0, 3.0, 3.5, np.nan, np.inf]), bins)

    assert (counted.counts[0], counted.counts[-1]) == (1, 1)
    assert (counted.n, counted.missing) == (4, 2)


@pytest.mark.parametrize("often", [0.001, 0.03, 0.4, 0.97, 0.999])
def test_a_switch_is_not_one_bin(often: float) -> None:
    """Zeros and ones are counted apart, however rare one of them was in training."""
    on = np.arange(2000) < 2000 * often
    bins = Bins.of(on.astype(float))

    zeros, ones = tally(np.zeros(7), bins), tally(np.ones(7), bins)

    assert not np.minimum(zeros.counts, ones.counts).any()


def test_moments_keep_their_digits_far_from_zero() -> None:
    """A deviation of 0.01 on a reading of a million survives the sums."""
    column = 1e6 + np.random.default_rng(0).normal(0, 0.01, 1000)
    bins = Bins.of(column)

    counted = tally(column, bins)

    assert counted.mean(bins) == pytest.approx(column.mean(), rel=1e-12)
    assert counted.std() == pytest.approx(column.std(), rel=1e-3)


def test_equal_bins_have_one_name_and_others_another() -> None:
    """The id depends on names and edges, and on nothing that was counted."""
    random = np.random.default_rng(1)
    table = random.normal(size=(200, 4))

    one = profiled(NAMES, table)
    again = profiled(NAMES, table, contexts=["A"] * 200)
    moved = profiled(NAMES, table + 0.1)

    assert one.baseline_id == again.baseline_id
    assert one.baseline_id == baseline_id(one.baseline.features, {})
    assert one.baseline_id != moved.baseline_id


def test_contexts_add_up_to_the_whole() -> None:
    """Each recipe has its own profile over the bins of the whole."""
    random = np.random.default_rng(2)
    recipes = random.choice(["A", "B", "C"], 300).tolist()
    table = random.normal(size=(300, 4))
    outputs = {"score": random.random(300)}

    found = profiled(NAMES, table, recipes, outputs=outputs, output_contexts=recipes)

    parts = list(found.contexts.values())
    assert set(found.contexts) == {"A", "B", "C"}
    assert sum(part.rows for part in parts) == 300
    for name, whole in found.whole.outputs.items():
        total = merged(
            merged(parts[0].outputs[name], parts[1].outputs[name]),
            parts[2].outputs[name],
        )
        assert total.counts == whole.counts


def test_too_many_contexts_are_refused() -> None:
    """A part id given as a context would make a profile a part."""
    with pytest.raises(ValueError, match="not the part"):
        profiled(NAMES, np.zeros((500, 4)), contexts=[str(i) for i in range(500)])


def test_a_profile_survives_its_file() -> None:
    """What is written is what is read, in the order of the model's features."""
    passport = Passport.model_validate(_whole_passport())
    table = np.random.default_rng(3).normal(size=(400, 4)) * [1, 2, 3, 4]
    made = profiled(NAMES, table, ["x"] * 400, outputs={"score": table[:, 0]})

    found = read_reference(made.model_dump_json().encode(), passport)

    np.testing.assert_allclose(found.mean, table.mean(axis=0))
    np.testing.assert_allclose(found.std, table.std(axis=0))
    np.testing.assert_allclose(found.usual_low, np.quantile(table, 0.01, axis=0))
    assert found.whole == made.whole
    assert found.contexts == made.contexts


def test_bins_that_were_moved_under_their_name_are_refused() -> None:
    """Tallies of other gateways would be added up over other bins."""
    passport = Passport.model_validate(_whole_passport())
    made = profiled(NAMES, np.random.default_rng(4).normal(size=(50, 4)))
    text = made.model_dump(mode="json")
    text["baseline"]["features"]["flow.last"]["edges"][-1] += 1.0

    with pytest.raises(ModelRejected, match="baseline_id"):
        read_reference(json.dumps(text).encode(), passport)


def test_a_file_of_the_first_format_still_loads() -> None:
    """The pump model's first profile gives its old columns, and bins besides."""
    bundle = open_bundle(find(SHIPPED, "pump-anomaly"))
    body = (Path(__file__).parent / "reference_of_format_1.json").read_bytes()
    old = json.loads(body)

    found = read_reference(body, bundle.passport)

    names = [f.name for f in bundle.passport.features]
    assert found.mean.tolist() == [old["features"][n]["mean"] for n in names]
    assert found.std.tolist() == [old["features"][n]["std"] for n in names]
    assert found.whole.features[names[0]].n == old["rows"]
    assert len(found.baseline_id) == 16
    assert not found.contexts


def _whole_passport() -> dict[str, object]:
    text = bundles.passport()
    for feature in text["features"]:
        feature["trained"] = [-9.0, 9.0]
    files = ("model.onnx", "golden.json", "reference.json")
    return {**text, "files": dict.fromkeys(files, "0" * 64)}
