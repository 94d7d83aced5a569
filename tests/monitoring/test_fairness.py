"""Groups compared: a difference beyond chance is told, chance is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from edge_agent.monitoring.accuracy.counting import Sums, summed
from edge_agent.monitoring.accuracy.coverage import corrected, covered
from edge_agent.monitoring.accuracy.joined import Joined
from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.contrast import LEAST, Counts, Rate
from edge_agent.monitoring.fairness import Parity, compared, counts_of, weekly

LINES = ("L1", "L2", "L3", "L4")


def labelled(
    wrong: tuple[float, ...], n: int, seed: int = 1, label: int = 1
) -> tuple[Sums, np.ndarray]:
    """Labelled parts of each line, judged wrongly so often; and predictions made."""
    random = np.random.default_rng(seed)
    code = np.repeat(np.arange(len(wrong)), n).astype(np.int32)
    number = np.arange(len(code)) // label
    bad = np.repeat(random.random(len(code) // label) < 0.3, label)
    off = np.repeat(
        random.random(len(code) // label) < np.array(wrong)[code[::label]], label
    )
    rows = Joined.of(np.zeros(len(code)), bad ^ off, bad, label=number)
    made = np.bincount(code * 2 + rows.alarm, minlength=2 * len(wrong))
    return summed(rows, code, len(wrong)), made.reshape(-1, 2)


def parity(wrong: tuple[float, ...], n: int, seed: int = 1, label: int = 1) -> Parity:
    """The lines compared."""
    sums, made = labelled(wrong, n, seed, label)
    names = [f"L{i + 1}" for i in range(len(wrong))]
    return compared("line", names, counts_of(sums, made=made))


def test_a_line_that_is_judged_worse_is_named() -> None:
    """With its rate, the others' and what to do."""
    found = parity((0.05, 0.2, 0.05, 0.05), 600).condition("recipe A")

    assert found is not None
    assert found.what is What.PARITY
    assert (found.tag, found.context) == ("line", "recipe A")
    assert found.evidence["group"] == "L2"
    assert found.strength > 1
    assert " of line L2 is " in found.sentence
    assert ": beyond chance (p = " in found.sentence
    assert "Check the sensors and settings of line L2" in found.action


def test_lines_that_are_alike_are_quiet() -> None:
    """In 200 months of one look not one in twenty; there are thirty looks a month."""
    told = [parity((0.1, 0.1, 0.1, 0.1), 300, s).condition() for s in range(200)]

    assert sum(condition is not None for condition in told) <= 2


def test_a_difference_too_small_to_matter_is_quiet() -> None:
    """However sure: 10 against 11 of 100 in a million parts."""
    rows = np.full(2, 500_000.0)
    rates = {Rate.ERRORS: Counts(np.array([50_000.0, 55_000.0]), rows, rows)}
    found = compared("line", LINES[:2], rates)

    assert found.tables[Rate.ERRORS].p.max() < 1e-6
    assert found.condition() is None


def test_rows_of_one_label_are_no_proof() -> None:
    """The same shares are quiet when an hour of rows stands under each label."""
    alone = parity((0.05, 0.2, 0.05, 0.05), 1200)
    held = parity((0.05, 0.2, 0.05, 0.05), 1200, label=60)

    assert alone.condition() is not None
    assert held.condition() is None


def test_the_p_of_each_line_is_fishers_corrected() -> None:
    """Against all others together, times groups, rates and looks."""
    hits, rows = np.array([9.0, 25.0, 12.0]), np.array([200.0, 210.0, 190.0])
    rates = {Rate.ERRORS: Counts(hits, rows, rows)}
    found = compared("line", LINES[:3], rates, looks=2).tables[Rate.ERRORS]

    for place in range(3):
        rest = hits.sum() - hits[place], rows.sum() - rows[place]
        inner = [hits[place], rows[place] - hits[place]]
        table = [inner, [rest[0], rest[1] - rest[0]]]
        expected = min(stats.fisher_exact(table)[1] * 3 * 2, 1.0)
        assert found.p[place] == pytest.approx(expected, rel=1e-6)
        assert found.rest[place] == pytest.approx(rest[0] / rest[1])
    square = stats.chi2_contingency(np.stack([hits, rows - hits]), correction=False)
    assert found.p_all == pytest.approx(square[1], rel=1e-9)


def test_groups_too_small_are_pooled_and_named() -> None:
    """Two lots of a few parts are judged together, and it is said which."""
    rows = np.array([500.0, 500.0, 12.0, 20.0, 0.0])
    hits = np.array([20.0, 25.0, 6.0, 12.0, 0.0])
    names = ["a", "b", "c", "d", "e"]
    table = compared("lot", names, {Rate.ERRORS: Counts(hits, rows, rows)}).tables[
        Rate.ERRORS
    ]

    assert table.names == ("a", "b", "2 small groups")
    assert table.pooled == ("c", "d")
    assert table.untold == ("e",)
    assert table.value[2] == pytest.approx(18 / 32)
    assert table.differs.tolist() == [False, False, True]


def test_a_group_below_the_minimum_is_never_told() -> None:
    """Not even pooled, while the pool is too small itself."""
    rows = np.array([500.0, LEAST - 1])
    hits = np.array([5.0, LEAST - 1])
    found = compared("lot", ["a", "b"], {Rate.ERRORS: Counts(hits, rows, rows)})

    assert found.condition() is None


def test_alarms_an_asset_and_week_are_compared_by_time() -> None:
    """By the exact binomial test; a line that gave none is judged too."""
    counts = weekly(np.array([60, 0, 58]), np.array([20.0, 20.0, 20.0]))
    found = compared("line", LINES[:3], {Rate.WEEKLY: counts}, looks=1)
    table = found.tables[Rate.WEEKLY]

    expected = min(stats.binomtest(0, 118, 1 / 3).pvalue * 3, 1.0)
    assert table.p[1] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert table.value.tolist() == [3.0, 0.0, 2.9]
    condition = found.condition()
    assert condition is not None
    assert "an asset and week of line" in condition.sentence
    assert "really has more or fewer faults" in condition.action
    burst = weekly(np.array([60, 0, 58]), np.array([20.0, 20.0, 20.0]), bursts=20.0)
    assert compared("line", LINES[:3], {Rate.WEEKLY: burst}).condition() is None


def test_rates_of_selective_labels_are_not_compared() -> None:
    """Where only alarms are inspected, errors and misses of groups cannot be told."""
    random = np.random.default_rng(2)
    code = np.repeat([0, 1], 2000).astype(np.int32)
    bad = random.random(4000) < 0.2
    alarm = bad ^ (random.random(4000) < np.where(code == 1, 0.3, 0.05))
    rows = Joined.of(np.zeros(4000), alarm, bad).take(alarm)
    made = np.bincount(code * 2 + alarm, minlength=4).reshape(2, 2)
    sums = summed(rows, code[alarm], 2)
    measures = corrected(sums, covered(rows, code[alarm], sums, made))
    found = compared("shift", ["early", "late"], counts_of(sums, measures, made))

    assert found.tables[Rate.ERRORS].untold == ("early", "late")
    assert found.tables[Rate.MISSED].names == ()
    condition = found.condition()
    assert condition is not None
    assert condition.evidence["group"] == "late"
    assert condition.evidence["rate"] in {"share of false alarms", "alarm rate"}


def test_so_many_groups_are_refused() -> None:
    """Two hundred and one values are ids, perhaps of people."""
    one = np.ones(201)
    found = compared(
        "worker", [str(i) for i in range(201)], {Rate.ALARMS: Counts(one, one, one)}
    )

    assert not found.tables
    assert "worker has 201 different values" in found.refused
    assert found.condition() is None


def test_one_group_is_compared_with_nothing() -> None:
    """And no labels at all with nobody: no warning, no finding."""
    assert parity((0.4,), 400).condition() is None
    empty = compared(
        "line", LINES, counts_of(Sums.none(4), made=np.zeros((4, 2), np.int64))
    )
    assert empty.condition() is None
    assert empty.tables[Rate.ALARMS].untold == LINES
