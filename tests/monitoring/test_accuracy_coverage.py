"""Labels that come selectively: what they can show, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from edge_agent.monitoring.accuracy.counting import summed
from edge_agent.monitoring.accuracy.coverage import Coverage, corrected, covered
from edge_agent.monitoring.accuracy.joined import UNKNOWN, Joined
from edge_agent.monitoring.accuracy.measures import Basis, Figure
from edge_agent.monitoring.accuracy.measuring import measured

ZERO = np.zeros(1, np.int32)


def inspected(
    seed: int, calm_share: float, n: int = 20_000, runs: int = 1
) -> tuple[Joined, np.ndarray, np.ndarray, dict[str, float]]:
    """All alarms have a label, of the calm rows a share; and what is really so."""
    random = np.random.default_rng(seed)
    run = np.repeat(np.arange(runs), n)
    bad = random.random(n * runs) < 0.05
    alarm = random.random(n * runs) < np.where(bad, 0.7, 0.02)
    truth = {
        "precision": 0.05 * 0.7 / (0.05 * 0.7 + 0.95 * 0.02),
        "recall": 0.7,
        "specificity": 0.98,
        "accuracy": 0.05 * 0.7 + 0.95 * 0.98,
    }
    truth["f1"] = 2 * 0.05 * 0.7 / (2 * 0.05 * 0.7 + 0.95 * 0.02 + 0.05 * 0.3)
    made = np.bincount(run * 2 + alarm, minlength=2 * runs).reshape(runs, 2)
    kept = alarm | (random.random(n * runs) < calm_share)
    delay = random.exponential(7200.0, n * runs)
    rows = Joined.of(np.zeros(n * runs), alarm, bad, delay=delay).take(kept)
    return rows, run[kept].astype(np.int32), made, truth


def figures(seed: int, calm_share: float) -> tuple[dict[str, Figure], Coverage]:
    """Measures as `corrected` tells them."""
    rows, code, made, truth = inspected(seed, calm_share)
    sums = summed(rows, code, 1)
    coverage = covered(rows, code, sums, made)
    found = corrected(sums, coverage)
    return {name: found.of(name) for name in truth}, coverage


def test_recall_is_refused_where_only_alarms_are_inspected() -> None:
    """Nobody knows what was missed; precision is told all the same."""
    found, coverage = figures(1, 0.0)

    assert found["precision"].basis is Basis.COUNTED
    for name in ("recall", "f1", "specificity", "accuracy"):
        assert np.isnan(found[name].value)
        assert found[name].basis is Basis.REFUSED
        assert "rows without an alarm have a label" in found[name].sentence()
    assert coverage.sentence().startswith("Labels came for 100 % of 1,")
    assert " alarms and 0 % of 18," in coverage.sentence()


def test_a_handful_of_calm_labels_is_not_enough() -> None:
    """Twenty of eighteen thousand tell nothing of one in twenty that is bad."""
    found, _ = figures(2, 0.001)

    assert found["recall"].basis is Basis.REFUSED


def test_a_random_sample_of_calm_rows_is_weighted() -> None:
    """Near the truth, where counting the labels alone would be far off."""
    found, _ = figures(3, 0.03)
    rows, code, _, truth = inspected(3, 0.03)
    naive = measured(summed(rows, code, 1))

    for name in ("recall", "specificity", "f1", "accuracy"):
        assert found[name].basis is Basis.WEIGHTED
        assert found[name].low < truth[name] < found[name].high
    assert naive.of("recall").low > truth["recall"] + 0.1
    assert "recall 0." in found["recall"].sentence()
    assert ", weighted (95 %: " in found["recall"].sentence()


def test_weights_are_scikit_learns_sample_weights() -> None:
    """Each label stands for as many rows as were made of its kind."""
    rows, code, made, truth = inspected(4, 0.05)
    found = corrected(sums := summed(rows, code, 1), covered(rows, code, sums, made))
    weight = (
        made[0][rows.alarm.astype(int)]
        / np.bincount(rows.alarm)[rows.alarm.astype(int)]
    )
    bad, alarm = rows.bad == 1, rows.alarm

    expected = {
        "recall": metrics.recall_score(bad, alarm, sample_weight=weight),
        "specificity": metrics.recall_score(~bad, ~alarm, sample_weight=weight),
        "f1": metrics.f1_score(bad, alarm, sample_weight=weight),
        "accuracy": metrics.accuracy_score(bad, alarm, sample_weight=weight),
    }
    for name, value in expected.items():
        assert found.of(name).value == pytest.approx(value, abs=1e-12)
    assert set(expected) | {"precision"} == set(truth)


def test_labels_that_came_evenly_are_counted_as_they_are() -> None:
    """Eight of ten rows labelled, alarm or not."""
    rows, code, made, truth = inspected(5, 1.0, n=2000)
    kept = np.random.default_rng(5).random(len(rows)) < 0.8
    rows, code = rows.take(kept), code[kept]
    sums = summed(rows, code, 1)
    found, plain = corrected(sums, covered(rows, code, sums, made)), measured(sums)

    assert found.value == pytest.approx(plain.value, nan_ok=True)
    assert {found.of(name).basis for name in truth} == {Basis.COUNTED}


def test_weighted_intervals_are_right_as_often_as_they_say() -> None:
    """Of 300 plants, for recall, F1 and specificity."""
    rows, code, made, truth = inspected(6, 0.05, n=4000, runs=300)
    sums = summed(rows, code, 300)
    found = corrected(sums, covered(rows, code, sums, made))

    for name in ("recall", "f1", "specificity"):
        inside = [
            found.of(name, k).low <= truth[name] <= found.of(name, k).high
            for k in range(300)
        ]
        assert 0.9 < np.mean(inside) < 0.985


def test_only_the_version_with_lacking_labels_is_refused() -> None:
    """Each code by itself: one is well labelled, one only where it alarmed."""
    alarm = np.tile([True, False], 200)
    bad = np.tile([1, 0, 1, 0, 0, 0, 1, 1], 50)
    code = np.repeat([0, 1], 200).astype(np.int32)
    rows = Joined.of(np.zeros(400), alarm, bad)
    kept = (code == 0) | alarm
    rows, code = rows.take(kept), code[kept]
    sums = summed(rows, code, 2)
    found = corrected(sums, covered(rows, code, sums, np.full((2, 2), 100)))

    assert found.of("recall", 0).basis is Basis.COUNTED
    assert found.of("recall", 1).basis is Basis.REFUSED


def test_delays_are_medians_of_each_code() -> None:
    """And what 95 of 100 labels kept to."""
    random = np.random.default_rng(9)
    code = random.integers(0, 3, 900).astype(np.int32)
    delay = random.exponential(3600.0 * (code + 1))
    rows = Joined.of(np.zeros(900), np.zeros(900), np.zeros(900), delay=delay)
    found = covered(rows, code, summed(rows, code, 4), np.full((4, 2), 400))

    for place in range(3):
        mine = delay[code == place]
        assert found.delay[place] == pytest.approx(np.median(mine))
        assert found.late[place] == pytest.approx(np.quantile(mine, 0.95))
    assert np.isnan(found.delay[3])
    assert found.sentence(3).endswith("0 % of 400 rows without one.")
    assert "within 1" in found.sentence(1)
    assert found.share[0] == pytest.approx((code == 0).sum() / 800)


def test_errors_of_numbers_are_refused_too() -> None:
    """A mean error of alarms alone is no mean error."""
    n = 200
    alarm = np.arange(n) < 195
    value = np.ones(n)
    rows = Joined.of(np.zeros(n), alarm, np.full(n, UNKNOWN), value=value)
    code = np.zeros(n, np.int32)
    sums = summed(rows, code, 1)
    made = np.array([[5000, 195]])
    found = corrected(sums, covered(rows, code, sums, made, numbers=True))

    assert found.of("mae").basis is Basis.REFUSED
    whole = np.array([[5, 195]])
    assert corrected(sums, covered(rows, code, sums, whole, numbers=True)).of(
        "mae"
    ).value == pytest.approx(1.0)
