"""Intervals: the textbook's formulas, and as often right as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from edge_agent.monitoring.accuracy.counting import summed
from edge_agent.monitoring.accuracy.intervals import evidence, poisson, positive, wilson
from edge_agent.monitoring.accuracy.joined import Joined
from edge_agent.monitoring.accuracy.measuring import measured


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilsons_interval_is_scipys(confidence: float) -> None:
    """For all numbers of hits of 1 to 60 rows."""
    for n in (1, 2, 10, 60):
        hits = np.arange(n + 1)
        low, high = wilson(hits, np.full(n + 1, n), confidence)
        for k in hits.tolist():
            test = stats.binomtest(k, n)
            expected = test.proportion_ci(confidence, method="wilson")
            assert (low[k], high[k]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_garwoods_interval_is_from_chi_square(confidence: float) -> None:
    """The closed form with chi-square quantiles, for none to ten thousand events."""
    events = np.array([0, 1, 2, 5, 40, 700, 10_000])
    tail = (1 - confidence) / 2
    low, high = poisson(events, np.full(7, 4.0), confidence)

    assert low[1:] * 4 == pytest.approx(stats.chi2.ppf(tail, 2 * events[1:]) / 2)
    assert low[0] == 0.0
    assert high * 4 == pytest.approx(stats.chi2.ppf(1 - tail, 2 * events + 2) / 2)


def test_nothing_seen_has_no_interval() -> None:
    """No rows, no exposure, one number: not a number, no warning."""
    assert np.isnan(wilson(0, 0)).all()
    assert np.isnan(poisson(3, 0)).all()
    assert np.isnan(positive(np.array([1.0]), np.array([0.1]), np.array([1.0]))).all()
    low, high = positive(np.zeros(1), np.zeros(1), np.full(1, 9.0))
    assert low.tolist() == high.tolist() == [0.0]


def covered(truth: float, low: np.ndarray, high: np.ndarray) -> float:
    """How often the truth was inside."""
    return float(np.mean((low <= truth) & (truth <= high)))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("n", [30, 100, 1000])
def test_wilson_is_right_as_often_as_it_says(share: float, n: int) -> None:
    """Between 93 and 98.5 of 100 times, at shares near 0 too."""
    hits = np.random.default_rng(1).binomial(n, share, 20_000)

    assert 0.93 < covered(share, *wilson(hits, np.full(20_000, n))) < 0.985


@pytest.mark.parametrize("mean", [0.5, 2.0, 10.0, 100.0])
def test_garwood_is_never_wrong_more_often(mean: float) -> None:
    """It is exact: at least 95 of 100 times, as events come whole often more."""
    events = np.random.default_rng(2).poisson(mean, 4000)

    assert covered(mean, *poisson(events, np.ones(4000))) > 0.945


@pytest.mark.parametrize(
    ("n", "base", "recall", "false"), [(100, 0.1, 0.8, 0.02), (60, 0.3, 0.7, 0.1)]
)
def test_the_interval_of_f1_is_right_as_often_as_it_says(
    n: int, base: float, recall: float, false: float
) -> None:
    """Of few labels, and not less often than a bootstrap of the rows would be."""
    random = np.random.default_rng(4)
    hit, wrong, missed = base * recall, (1 - base) * false, base * (1 - recall)
    truth = 2 * hit / (2 * hit + wrong + missed)
    runs = np.repeat(np.arange(500), n).astype(np.int32)
    bad = random.random(len(runs)) < base
    alarm = random.random(len(runs)) < np.where(bad, recall, false)
    sums = summed(Joined.of(np.zeros(len(runs)), alarm, bad), runs, 500)
    found, ends = measured(sums), []
    for share in sums.total[:, :4] / n:
        tp, fp, fn, _ = random.multinomial(n, share, size=400).T
        f1 = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
        ends.append(np.quantile(f1, (0.025, 0.975)))

    ours = covered(truth, found.low[2], found.high[2])
    assert 0.92 < ours < 0.985
    assert ours > covered(truth, *np.array(ends).T) - 0.01


@pytest.mark.parametrize("n", [20, 50, 500])
def test_intervals_of_errors_are_right_as_often_as_they_say(n: int) -> None:
    """Of normal errors: 95 of 100 times, from twenty labels on."""
    random = np.random.default_rng(7)
    runs = np.repeat(np.arange(600), n).astype(np.int32)
    size = len(runs)
    rows = Joined.of(
        *(random.normal(size=size), np.zeros(size), np.full(size, -1)),
        value=np.zeros(size),
    )
    found = measured(summed(rows, runs, 600))

    mae, rmse = (found.of(name, 0) for name in ("mae", "rmse"))
    assert mae.rows == rmse.rows == n
    assert covered(np.sqrt(2 / np.pi), found.low[6], found.high[6]) > 0.925
    assert covered(1.0, found.low[7], found.high[7]) > 0.90


def test_labels_of_many_rows_have_intervals_that_are_right() -> None:
    """Where all of a label's rows err alike: 94 of 100 times, not one in three."""
    random = np.random.default_rng(8)
    runs, labels, rows = 400, 60, 30
    hit = random.random((runs, labels)) < 0.8
    alarm = np.repeat(hit.ravel(), rows) & (random.random(runs * labels * rows) < 0.95)
    label = np.repeat(np.arange(runs * labels), rows)
    code = (label // labels).astype(np.int32)
    zero = np.zeros(len(label))
    alone = Joined.of(zero, alarm, zero + 1)
    told = Joined.of(zero, alarm, zero + 1, label=label)

    recall = measured(summed(told, code, runs))
    assert 0.92 < covered(0.76, recall.low[1], recall.high[1]) < 0.98
    naive = measured(summed(alone, code, runs))
    assert covered(0.76, naive.low[1], naive.high[1]) < 0.5


def test_evidence_is_between_labels_and_rows() -> None:
    """Rows that vary more than chance count for fewer; never below the labels."""
    whole, hits = np.full(3, 100.0), np.full(3, 50.0)
    variance = np.array([0.25 / 100, 0.25 / 20, 0.25 / 2])

    found = evidence(whole, hits, variance, np.full(3, 10.0))
    assert found == pytest.approx([100.0, 20.0, 10.0])
    nothing = evidence(whole, hits, np.full(3, np.nan), np.full(3, 10.0))
    assert nothing.tolist() == [10.0, 10.0, 10.0]
