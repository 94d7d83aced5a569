"""The passport's requirement: when it is met, and when a person must know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.monitoring.accuracy.counting import summed
from edge_agent.monitoring.accuracy.joined import UNKNOWN, Joined
from edge_agent.monitoring.accuracy.measures import Basis, Measures
from edge_agent.monitoring.accuracy.measuring import measured
from edge_agent.monitoring.accuracy.requirement import (
    Held,
    Requirement,
    Standing,
    held,
)
from edge_agent.monitoring.conditions import What


def recalled(found: int, missed: int) -> tuple[Measures, int]:
    """A model that found so many bad parts and missed so many."""
    n = found + missed
    rows = Joined.of(np.zeros(n), np.arange(n) < found, np.ones(n))
    sums = summed(rows, np.zeros(n, np.int32), 1)
    return measured(sums), int(sums.labels[0])


def stands(found: int, missed: int, level: float = 0.8, least: int = 100) -> Held:
    """Its recall against a level."""
    return held(Requirement("recall", level, least), *recalled(found, missed))


def test_nothing_is_said_before_the_minimum_of_labels() -> None:
    """However bad the first of them look."""
    found = stands(0, 99)

    assert found.standing is Standing.NOT_YET
    assert found.sentence == "Not yet told: 99 of 100 labels needed."
    assert found.condition() is None


def test_a_requirement_is_met_at_its_level() -> None:
    """At least is at least."""
    assert stands(80, 20).standing is Standing.MET


def test_a_little_below_may_be_chance() -> None:
    """Its interval still reaches the level: told, but no finding."""
    found = stands(75, 25)

    assert found.standing is Standing.BELOW
    assert found.sentence.endswith("requires at least 0.8, which may be chance.")
    assert found.condition() is None


def test_a_breach_is_a_finding_with_its_evidence() -> None:
    """What was promised, what was found and how sure that is."""
    condition = stands(120, 80).condition("recipe A")

    assert condition is not None
    assert condition.what is What.ACCURACY
    assert condition.context == "recipe A"
    assert condition.strength == pytest.approx(0.4 / 0.2)
    assert condition.sentence == (
        "Recall 0.6 (95 %: 0.531 to 0.665) on 200 labels; the passport requires at "
        "least 0.8."
    )
    assert condition.evidence["labels"] == 200
    assert condition.evidence["high"] == pytest.approx(0.6654, abs=1e-3)
    assert condition.action.startswith("Return to the version before")


@given(
    st.integers(0, 300),
    st.integers(0, 300),
    st.floats(0.05, 1.0),
    st.integers(1, 400),
)
def test_a_breach_is_beyond_chance_and_below_the_level(
    found: int, missed: int, level: float, least: int
) -> None:
    """For any counts: enough labels, and the whole interval below."""
    result = stands(found, missed, level, least)

    breached = result.standing is Standing.BREACHED
    enough = found + missed >= least
    assert breached == (enough and found + missed > 0 and result.figure.high < level)
    condition = result.condition()
    assert (condition is not None) == breached
    assert condition is None or condition.strength >= 1


def errors(size: float, n: int = 300) -> tuple[Measures, int]:
    """A model whose number is off by about so much."""
    off = np.random.default_rng(1).exponential(size, n)
    rows = Joined.of(off, np.zeros(n), np.full(n, UNKNOWN), value=np.zeros(n))
    sums = summed(rows, np.zeros(n, np.int32), 1)
    return measured(sums), int(sums.labels[0])


@pytest.mark.parametrize(
    ("size", "standing"),
    [(0.9, Standing.MET), (1.05, Standing.BELOW), (1.6, Standing.BREACHED)],
)
def test_an_error_may_be_at_most_its_level(size: float, standing: Standing) -> None:
    """The other way round: a high error is the bad one."""
    found = held(Requirement("mae", 1.0, 100), *errors(size))

    assert found.standing is standing
    assert "requires at most 1" in found.sentence
    assert found.strength == pytest.approx(found.figure.value)


def test_labels_that_do_not_tell_are_no_verdict() -> None:
    """A hundred good parts say nothing of recall."""
    rows = Joined.of(np.zeros(120), np.zeros(120), np.zeros(120))
    sums = summed(rows, np.zeros(120, np.int32), 1)
    found = held(Requirement("recall", 0.8, 100), measured(sums), 120)

    assert found.standing is Standing.CANNOT
    assert found.sentence == "Recall cannot be told: no label was bad."


def test_an_estimate_breaches_nothing() -> None:
    """It is told as an estimate, whatever it says."""
    measures, _ = recalled(10, 90)
    measures.basis[:] = np.where(measures.basis, Basis.ESTIMATED, 0)
    found = held(Requirement("recall", 0.8, 100), measures, 0)

    assert found.standing is Standing.BELOW
    assert ", estimated (95 %" in found.sentence
    assert "without labels" in found.sentence
    assert found.condition() is None


def test_a_metric_that_is_not_known_is_refused() -> None:
    """A passport of a newer agent."""
    with pytest.raises(ValueError, match="auc"):
        held(Requirement("auc", 0.8, 1), *recalled(1, 1))
