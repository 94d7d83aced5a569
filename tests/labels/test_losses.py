"""Labels and predictions that come to nothing are in the ledger."""

from __future__ import annotations

from edge_agent.clock import ManualClock
from edge_agent.instruments import Instruments
from edge_agent.labels.accounts import Accounts
from edge_agent.labels.columns import State
from edge_agent.labels.intake import LABELS, Intake
from edge_agent.labels.telling import Label
from tests.losing import taken


def test_labels_without_a_prediction_are_lost_and_old_predictions_are_not() -> None:
    """That nobody labels a row in its time is no loss; want of room is one."""
    instruments = Instruments()
    lost = taken(instruments)
    accounts = Accounts("pumps", instruments)
    accounts.late(3)
    accounts.unknown(2)
    accounts.dropped(9, "horizon")
    accounts.dropped(4, "memory")
    accounts.torn(100)
    accounts.unknown(0)

    assert {one.subject for one in lost} == {"pumps"}
    assert [(one.what, one.count) for one in lost] == [
        *(("labels", 3), ("labels", 2), ("predictions", 4), ("predictions", 0))
    ]


def test_labels_that_find_no_room_are_lost_unless_they_are_told_again() -> None:
    """A file is read again later; a message is not."""
    instruments = Instruments()
    lost = taken(instruments)
    intake = Intake(["pumps"], ManualClock(), instruments)
    many = [Label("", 0, 0, 0, State.BAD, 1.0, "")] * (LABELS + 1)

    assert not intake.labelled("pumps", many, lambda _: None)
    assert lost == []
    assert not intake.labelled("pumps", many)
    intake.refused("pumps", "verdict")
    assert [(one.what, one.count) for one in lost] == [
        *(("labels", LABELS + 1), ("verdicts", 1))
    ]
