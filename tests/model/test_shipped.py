"""The shipped pump model: finds the faults of the demo, explains them, stays quiet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.bundle.contents import Bundle, open_bundle
from edge_agent.bundle.passport import find
from edge_agent.config.languages import english
from edge_agent.demo.equipment import INSTRUMENTS, ROLES
from edge_agent.explain import explain
from edge_agent.scoring import OnnxScorer
from edge_agent.wording import sentence
from models.pump_detector import fit, judge, to_onnx
from models.pump_hall import SPECS, Day, rows
from models.pump_trials import Trial, false_alarms, run

REGISTRY = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The bundle that comes with the agent."""
    return open_bundle(find(REGISTRY, "pump-anomaly"))


@pytest.fixture(scope="module")
def scorer(bundle: Bundle) -> OnnxScorer:
    """Its scorer."""
    return OnnxScorer(bundle)


def test_the_passport_fits_the_hall_and_the_training(bundle: Bundle) -> None:
    """Tags, units and features are those of the demo and of the training script."""
    passport = bundle.passport

    assert passport.specs() == SPECS
    assert {r: (t.unit, t.range) for r, t in passport.tags.items()} == {
        role: (i.unit, (i.low, i.high)) for role, i in INSTRUMENTS.items()
    }
    assert passport.false_alarms is not None
    kept = passport.false_alarms
    assert kept.seen_per_week <= kept.budget_per_week
    assert kept.asset_hours >= 24 * 24


def test_scores_have_the_same_bits_in_any_batch(scorer: OnnxScorer) -> None:
    """The graph needs no row-by-row fallback for an exact replay."""
    assert scorer.exact
    assert scorer.rows_per_call is None


@pytest.mark.parametrize(
    ("trial", "within", "top"),
    [
        (Trial("cavitation", 1.0, 4), 20, {"vibration_rms", "suction_pressure"}),
        (Trial("bearing_wear", 1.0, 11), 25, {"vibration_rms"}),
        (Trial("blocked_discharge", 1.0, 6), 60, {"flow", "discharge_pressure"}),
        *((Trial("stuck_sensor", 1.0, 17, role), 20, {role}) for role in ROLES),
    ],
    ids=lambda value: value.name if isinstance(value, Trial) else "",
)
def test_a_fault_is_found_in_time_and_named(
    bundle: Bundle, scorer: OnnxScorer, trial: Trial, within: float, top: set[str]
) -> None:
    """The alarm comes within some seconds, and its first tag is the right one."""
    limit = bundle.passport.thresholds[0].value

    outcome, mine = run(trial, 900, lambda r: scorer.score(r.values).score, limit)

    assert outcome.seconds is not None
    assert outcome.seconds <= within
    values = mine.values[outcome.row : outcome.row + 1]
    verdict, usual = scorer.score(values), bundle.usual(ROLES, {})
    why = explain(values, verdict.contributions, usual)
    assert ROLES[why.role[0, 0]] in top
    text = sentence(float(verdict.score[0]), limit, why, 0, values, usual, english())
    assert text.startswith("Score ")
    assert ("unusually still" in text) == (trial.kind == "stuck_sensor")


def test_a_healthy_hall_stays_quiet(bundle: Bundle, scorer: OnnxScorer) -> None:
    """Half an hour of another hall raises no alarm."""
    found = rows(Day(901, 0.5, 9.0))

    score = scorer.score(found.values).score

    limit = bundle.passport.thresholds[0].value
    assert false_alarms(found, score, limit, 0.5) == 0
    assert score.mean() == pytest.approx(1.0, abs=0.2)


def test_training_again_gives_the_same_graph() -> None:
    """The same days give the same bytes, and the graph computes what numpy does."""
    days = rows(Day(902, 0.1)).values

    one, other = (to_onnx(fit(days)) for _ in range(2))

    assert one == other
    score, contributions = judge(fit(days), days)
    np.testing.assert_allclose(contributions.sum(axis=1), score)
    assert score.mean() == pytest.approx(1.0, abs=0.1)
