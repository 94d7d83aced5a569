"""Measures of labelled rows: scikit-learn's, and a reason where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from edge_agent.monitoring.accuracy.counting import Part, Sums, summed
from edge_agent.monitoring.accuracy.joined import UNKNOWN, Joined
from edge_agent.monitoring.accuracy.measures import MEASURES, Basis, Measure
from edge_agent.monitoring.accuracy.measuring import measured
from edge_agent.monitoring.accuracy.reliability import (
    calibration_error,
    calibration_noise,
)

if TYPE_CHECKING:
    from edge_agent.samples import I32


def rows_of(seed: int, n: int, share: float = 0.3, codes: int = 3) -> Joined:
    """Predictions of a rather good model, with numbers for labels besides."""
    random = np.random.default_rng(seed)
    bad = random.random(n) < share
    chance = np.clip(0.5 * bad + random.random(n) * 0.6, 0.0, 1.0)
    chance = np.where(random.random(n) < 0.3, np.round(chance, 1), chance)
    found = np.where(bad, random.integers(1, 3, n), 0)
    return Joined.of(
        chance,
        chance > random.choice([0.4, 0.6]),
        bad,
        probability=chance,
        value=chance + random.normal(0, 0.3, n),
        predicted=np.where(random.random(n) < 0.8, found, 0),
        found=found,
        version=random.integers(0, codes, n).astype(np.int32),
        hours=np.full(n, 0.5),
    )


def all_of(rows: Joined) -> Sums:
    """All rows under one code."""
    return summed(rows, np.zeros(len(rows), np.int32), 1)


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_measures_equal_scikit_learns(seed: int, n: int, share: float) -> None:
    """By version and for each measure, wherever scikit-learn's is defined."""
    rows = rows_of(seed, n, share)
    found = measured(summed(rows, rows.version, 3))
    for version in range(3):
        mine = rows.take(rows.version == version)
        for measure, expected in by_sklearn(mine).items():
            figure = found.of(measure, version)
            if np.isnan(expected):
                assert np.isnan(figure.value)
                assert figure.reason
            else:
                assert figure.value == pytest.approx(expected, abs=1e-12)
                assert not figure.reason


def by_sklearn(rows: Joined) -> dict[Measure, float]:
    """The same measures from the library; NaN where it would divide by zero."""
    bad, alarm, nothing = rows.bad == 1, rows.alarm, float("nan")
    if not len(rows):
        return dict.fromkeys(set(MEASURES) - {Measure.FALSE_ALARMS}, nothing)
    keep = {"zero_division": nothing}
    error = rows.score - rows.value
    assert np.isfinite(error).all()
    return {
        Measure.PRECISION: metrics.precision_score(bad, alarm, **keep),
        Measure.RECALL: metrics.recall_score(bad, alarm, **keep),
        Measure.F1: metrics.f1_score(bad, alarm, **keep),
        Measure.SPECIFICITY: metrics.recall_score(~bad, ~alarm, **keep),
        Measure.ACCURACY: metrics.accuracy_score(rows.found, rows.predicted),
        Measure.MAE: metrics.mean_absolute_error(rows.value, rows.score),
        Measure.RMSE: metrics.root_mean_squared_error(rows.value, rows.score),
        Measure.CALIBRATION: ece(rows),
    }


def ece(rows: Joined) -> float:
    """Expected calibration error over the library's own bins."""
    bad, chance = rows.bad == 1, rows.probability
    edges = np.linspace(0, 1, 11)
    bins = np.searchsorted(edges[1:-1], chance)
    count = np.bincount(bins, minlength=10)
    share, mean = calibration_curve(bad, chance, n_bins=10)
    weight = count[count > 0] / len(rows)
    return float((weight * np.abs(share - mean)).sum())


def test_confusion_counts_are_scikit_learns() -> None:
    """True and false alarms, missed and calm rows."""
    rows = rows_of(1, 500)
    total = all_of(rows).total[0]

    table = metrics.confusion_matrix(rows.bad == 1, rows.alarm)
    assert table.ravel().tolist() == [total[p] for p in (3, 1, 2, 0)]
    assert (Part.TP, Part.FP, Part.FN, Part.TN) == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("alarm", "bad", "lacking"),
    [
        ([0, 0], [1, 0], {Measure.PRECISION}),
        ([1, 0], [0, 0], {Measure.RECALL}),
        ([0, 0], [0, 0], {Measure.PRECISION, Measure.RECALL, Measure.F1}),
        ([1, 1], [1, 1], {Measure.SPECIFICITY}),
    ],
)
def test_what_is_not_defined_is_not_a_number(
    alarm: list[int], bad: list[int], lacking: set[Measure]
) -> None:
    """A division by zero is NaN with its reason, never 0 or 1."""
    found = measured(all_of(Joined.of(np.zeros(2), np.array(alarm), np.array(bad))))

    shares = {m for m in list(MEASURES)[:5] if np.isnan(found.of(m).value)}
    assert shares == lacking
    for measure in lacking:
        assert found.of(measure).basis is Basis.UNDEFINED
        assert "cannot be told: no " in found.of(measure).sentence()


def cut(rows: Joined, code: I32, seed: int) -> Sums:
    """Summed in two turns, cut between two labels."""
    first = np.random.default_rng(seed).random(1000)[rows.label % 1000] < 0.5
    one = summed(rows.take(first), code[first], 4)
    return summed(rows.take(~first), code[~first], 4).plus(one)


@given(st.integers(0, 2**32), st.integers(1, 300))
@settings(max_examples=50, deadline=None)
def test_sums_of_parts_are_those_of_the_whole(seed: int, n: int) -> None:
    """Wherever turns cut the labels; and taking one part away leaves the other."""
    random = np.random.default_rng(seed)
    label = random.integers(0, max(n // 5, 1), n)
    rows = rows_of(seed, n)
    rows = Joined.of(
        *(rows.score, rows.alarm, rows.bad),
        value=rows.value,
        probability=rows.probability,
        label=label,
    )
    code = random.integers(0, 4, n).astype(np.int32)
    whole = summed(rows, code, 4)

    for name, kept in whole.saved().items():
        assert cut(rows, code, seed).saved()[name] == pytest.approx(kept)
        assert whole.plus(whole).minus(whole).saved()[name] == pytest.approx(kept)
    assert Sums.restored(whole.saved(), 6).total[:4] == pytest.approx(whole.total)


def test_sums_that_do_not_fit_are_refused() -> None:
    """A checkpoint of more versions than there are, or of other columns."""
    kept = Sums.none(3).saved()

    with pytest.raises(ValueError, match="total is float64"):
        Sums.restored(kept, 2)
    with pytest.raises(ValueError, match="hours is int64"):
        Sums.restored(kept | {"hours": np.zeros(3, np.int64)}, 3)


def test_rows_of_one_label_are_one_piece_of_evidence() -> None:
    """An hour of rows under ten labels is no surer than ten rows; the value is same."""
    bad = np.repeat([1, 1, 1, 1, 0, 0, 1, 1, 0, 1], 360)
    alarm = np.repeat([1, 1, 1, 0, 0, 0, 1, 1, 0, 1], 360)
    label = np.repeat(np.arange(10), 360)
    many = all_of(Joined.of(np.zeros(3600), alarm, bad, label=label))
    few = all_of(Joined.of(np.zeros(10), alarm[::360], bad[::360]))

    for measure in (Measure.PRECISION, Measure.RECALL, Measure.F1, Measure.ACCURACY):
        seen, expected = measured(many).of(measure), measured(few).of(measure)
        assert seen.value == pytest.approx(expected.value)
        assert seen.low == pytest.approx(expected.low)
        assert seen.evidence == pytest.approx(expected.evidence)
    assert many.labels.tolist() == [10]


def test_rows_that_follow_each_other_fast_make_the_interval_wider() -> None:
    """An error that lasts for hours shows less than as many errors by themselves."""
    random = np.random.default_rng(5)
    hour = np.arange(2400)
    slow = np.repeat(random.normal(0, 1, 100), 24)
    rows = Joined.of(
        *(slow, np.zeros(2400), np.full(2400, UNKNOWN)),
        value=np.zeros(2400),
        at=hour * 3_600_000_000_000,
    )
    alone = measured(all_of(rows)).of("mae")
    daily = measured(all_of(rows.in_stretches(86_400))).of("mae")

    assert daily.value == pytest.approx(alone.value)
    assert daily.high - daily.low > 3 * (alone.high - alone.low)
    assert all_of(rows.in_stretches(86_400)).labels.tolist() == [2400]


def test_an_alarm_of_many_rows_is_one_false_alarm() -> None:
    """Per asset and week of what was observed."""
    alarm = np.array([1, 1, 1, 0, 1, 1, 0, 1])
    episode = np.array([7, 7, 7, UNKNOWN, 8, 8, UNKNOWN, 7])
    rows = Joined.of(np.zeros(8), alarm, np.zeros(8), episode=episode)
    right = Joined.of(np.zeros(2), np.ones(2), np.ones(2), episode=np.array([9, 9]))
    zero = np.zeros(8, np.int32)
    sums = summed(rows, zero, 1, hours=np.array([336.0]))
    sums = sums.plus(summed(right, zero[:2], 1))

    assert sums.false_alarms.tolist() == [2]
    assert measured(sums).of("false_alarms_per_week").value == pytest.approx(1.0)


def test_rows_of_no_code_are_not_counted() -> None:
    """A part without a supplier is in no supplier's figures."""
    rows = rows_of(2, 100)
    code = np.where(np.arange(100) < 40, UNKNOWN, 0).astype(np.int32)

    assert summed(rows, code, 1).labels.tolist() == [60]


def test_a_rolling_window_holds_the_newest_rows() -> None:
    """By the time of the prediction, not of the label."""
    rows = Joined.of(np.zeros(5), np.ones(5), np.ones(5), at=np.arange(5))

    assert len(rows.since(3)) == 2


def test_columns_that_do_not_belong_are_refused() -> None:
    """A name that is not known, or a column that is too short."""
    three = np.zeros(3)
    with pytest.raises(TypeError, match="no such column: colour"):
        Joined.of(three, three, three, colour=three)
    with pytest.raises(ValueError, match="delay is not as long"):
        Joined.of(three, three, three, delay=np.zeros(2))


def test_chance_alone_gives_a_calibration_error() -> None:
    """That of a perfect model is of the size that is foretold."""
    random = np.random.default_rng(11)
    ratio = []
    for _ in range(60):
        chance = random.random(800)
        bins = all_of(
            Joined.of(
                chance, chance > 0.5, random.random(800) < chance, probability=chance
            )
        ).bins
        ratio.append(float(calibration_error(bins)[0] / calibration_noise(bins)[0]))

    assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)
