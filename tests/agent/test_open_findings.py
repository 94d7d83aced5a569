"""Which findings are open, as the status and the counters have it."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.instruments import FINDINGS, FINDINGS_OPEN, Instruments
from edge_agent.records import FindingState
from edge_agent.status.findings import OpenFindings
from tests.store import made


def test_findings_are_open_from_one_record_to_the_other() -> None:
    """Counted when they open; how many are open is a gauge."""
    instruments = Instruments()
    findings = OpenFindings(instruments)
    opened = made.finding(1, id="a")
    findings.see([opened, made.event(at=1)])

    assert findings.now() == [opened]
    named = {"pipeline": opened.pipeline}
    assert instruments.counter(FINDINGS, **named, what=opened.what) == 1
    assert (
        instruments.snapshot()[f'{FINDINGS_OPEN}{{pipeline="{opened.pipeline}"}}'] == 1
    )
    findings.see([replace(opened, state=FindingState.CLOSED)])
    assert findings.now() == []
    assert (
        instruments.snapshot()[f'{FINDINGS_OPEN}{{pipeline="{opened.pipeline}"}}'] == 0
    )


def test_what_nobody_watches_after_a_restart_is_closed() -> None:
    """The others stay as they are, and are not counted again."""
    instruments = Instruments()
    findings = OpenFindings(instruments)
    kept, gone = made.finding(1, id="kept"), made.finding(1, id="gone")
    findings.recall([kept, gone])

    (closed,) = findings.unwatched({"kept"}, 5)

    assert (closed.id, closed.state, closed.at) == ("gone", FindingState.CLOSED, 5)
    assert instruments.counter(FINDINGS) == 0
