"""False alarms against their budget, and the threshold that would hold it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edge_agent.monitoring.alarm_budget import (
    AlarmRecords,
    FalseAlarms,
    Verdict,
    counted,
)
from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.exceedances import Candidates, Exceedances
from edge_agent.monitoring.suggestion import Limit, Suggestion, suggested

HOUR = 3_600_000_000_000
WEEK = 604_800_000_000_000
GRID = Candidates.around(1.0, 0.2)
UP = -1
"""Peak of an alarm that would have come at every candidate."""


def records(*alarms: tuple[float, Verdict], spread: int = 37 * HOUR) -> AlarmRecords:
    """Alarms of three assets, each with its peak and verdict, far apart."""
    n = len(alarms)
    return AlarmRecords(
        (np.arange(n) % 3).astype(np.int32),
        np.arange(n) * spread,
        np.array([peak if peak != UP else 9.0 for peak, _ in alarms]),
        np.array([verdict for _, verdict in alarms], np.int8),
    )


def judged(
    found: AlarmRecords,
    budget: float,
    weeks: float = 4.0,
    more_below: float = 0.0,
    threshold: float = 1.0,
) -> tuple[FalseAlarms, Suggestion]:
    """The count, and what is suggested; lower candidates gave more alarms each."""
    live = GRID.place(threshold)
    count = counted(found, weeks, budget)
    assert count is not None
    below = np.maximum(live - np.arange(len(GRID)), 0) * more_below * weeks
    seen = Exceedances(10 + below.astype(np.int64), int(weeks * WEEK))
    return count, suggested(found, count, seen, GRID, live)


FALSE, TRUE, OPEN = Verdict.REJECTED, Verdict.CONFIRMED, Verdict.UNANSWERED


def test_the_rate_has_garwoods_interval() -> None:
    """Single false alarms, a few an asset and week."""
    found = counted(records(*[(1.1, FALSE)] * 12), 4.0, 2.0)

    assert found is not None
    assert found.bursts == 1.0
    assert found.likely == 3.0
    assert found.low == pytest.approx(stats.chi2.ppf(0.025, 24) / 2 / 4)
    assert found.high == pytest.approx(stats.chi2.ppf(0.975, 26) / 2 / 4)
    assert not found.over
    assert counted(records(), 0.0, 2.0) is None


def test_alarms_in_bursts_are_less_sure() -> None:
    """Twenty in one afternoon of one asset are one bad afternoon."""
    burst = records(*[(1.1, FALSE)] * 20, spread=HOUR // 4)
    burst = replace(burst, asset=np.zeros(20, np.int32))
    apart = counted(records(*[(1.1, FALSE)] * 20), 8.0, 1.0)
    close = counted(burst, 8.0, 1.0)

    assert apart is not None
    assert close is not None
    assert apart.over
    assert close.bursts > 10
    assert not close.over


def test_unanswered_alarms_count_as_the_answered_ones_did() -> None:
    """But whether the budget is exceeded is judged by rejections alone."""
    found = counted(records((1.1, FALSE), (1.1, TRUE), *[(1.1, OPEN)] * 40), 4.0, 2.0)

    assert found is not None
    assert found.likely == pytest.approx((1 + 40 / 2) / 4)
    assert not found.over
    assert "40 more were not answered." in found.sentence()


def test_too_many_false_alarms_are_a_finding() -> None:
    """With what was counted, where they came from and what would help."""
    found, suggestion = judged(records(*[(1.05, FALSE)] * 30, (1.12, TRUE)), 2.0)
    condition = found.condition(suggestion, ["P-101", "P-102", "P-103"])

    assert condition is not None
    assert condition.what is What.FALSE_ALARMS
    assert condition.strength == pytest.approx(30 / 4 / 2)
    assert condition.sentence.startswith(
        "30 of 31 answered alarms were rejected in 4 asset-weeks: 7.5 an asset and week"
    )
    assert condition.action.startswith("A threshold of 1.058 instead of 1 would hold ")
    assert condition.evidence["suggested"] == suggestion.threshold
    quiet, _ = judged(records((1.05, FALSE)), 2.0)
    assert quiet.condition() is None


def test_an_asset_that_gives_most_of_them_is_named() -> None:
    """The operator looks there first."""
    alarms = records(*[(1.05, FALSE)] * 30)
    one = replace(alarms, asset=np.where(np.arange(30) < 20, 1, 2).astype(np.int32))
    found = counted(one, 4.0, 2.0)

    assert found is not None
    assert found.sentence(["P-101", "P-102", "P-103"]).endswith(
        "20 of them came from P-102."
    )


def test_a_suggestion_holds_the_budget_and_misses_nothing() -> None:
    """The lowest threshold at which few enough false alarms would have come."""
    peaks = np.linspace(1.0, 1.19, 40)
    alarms = records(*[(p, FALSE) for p in peaks.tolist()], (1.18, TRUE))
    _, found = judged(alarms, 2.0)

    left = np.count_nonzero(peaks >= found.threshold)
    assert left <= 8
    before = GRID.thresholds[GRID.place(found.threshold) - 1]
    assert np.count_nonzero(peaks >= before) > 8
    assert found.per_week == pytest.approx(left / 4)
    assert found.limited is Limit.NONE
    assert found.missed == 0
    assert found.low < found.per_week < found.high
    assert "missed none of 1 confirmed alarms: about" in found.sentence


def test_a_confirmed_alarm_is_never_silenced() -> None:
    """The suggestion stops below it, and says what holding the budget would cost."""
    alarms = records(*[(1.15, FALSE)] * 30, (1.06, TRUE), (1.03, TRUE), (1.2, TRUE))
    _, found = judged(alarms, 1.0)

    assert found.limited is Limit.CONFIRMED
    assert found.threshold <= 1.03
    assert found.wanted > 1.15
    assert found.missed == 2
    assert "would hold the budget, but have missed 2 of 3 confirmed" in found.sentence


def test_a_confirmed_alarm_of_unknown_height_stops_everything() -> None:
    """It may have been just above the threshold."""
    alarms = records(*[(1.1, FALSE)] * 30, (float("nan"), TRUE))
    _, found = judged(alarms, 1.0)

    assert not found.changes
    assert found.limited is Limit.CONFIRMED
    assert found.sentence.endswith("It stays as it is.")


def test_a_suggestion_keeps_to_its_bounds() -> None:
    """And says what would be needed."""
    _, found = judged(records(*[(1.3, FALSE)] * 30), 1.0)

    assert found.limited is Limit.BOUNDS
    assert found.threshold == pytest.approx(1.2)
    assert found.wanted > 1.3
    assert "at most 1.2 is allowed (budget.at_most)" in found.sentence


def test_alarms_far_above_any_threshold_cannot_be_helped() -> None:
    """The model itself is wrong."""
    _, found = judged(records(*[(UP, FALSE)] * 30), 1.0)

    assert found.limited is Limit.NOWHERE
    assert np.isnan(found.wanted)
    assert found.threshold <= GRID.high + 1e-9
    assert found.sentence.startswith("No threshold up to ")


def test_little_observation_suggests_nothing() -> None:
    """Two false alarms on the first day are no reason to move anything."""
    _, found = judged(records((1.1, FALSE), (1.1, FALSE)), 2.0, weeks=0.5)

    assert found.limited is Limit.LITTLE
    assert not found.changes
    assert found.sentence.startswith("No threshold is suggested before 1.5 asset-weeks")


def test_a_threshold_that_was_raised_goes_back_when_it_may() -> None:
    """Down to the passport's, as far as the budget holds; not further."""
    _, found = judged(records((1.19, FALSE)), 2.0, more_below=0.01, threshold=1.1)
    _, stuck = judged(records((1.19, FALSE)), 2.0, more_below=0.5, threshold=1.1)

    assert found.threshold == pytest.approx(1.0)
    assert "can go down" in found.sentence
    assert 1.0 < stuck.threshold < 1.1


def test_only_missed_faults_lower_a_threshold_below_the_passports() -> None:
    """As far as the highest that catches them, while the budget holds."""
    quiet = records((1.19, FALSE))
    missed = records((1.19, FALSE), (0.95, Verdict.MISSED), (0.5, Verdict.MISSED))

    assert not judged(quiet, 2.0, more_below=0.01)[1].changes
    _, found = judged(missed, 2.0, more_below=0.01)
    assert found.threshold == pytest.approx(0.95)
    assert not judged(missed, 2.0, more_below=3.0)[1].changes


VERDICTS = st.sampled_from(list(Verdict))


@given(
    st.lists(st.tuples(st.floats(0.7, 2.0), VERDICTS), max_size=60),
    st.floats(0.1, 20.0),
    st.floats(0.1, 30.0),
    st.floats(0.0, 2.0),
    st.sampled_from([0.85, 1.0, 1.15]),
)
@settings(max_examples=200, deadline=None)
def test_no_suggestion_leaves_its_bounds_or_silences_a_confirmed_alarm(
    alarms: list[tuple[float, Verdict]],
    budget: float,
    weeks: float,
    more: float,
    threshold: float,
) -> None:
    """Whatever operators said."""
    found, suggestion = judged(records(*alarms), budget, weeks, more, threshold)
    now = suggestion.now

    assert GRID.low - 1e-9 <= suggestion.threshold <= GRID.high + 1e-9
    confirmed = [peak for peak, verdict in alarms if verdict is Verdict.CONFIRMED]
    if suggestion.threshold > now:
        assert all(suggestion.threshold <= max(peak, now) + 1e-6 for peak in confirmed)
    if suggestion.changes and suggestion.limited is Limit.NONE:
        assert suggestion.per_week <= budget
    assert suggestion.sentence
    assert (found.condition(suggestion) is not None) == found.over
