"""What the status says of what monitoring found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.cli.status import _page, figure
from edge_agent.status.monitoring import said_of
from edge_agent.status.report import report
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Mapping


def status(monitoring: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """The document of an agent whose links are up."""
    pipeline = {
        "state": "scoring",
        "model": "pump-anomaly@3",
        "sha8": "0123abcd",
        "assets": 3,
        "rows_scored": 9,
        "rows_without_score": 0,
        "error": "",
    }
    return report(
        identity={"version": "1"},
        sources={"plc1": {"state": "up"}},
        pipelines={"pump-anomaly": pipeline, "press": pipeline},
        outputs={"scada": {"state": "connected"}},
        archives={},
        store={"rows": 0},
        registry={},
        counters={},
        complaint="",
        monitoring=monitoring,
    )


def test_without_findings_all_is_as_ever() -> None:
    """No monitoring, or nothing found: the same keys, and all is well."""
    document = status()

    assert (document["state"], document["summary"]) == (
        "ok",
        "2 pipelines, 1 source, 1 output, 0 rows waiting",
    )
    assert document["pipelines"]["press"]["findings"] == []
    assert document["tags"] == {"findings": [], "findings_open": 0}


def test_a_finding_is_named_and_degrades_nothing() -> None:
    """Advice: the summary has it, the exit code of `status` stays 0."""
    found = made.finding(10**9, asset="", since=10**9)
    document = status(said_of([found], 0))

    assert document["state"] == "ok"
    assert document["summary"].endswith("; pump-anomaly: input drift of flow")
    (one,) = document["pipelines"]["pump-anomaly"]["findings"]
    assert (one["since"], one["cause"]) == ("1970-01-01T00:00:01Z", "process change")
    page = "\n".join(_page(document))
    assert "found: flow is 12 % above" in page
    assert "Check whether the set point was changed." in page


def test_a_breach_of_accuracy_degrades() -> None:
    """The model no longer does what it was approved for: somebody must act."""
    breach = made.finding(
        what="accuracy below requirement",
        sentence="f1 is 0.61, required is 0.80",
    )
    document = status(said_of([breach], 0))

    assert document["state"] == "degraded"
    assert document["summary"] == "pump-anomaly: f1 is 0.61, required is 0.80"


def test_many_findings_make_no_endless_line() -> None:
    """The worst are named, the rest is a number; the document is bounded too."""
    found = [
        made.finding(id=str(n), asset=f"P-{n}", strength=float(n)) for n in range(50)
    ]
    found.append(made.finding(id="tag", pipeline="", tag="flow", strength=60.0))
    document = status(said_of(found, 0))

    assert document["summary"].split("; ")[1:] == [
        "P-101: input drift of flow",
        "pump-anomaly: input drift of flow at P-49",
        "pump-anomaly: input drift of flow at P-48",
        "48 more findings",
    ]
    assert len(document["pipelines"]["pump-anomaly"]["findings"]) == 20
    assert document["pipelines"]["pump-anomaly"]["findings_open"] == 50
    assert document["tags"]["findings_open"] == 1
    assert any("30 more" in line for line in _page(document))


def test_what_the_agent_says_of_accuracy_is_passed_on() -> None:
    """Other keys of monitoring stand at their pipeline."""
    document = status({"press": {"accuracy": {"state": "met", "labels": 120}}})

    assert document["pipelines"]["press"]["accuracy"]["state"] == "met"
    assert document["pipelines"]["press"]["findings"] == []


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("holds_for_s", 130_725.129, ("holds_for", "36 h")),
        ("drain_rows_per_s", 0.2, ("drain_rows_per_s", "0.2")),
        ("limit_bytes", 2**30, ("limit_bytes", "1.0 GiB")),
        ("bytes_written_per_day", 812.4, ("bytes_written_per_day", "812 B")),
        ("since", 1_795_656_511_728_561_582, ("since", "2026-11-26 01:28 UTC")),
        ("live_ack_alone_ms", 4.253678000000001, ("live_ack_alone_ms", "4.25")),
        ("boot", 12_345, ("boot", "12345")),
        ("session_resumed", True, ("session_resumed", "True")),
        ("since", "Tuesday", ("since", "Tuesday")),
    ],
)
def test_figures_are_in_units_people_read(
    key: str, value: object, shown: tuple[str, str]
) -> None:
    """No nanoseconds, no bytes by the billion; the document itself keeps them."""
    assert figure(key, value) == shown
