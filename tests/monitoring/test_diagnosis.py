"""Sensor fault, process change or model drift: each rule, and cases over the hall."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.monitoring.conditions import Cause, Condition, What
from edge_agent.monitoring.diagnosis import diagnosed
from edge_agent.monitoring.evidence import Evidence
from edge_agent.monitoring.sensors import Move, Shift
from tests.monitoring.cases import Case
from tests.monitoring.diagnosis_bench import Bench

ASSETS = tuple(f"P-{i}" for i in range(10))
SHIFTS = (
    Shift("flow", "m3/h", 70.0, 50.0, -6.0),
    Shift("pressure", "bar", 5.0, 6.1, 4.0),
)


def seen(what: What, asset: str = "P-1", tag: str = "flow") -> Condition:
    """A condition without a cause."""
    return Condition(what, 2.0, f"{what.value} {asset} {tag}.", "", asset, tag)


def move(asset: str = "P-1", alone: str = "", *, ready: bool = True) -> Move:
    """An asset whose tags move unusually."""
    return Move(asset, 0, 90.0, 3.0, alone, 0.9, ready, SHIFTS)


def causes(evidence: Evidence) -> dict[tuple[What, str, str], Cause]:
    """Cause of each condition."""
    return {(c.what, c.asset, c.tag): c.cause for c in diagnosed(evidence)}


@pytest.mark.parametrize(
    "what", [w for w in What if w.name.startswith("SENSOR_")], ids=str
)
def test_a_sign_of_one_tag_alone_is_a_sensor_fault(what: What) -> None:
    """The other tags are to each other as always."""
    found = causes(Evidence([seen(what)], assets=10))

    assert found == {(what, "P-1", "flow"): Cause.SENSOR}


@pytest.mark.parametrize(
    "what", [What.SENSOR_STEP, What.SENSOR_NOISE, What.SENSOR_RANGE, What.SENSOR_SPIKES]
)
def test_when_several_tags_moved_it_is_told_once_as_a_process_change(
    what: What,
) -> None:
    """Cavitation shakes, too: that is not the vibration transmitter's fault."""
    found = diagnosed(Evidence([seen(what)], [move()], assets=10))

    assert [(c.what, c.asset, c.tag) for c in found] == [(What.INPUT_DRIFT, "P-1", "")]
    assert found[0].cause is Cause.PROCESS
    assert "flow from 70 to 50 m3/h, pressure from 5 to 6.1 bar" in found[0].sentence


def test_a_stuck_tag_is_a_sensor_fault_whatever_else_moves() -> None:
    """No process makes a reading stand still to the last digit."""
    found = causes(Evidence([seen(What.SENSOR_STUCK)], [move()], assets=10))

    assert found[What.SENSOR_STUCK, "P-1", "flow"] is Cause.SENSOR


@pytest.mark.parametrize(
    ("what", "cause"),
    [(What.SENSOR_STEP, Cause.PROCESS), (What.SENSOR_UNIT, Cause.SENSOR)],
)
def test_the_same_on_most_assets_is_no_chance(what: What, cause: Cause) -> None:
    """Six transmitters do not step together, but one controller rescales all."""
    conditions = [seen(what, asset) for asset in ASSETS[:6]]
    found = diagnosed(Evidence(conditions, assets=10))

    assert {c.cause for c in found} == {cause}
    assert "most of the 10 assets at once" in found[0].sentence


def test_an_asset_at_rest_has_nothing_but_its_own_faults() -> None:
    """A pump that stands still scores badly, and means nothing by it."""
    conditions = [
        seen(What.SENSOR_DROPOUT),
        seen(What.SENSOR_NOISE, tag="speed"),
        seen(What.SCORE_DRIFT, tag="score"),
    ]
    evidence = Evidence(conditions, [move()], assets=10, resting=frozenset({"P-1"}))

    assert list(causes(evidence)) == [(What.SENSOR_DROPOUT, "P-1", "flow")]


def test_an_unseen_context_is_a_process_change() -> None:
    """A new product is nobody's fault."""
    found = causes(Evidence([seen(What.UNSEEN_CONTEXT, "", "")], assets=10))

    assert set(found.values()) == {Cause.PROCESS}


@pytest.mark.parametrize(
    ("others", "cause"),
    [
        ([], Cause.SENSOR),
        ([seen(What.INPUT_DRIFT, tag="speed.mean")], Cause.PROCESS),
        ([seen(What.INPUT_DRIFT, "P-2", "flow.mean")], Cause.PROCESS),
    ],
)
def test_input_drift_of_one_tag_of_one_asset_is_its_transmitter(
    others: list[Condition], cause: Cause
) -> None:
    """Another tag of the asset, or another asset, makes it the process."""
    drift = seen(What.INPUT_DRIFT, tag="flow.mean")
    found = causes(Evidence([drift, *others], assets=10))

    assert found[What.INPUT_DRIFT, "P-1", "flow.mean"] is cause


def test_input_drift_of_a_faulty_tag_quotes_its_fault() -> None:
    """The evidence is the fault, and so is what to do."""
    fault = replace(seen(What.SENSOR_STUCK), action="Check the cable.")
    drift = seen(What.INPUT_DRIFT, tag="flow.mean")
    found = diagnosed(Evidence([fault, drift], assets=10))[-1]

    assert found.cause is Cause.SENSOR
    assert found.sentence.endswith(fault.sentence)
    assert found.action == "Check the cable."


@pytest.mark.parametrize("what", [What.SCORE_DRIFT, What.ACCURACY])
def test_an_outcome_with_inputs_as_always_is_model_drift(what: What) -> None:
    """The tags did not move: the model does not fit them any more."""
    found = diagnosed(Evidence([seen(what, "", "score")], assets=10))

    assert [c.cause for c in found] == [Cause.MODEL]
    assert "train the model again" in found[0].action


def test_an_outcome_of_all_is_not_explained_by_one_asset() -> None:
    """One sick pump of ten does not make the scores of all of them."""
    conditions = [seen(What.SCORE_DRIFT, "", "score"), seen(What.SENSOR_STUCK)]
    found = causes(Evidence(conditions, [move("P-2")], assets=10))

    assert found[What.SCORE_DRIFT, "", "score"] is Cause.MODEL


def test_an_outcome_of_all_with_all_inputs_moved_is_a_process_change() -> None:
    """All assets moved as one, or a feature of all has drifted."""
    score = seen(What.SCORE_DRIFT, "", "score")
    as_one = causes(Evidence([score], assets=10, together=SHIFTS[:1]))
    drift = seen(What.INPUT_DRIFT, "", "flow.mean")
    drifted = causes(Evidence([score, drift], assets=10))

    assert as_one[What.SCORE_DRIFT, "", "score"] is Cause.PROCESS
    assert drifted[What.SCORE_DRIFT, "", "score"] is Cause.PROCESS


def test_an_outcome_of_one_asset_is_the_asset_and_waits_for_its_tags() -> None:
    """One model serves all; and what has just begun is not told too early."""
    score = seen(What.SCORE_DRIFT, tag="score")
    alone = causes(Evidence([score], assets=10, leading={"P-1": ["flow"]}))
    begun = causes(Evidence([score], [move(ready=False)], assets=10))

    assert alone == {(What.SCORE_DRIFT, "P-1", "score"): Cause.PROCESS}
    assert begun == {(What.SCORE_DRIFT, "P-1", "score"): Cause.NONE}


@pytest.mark.parametrize(
    ("leading", "cause"),
    [
        (["flow"], Cause.SENSOR),
        (["speed"], Cause.PROCESS),
        ([], Cause.SENSOR),
    ],
)
def test_the_fault_that_leads_the_explanation_is_behind_the_score(
    leading: list[str], cause: Cause
) -> None:
    """A fault elsewhere on the asset loses against tags that moved together."""
    conditions = [seen(What.SCORE_DRIFT, tag="score"), seen(What.SENSOR_STUCK)]
    evidence = Evidence(
        conditions, [move()], assets=10, leading={"P-1": leading} if leading else {}
    )

    assert causes(evidence)[What.SCORE_DRIFT, "P-1", "score"] is cause


def test_what_is_none_of_its_business_comes_back_untouched() -> None:
    """Fairness has a cause of its own."""
    parity = seen(What.PARITY, "", "shift")

    assert diagnosed(Evidence([parity], assets=10)) == [parity]


@pytest.fixture(scope="module")
def bench() -> Bench:
    """A hall that was watched for an hour: enough for what is sudden."""
    return Bench(hours=1.03)


@pytest.mark.parametrize(
    "case",
    [
        Case("healthy", Cause.NONE, 0.0, 11, 3, looks=20),
        Case("set point", Cause.NONE, 0.08, 11, 9, looks=20),
        Case("idle", Cause.NONE, 0.0, 11, 6, looks=20),
        Case("stuck", Cause.SENSOR, 1.0, 11, 4, "motor_current", looks=10),
        Case("step", Cause.SENSOR, 0.1, 11, 17, "flow", looks=12),
        Case("unit", Cause.SENSOR, 10.0, 11, 2, "discharge_pressure", looks=12),
        Case("bearing_wear", Cause.PROCESS, 1.0, 11, 8, looks=20),
        Case("cavitation", Cause.PROCESS, 1.0, 11, 20, looks=16),
        Case("blocked_discharge", Cause.PROCESS, 1.0, 11, 13, looks=16),
        Case("labels", Cause.MODEL, 0.6, 11, -1, looks=20),
        Case("other model", Cause.MODEL, 2.0, 11, -1, looks=14),
    ],
    ids=str,
)
@pytest.mark.timeout(120)
def test_cases_of_the_hall(bench: Bench, case: Case) -> None:
    """Each kind of cause is told over the hall, and nothing of its neighbours."""
    outcome = bench.run(case)

    assert outcome.right, outcome.sentences
    assert case.pump < 0 or not outcome.strangers
