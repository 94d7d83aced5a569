"""What an evaluation says, as the report reads it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_agent.evaluation import keeping
from edge_agent.evaluation.alarms import Budgeted
from edge_agent.evaluation.groups import Compared
from edge_agent.evaluation.look import Looked, Parities
from edge_agent.monitoring.alarm_budget import AlarmRecords, counted
from edge_agent.monitoring.contrast import Counts, Rate
from edge_agent.monitoring.fairness import compared
from edge_agent.report import bodies
from tests.labels import made

if TYPE_CHECKING:
    from edge_agent.records import SnapshotRecord

COUNTED = {"name": "recall", "value": 0.5, "estimated": False}
GUESSED = {"name": "recall", "value": 0.9, "estimated": True}
UNKNOWN = {"name": "recall", "value": None, "estimated": False}


def kept(*measures: dict[str, Any], budgeted: bool = True) -> list[SnapshotRecord]:
    """Records of one look."""
    rest = {"low": None, "high": None, "count": 9, "note": ""}
    entry = {
        "version": "2.0.0",
        "requirement": "recall at least 0.8",
        "level": 0.8,
        "state": "not yet",
        "sentence": "Not yet told.",
        "labels": 9,
        "coverage": 0.1,
        "delay": "",
        "days_of": "recall",
        "confusion": [1, 2, 3, 4],
        "measures": [rest | one for one in measures],
    }
    said = {"confirmed": 3, "rejected": 15, "unanswered": 1}
    verdict = np.array([1] * 3 + [0] * 15 + [-1], np.int8)
    at = np.arange(19) * 10**15
    alarms = AlarmRecords(np.zeros(19, np.int32), at, np.full(19, 3.0), verdict)
    counts = counted(alarms, 1.0, 2.0)
    budget = Budgeted(alarms, counts, counts, None) if budgeted else None
    size = np.array([900.0, 800.0, 4.0])
    rates = {Rate.ERRORS: Counts(np.array([20.0, 90.0, 1.0]), size, size)}
    names = ("A7", "B1", "C9")
    lots = Compared(compared("lot", names, rates), rates, names)
    look = Looked(
        {"accuracy": [entry], "alarms": said},
        [],
        None,  # type: ignore[arg-type] # labelled rows are not kept
        None,
        budget,
        Parities(found=(lots,)),
    )
    return list(keeping.records(look, made.pipeline().info, 5, applied=True))


def read(record: SnapshotRecord, kind: type[bodies.Body]) -> bodies.Body:
    """As a report reads it."""
    return msgspec.json.decode(msgspec.json.encode(record.body), type=kind)


def test_the_report_reads_what_is_kept() -> None:
    """Every record has its name, its subject and all that is shown of it."""
    accuracy, alarms, lot = kept(COUNTED)

    assert (accuracy.name, accuracy.subject) == ("accuracy", "2.0.0")
    said = read(accuracy, bodies.Accuracy)
    assert (said.metric, said.level, said.labels) == ("recall", 0.8, 9)
    assert said.confusion == (1, 2, 3, 4)
    people = read(alarms, bodies.Alarms)
    assert (people.confirmed, people.rejected, people.unanswered) == (3, 15, 1)
    assert (people.budget, people.over, people.applied) == (2.0, True, True)
    fair = read(lot, bodies.Fairness)
    assert lot.subject == f"lot: {Rate.ERRORS.value}"
    assert [one.name for one in fair.groups if one.differs] == ["A7", "B1"]
    assert (fair.pooled.count + fair.untold.count, bool(fair.finding)) == (1, True)


def test_verdicts_are_kept_without_a_budget_too() -> None:
    """What people said counts, whether or not somebody counts it against them."""
    people = read(kept(COUNTED, budgeted=False)[1], bodies.Alarms)

    assert (people.confirmed, people.rejected, people.unanswered) == (3, 15, 1)
    assert people.budget is None


def test_an_estimate_takes_no_place_of_what_was_counted() -> None:
    """In whatever order they come; where nothing was counted it is marked."""
    for measures in ((COUNTED, GUESSED), (GUESSED, COUNTED)):
        figure = read(kept(*measures)[0], bodies.Accuracy).measures["recall"]
        assert (figure.value, figure.basis) == (0.5, "counted")
    for others in ([UNKNOWN], []):
        figure = read(kept(*others, GUESSED)[0], bodies.Accuracy).measures["recall"]
        assert (figure.value, figure.basis) == (0.9, "estimated")
