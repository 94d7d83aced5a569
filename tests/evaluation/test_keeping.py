"""What an evaluation says, as the report reads it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.evaluation import keeping
from edge_agent.report import bodies
from tests.labels import made

if TYPE_CHECKING:
    from edge_agent.records import SnapshotRecord

COUNTED = {"name": "recall", "value": 0.5, "estimated": False}
GUESSED = {"name": "recall", "value": 0.9, "estimated": True}
UNKNOWN = {"name": "recall", "value": None, "estimated": False}


def kept(*measures: dict[str, Any]) -> list[SnapshotRecord]:
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
    alarms = {
        "confirmed": 3,
        "rejected": 5,
        "unanswered": 1,
        "per_week": 2.5,
        "allowed": 2.0,
        "asset_weeks": 4.0,
        "suggestion": "raise it",
        "threshold": 3.0,
        "suggested": 3.5,
    }
    lot = {"name": "A7", "rate": 0.1, "low": 0.0, "high": 0.2, "count": 50}
    fair = [
        {"by": "lot", "rate": "error rate", "groups": [lot], "finding": "A7 errs"},
        {"by": "id", "rate": "", "groups": [], "finding": "too many groups"},
    ]
    look = {"accuracy": [entry], "alarms": alarms, "fairness": fair}
    return list(keeping.records(look, made.pipeline(), 5, applied=True))


def read(record: SnapshotRecord, kind: type[bodies.Body]) -> bodies.Body:
    """As a report reads it."""
    return msgspec.json.decode(msgspec.json.encode(record.body), type=kind)


def test_the_report_reads_what_is_kept() -> None:
    """Every record has its name, its subject and all that is shown of it."""
    accuracy, alarms, lot, refused = kept(COUNTED)

    assert (accuracy.name, accuracy.subject) == ("accuracy", "2.0.0")
    said = read(accuracy, bodies.Accuracy)
    assert (said.metric, said.level, said.labels) == ("recall", 0.8, 9)
    assert said.confusion == (1, 2, 3, 4)
    people = read(alarms, bodies.Alarms)
    assert (people.confirmed, people.rejected, people.unanswered) == (3, 5, 1)
    assert (people.budget, people.over, people.applied) == (2.0, True, True)
    fair = read(lot, bodies.Fairness)
    assert (lot.subject, fair.finding) == ("lot: error rate", "A7 errs")
    assert [(one.name, one.value) for one in fair.groups] == [("A7", 0.1)]
    told = read(refused, bodies.Fairness)
    assert (refused.subject, told.refused, told.finding) == (
        "id",
        "too many groups",
        "",
    )


def test_an_estimate_takes_no_place_of_what_was_counted() -> None:
    """In whatever order they come; where nothing was counted it is marked."""
    for measures in ((COUNTED, GUESSED), (GUESSED, COUNTED)):
        figure = read(kept(*measures)[0], bodies.Accuracy).measures["recall"]
        assert (figure.value, figure.basis) == (0.5, "counted")
    for others in ([UNKNOWN], []):
        figure = read(kept(*others, GUESSED)[0], bodies.Accuracy).measures["recall"]
        assert (figure.value, figure.basis) == (0.9, "estimated")
