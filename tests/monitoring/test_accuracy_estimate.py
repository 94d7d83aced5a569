"""Estimates without labels: NannyML's figures, and when they may not be told."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression

from edge_agent.monitoring.accuracy import calibrating, estimate
from edge_agent.monitoring.accuracy.counting import summed
from edge_agent.monitoring.accuracy.joined import Joined
from edge_agent.monitoring.accuracy.measures import Basis, Measure
from edge_agent.monitoring.accuracy.measuring import measured
from tests.end_to_end.figures import SHARED

SHARES = ("accuracy", "precision", "recall", "f1", "specificity")
NANNYML = {
    "accuracy": (0.7948587555032544, 0.7919675780353482),
    "precision": (0.6643533975320831, 0.6512075361404249),
    "recall": (0.7894309039129692, 0.7917454132741836),
    "f1": (0.7215115785885066, 0.7146325596242532),
    "specificity": (0.7976130680003607, 0.7920765075338839),
}
"""NannyML 0.13.1, CBPE of the rows of `generated`: fitted to the first 800, in chunks
of 200 of the others."""


def generated() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances that are too high, verdicts, and what was found: no random numbers."""
    i = np.arange(1200)
    chance = ((i * 7919) % 1000 + 0.5) / 1000
    return chance, chance > 0.6, ((i * 4799) % 997) / 997 < chance**2


def expected_by_definition(chance: np.ndarray, alarm: np.ndarray) -> dict[str, float]:
    """Row by row, from the published definition."""
    tp = fp = fn = tn = 0.0
    for p, verdict in zip(chance.tolist(), alarm.tolist(), strict=True):
        if verdict:
            tp, fp = tp + p, fp + 1 - p
        else:
            fn, tn = fn + p, tn + 1 - p
    return {
        "accuracy": (tp + tn) / len(chance),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "specificity": tn / (tn + fp),
    }


@given(st.integers(0, 2**32), st.integers(100, 500))
@settings(max_examples=50, deadline=None)
def test_estimates_follow_the_published_definition(seed: int, n: int) -> None:
    """For each code by itself, whatever the chances."""
    random = np.random.default_rng(seed)
    chance, code = random.random(n * 2), np.repeat([0, 1], n).astype(np.int32)
    alarm = chance > 0.5
    found = estimate.estimated(estimate.expected(chance, alarm, code, 2))

    for place in range(2):
        mine = code == place
        for name, value in expected_by_definition(chance[mine], alarm[mine]).items():
            figure = found.of(name, place)
            assert figure.value == pytest.approx(value, abs=1e-12)
            assert figure.basis is Basis.ESTIMATED
            assert figure.low <= figure.value <= figure.high


def test_estimates_equal_nannymls() -> None:
    """Two chunks of the same rows, after the same calibration."""
    chance, alarm, bad = generated()
    curve = calibrating.isotonic(chance[:800], bad[:800])
    code = np.repeat([0, 1], 200).astype(np.int32)
    sums = estimate.expected(curve(chance[800:]), alarm[800:], code, 2)
    found = estimate.estimated(sums)

    for name, chunks in NANNYML.items():
        values = [found.of(name, place).value for place in range(2)]
        assert values == pytest.approx(chunks, abs=1e-12)


@given(st.integers(0, 2**32), st.integers(2, 400))
@settings(max_examples=60, deadline=None)
def test_the_isotonic_curve_is_scikit_learns(seed: int, n: int) -> None:
    """At the fitted chances, between them and beyond; with ties."""
    random = np.random.default_rng(seed)
    chance = np.round(random.random(n), int(random.integers(1, 6)))
    bad = random.random(n) < chance**2
    asked = np.linspace(-0.1, 1.1, 201)

    theirs = IsotonicRegression(out_of_bounds="clip").fit(chance, bad)
    curve = calibrating.isotonic(chance, bad)
    assert curve(asked) == pytest.approx(theirs.predict(asked), abs=1e-12)
    kept = calibrating.Calibrator.restored(curve.saved())
    assert kept(asked).tolist() == curve(asked).tolist()


def test_platts_curve_finds_what_distorted_the_chances() -> None:
    """Logits stretched by two and moved by one, from four thousand labels."""
    random = np.random.default_rng(3)
    logit = random.normal(0, 1.5, 4000)
    bad = random.random(4000) < 1 / (1 + np.exp(-logit))
    told = 1 / (1 + np.exp(-(2 * logit + 1)))
    curve = calibrating.fitted(told, bad)

    assert curve.kind == "platt"
    assert curve.slope == pytest.approx(0.5, abs=0.05)
    assert curve.offset == pytest.approx(-0.5, abs=0.1)
    assert estimate.unusable(curve) == ""


def test_true_chances_are_left_as_they_are() -> None:
    """Or all but: no curve moves them by more than its own noise."""
    random = np.random.default_rng(4)
    chance = random.random(5000)
    curve = calibrating.fitted(chance, random.random(5000) < chance)

    assert curve(chance) == pytest.approx(chance, abs=0.03)
    assert curve.error < 2 * curve.noise


def test_a_curve_that_is_no_s_is_fitted_by_steps() -> None:
    """Where two numbers cannot follow, isotonic regression does."""
    random = np.random.default_rng(5)
    chance = random.random(8000)
    true = np.select([chance < 0.3, chance < 0.7], [0.05, 0.5], 0.6)
    curve = calibrating.fitted(chance, random.random(8000) < true)

    assert curve.kind == "isotonic"
    assert curve(np.array([0.15, 0.5, 0.9])) == pytest.approx(
        [0.05, 0.5, 0.6], abs=0.05
    )


def test_few_labels_fit_nothing() -> None:
    """And then there is no estimate, with what to do."""
    curve = calibrating.fitted(np.linspace(0, 1, 60), np.arange(60) >= 30)

    assert curve.kind == "none"
    assert "never held against labels" in estimate.unusable(curve)


def test_an_estimate_is_refused_when_chances_are_off_or_data_drifted() -> None:
    """Each with its reason."""
    empty = np.zeros(0)
    off = calibrating.Calibrator(empty, empty, error=0.2, noise=0.02, labels=500)
    fine = calibrating.Calibrator(empty, empty, error=0.03, noise=0.02, labels=500)

    assert "are off by 0.2 on average" in estimate.unusable(off)
    assert estimate.unusable(fine) == ""
    assert "has drifted" in estimate.unusable(fine, drifted=True)


def test_a_damaged_curve_is_refused() -> None:
    """One that falls, or leaves 0 to 1."""
    good = calibrating.isotonic(np.linspace(0, 1, 50), np.arange(50) > 20).saved()
    for broken in ({"y": good["y"][::-1]}, {"y": good["y"] * 2}, {"x": good["x"][:1]}):
        with pytest.raises(ValueError, match="must rise"):
            calibrating.Calibrator.restored(good | broken)


def test_expected_sums_add_up_and_survive() -> None:
    """Turn by turn as at once; rows without a chance are not counted."""
    random = np.random.default_rng(6)
    chance = np.where(random.random(300) < 0.1, np.nan, random.random(300))
    alarm, code = chance > 0.5, random.integers(-1, 2, 300).astype(np.int32)
    whole = estimate.expected(chance, alarm, code, 2)
    parts = estimate.Expected.none(2)
    for turn in np.array_split(np.arange(300), 7):
        parts = parts.plus(estimate.expected(chance[turn], alarm[turn], code[turn], 2))

    kept = estimate.Expected.restored(parts.saved(), 2)
    assert kept.rows.sum() == np.count_nonzero(np.isfinite(chance) & (code >= 0))
    for name, array in whole.saved().items():
        assert kept.saved()[name] == pytest.approx(array)
    with pytest.raises(ValueError, match="3 codes"):
        estimate.Expected.restored(parts.saved(), 3)


def test_few_rows_are_not_estimated() -> None:
    """Ninety-nine rows give no figure, and no warning."""
    zero = np.zeros(99, np.int32)
    found = estimate.estimated(estimate.expected(np.full(99, 0.9), zero > 0, zero, 1))

    assert np.isnan(found.value).all()
    assert found.of(Measure.ACCURACY).basis is Basis.UNDEFINED


def test_intervals_hold_what_labels_then_say() -> None:
    """With true chances, in 95 of 100 plants; several classes by the class's chance."""
    random = np.random.default_rng(7)
    code = np.repeat(np.arange(400), 300).astype(np.int32)
    chance = random.beta(0.5, 1.5, len(code))
    alarm = chance > 0.4
    bad = random.random(len(code)) < chance
    found = estimate.estimated(estimate.expected(chance, alarm, code, 400))
    real = measured(summed(Joined.of(chance, alarm, bad), code, 400))

    for name in SHARES:
        row = list(Measure).index(Measure(name))
        inside = (found.low[row] <= real.value[row]) & (
            real.value[row] <= found.high[row]
        )
        assert 0.92 < inside.mean() < 0.99
    right = np.full(len(code), 0.7)
    classes = estimate.estimated(estimate.expected(chance, alarm, code, 400, right))
    assert classes.of("accuracy").value == pytest.approx(0.7)


@pytest.mark.skipif(not SHARED.exists(), reason="the public data is not there")
def test_steel_plates_are_estimated_as_they_turn_out() -> None:
    """Within the interval of what the labels, kept aside, say."""
    path = SHARED / "data" / "steel_plates" / "steel_plates_faults.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in {"fault", "known_fault"}]
    x = np.array([[float(row[name]) for name in names] for row in rows])
    bad = np.array([row["fault"] == "Other_Faults" for row in rows])
    order = np.random.default_rng(0).permutation(len(bad))
    made, kept, live = np.split(order, [600, 1300])
    model = RandomForestClassifier(100, random_state=0).fit(x[made], bad[made])
    chance = model.predict_proba(x)[:, 1]
    curve = calibrating.fitted(chance[kept], bad[kept])
    zero, alarm = np.zeros(len(live), np.int32), chance[live] > 0.5
    found = estimate.estimated(estimate.expected(curve(chance[live]), alarm, zero, 1))
    real = measured(summed(Joined.of(chance[live], alarm, bad[live]), zero, 1))

    assert estimate.unusable(curve) == ""
    for name in SHARES:
        assert found.of(name).low <= real.of(name).value <= found.of(name).high
