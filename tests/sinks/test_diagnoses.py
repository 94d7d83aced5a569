"""What SCADA sees of findings: advice that stays visible as long as it is so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.languages import english
from edge_agent.records import FindingState
from edge_agent.sinks.flat import FlatProfile
from edge_agent.sinks.topics import Place
from edge_agent.store.outbox import SEQ_BITS, Stored
from tests.sinks.schema import validate
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.records import Record
    from edge_agent.sinks.sink import Frame

PLACE = Place.of("edge", ["acme", "hamburg", None, "line3", None], "gw-07")
PREFIX = "edge/acme/hamburg/line3"
NOW = 1_790_000_000_123_456_789
OPEN, CLOSED = FindingState.OPEN, FindingState.CLOSED


def profile(known: Iterable[Stored] = ()) -> FlatProfile:
    """Of a gateway that was started just now."""
    return FlatProfile(PLACE, {}, english(), known)


def stored(seq: int, record: Record, boot: int = 1) -> Stored:
    """A record with its number."""
    return Stored(boot << SEQ_BITS | seq, record)


def finding(seq: int, name: str, state: FindingState = OPEN, **more: Any) -> Stored:  # noqa: ANN401
    """A transition of a finding of P-101."""
    return stored(seq, made.finding(NOW + seq, state, id=name, since=NOW, **more))


def sent(of: FlatProfile, one: Stored, *, old: bool = False) -> list[Frame]:
    """A record arrives and is sent."""
    of.note(one)
    return of.frames(one, 0, of.parts(one), old=old)


def shown(frame: Frame) -> dict[str, Any]:
    """A message, valid by its schema."""
    topic, payload, qos, retained = frame
    value: dict[str, Any] = json.loads(payload)
    validate(topic.decode(), value)
    assert (qos, retained) == (1, True)
    return value


def test_a_finding_as_scada_sees_it() -> None:
    """The exact bytes of one message: a change here breaks every consumer."""
    event, (topic, payload, _, retained) = sent(profile(), finding(3, "e-1"))

    assert topic.decode() == f"{PREFIX}/P-101/ml/pump-anomaly/diagnostic"
    assert retained
    assert payload == (
        b'{"id":"gw-07-1-3","episode":"e-1","ts":"2026-09-21T14:13:20.123Z",'
        b'"ts_ms":1790000000123,"state":"OPEN","open":1,"what":"input drift",'
        b'"cause":"process change","pipeline":"pump-anomaly","asset":"P-101",'
        b'"tag":"flow","context":"recipe A","strength":2.5,'
        b'"since":"2026-09-21T14:13:20.123Z","since_ms":1790000000123,'
        b'"sentence":"flow is 12 % above its reference since Tuesday",'
        b'"action":"Check whether the set point was changed.",'
        b'"evidence":"{\\"psi\\":0.31,\\"rows\\":86400}",'
        b'"model":"pump-anomaly","model_version":"3","boot":1,"seq":3,"hist":false}'
    )
    topic, payload, _, retained = event
    value = json.loads(payload)
    validate(topic.decode(), value)
    assert topic.decode() == f"{PREFIX}/gw-07/agent/events"
    assert not retained
    assert (value["id"], value["event"], value["severity"]) == (
        "gw-07-1-3",
        "finding open",
        0,
    )
    assert value["subject"] == "pump-anomaly/P-101"
    assert "Check whether" in value["message"]
    assert json.loads(value["details"])["evidence"] == {"psi": 0.31, "rows": 86400}


@pytest.mark.parametrize(
    ("pipeline", "asset", "topic"),
    [
        ("pump-anomaly", "P-101", "P-101/ml/pump-anomaly/diagnostic"),
        ("pump-anomaly", "", "gw-07/agent/diagnostics/pump-anomaly"),
        ("", "P-101", "P-101/sensors/diagnostic"),
        ("", "", "gw-07/agent/sensors"),
    ],
)
def test_each_kind_of_finding_has_its_topic(
    pipeline: str, asset: str, topic: str
) -> None:
    """About an asset, a pipeline, a tag, all tags: never on a topic of alarms."""
    event, frame = sent(profile(), finding(1, "x", pipeline=pipeline, asset=asset))

    assert frame[0].decode() == f"{PREFIX}/{topic}"
    assert shown(frame)["open"] == 1
    assert event[0].endswith(b"/agent/events")


def test_one_that_closes_hides_none_that_is_open() -> None:
    """The worst open one is shown with their number; the last to close is over."""
    of, seen = profile(), []
    for one in (
        finding(1, "flow", strength=2.0),
        finding(2, "pressure", strength=5.0),
        finding(3, "speed", strength=1.5),
        finding(4, "pressure", CLOSED),
        finding(5, "flow", CLOSED),
        finding(6, "speed", CLOSED),
    ):
        value = shown(sent(of, one)[1])
        seen.append((value["episode"], value["state"], value["open"]))

    assert seen == [
        ("flow", "OPEN", 1),
        ("pressure", "OPEN", 2),
        ("pressure", "OPEN", 3),
        ("flow", "OPEN", 2),
        ("speed", "OPEN", 1),
        ("speed", "CLOSED", 0),
    ]


def test_another_asset_has_its_own() -> None:
    """What is open at one asset is not counted at another."""
    of = profile()
    sent(of, finding(1, "a"))
    value = shown(sent(of, finding(2, "b", asset="P-102"))[1])

    assert (value["episode"], value["open"]) == ("b", 1)


def test_a_restart_forgets_no_open_finding() -> None:
    """What was open before is known: it is told again, and not hidden by a closing."""
    known = [finding(1, "flow", strength=3.0), finding(2, "speed", strength=1.0)]
    of = profile(known)
    (again,) = of.standing()
    closing = stored(0, made.finding(NOW, CLOSED, id="flow"), boot=2)
    left = shown(sent(of, closing)[1])

    assert (shown(again)["episode"], shown(again)["open"]) == ("flow", 2)
    assert (left["episode"], left["state"], left["open"]) == ("speed", "OPEN", 1)
    assert (left["boot"], left["seq"]) == (1, 2)


def test_a_backlog_does_not_move_the_retained_message_back() -> None:
    """What could not be sent follows as events; retained is what is so now."""
    of = profile()
    opened, closed = finding(1, "flow"), finding(2, "flow", CLOSED)
    later = finding(3, "speed", strength=1.0)
    for one in (opened, closed, later):
        of.note(one)
    told = [of.frames(one, 0, 2, old=True) for one in (opened, closed, later)]

    assert [json.loads(frames[0][1])["event"] for frames in told] == [
        "finding open",
        "finding closed",
        "finding open",
    ]
    assert all(json.loads(frames[0][1])["hist"] for frames in told)
    values = [shown(frames[1]) for frames in told]
    assert [v["episode"] for v in values] == ["speed"] * 3
    assert [v["hist"] for v in values] == [False, False, True]


transitions = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["P-101", "P-102"])),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one[0],
)


@given(transitions, st.data())
def test_whatever_order_records_come_in_what_is_open_is_open(
    begun: list[tuple[int, str]], data: st.DataObject
) -> None:
    """Told, sent and sent again in any order: behind all of it the truth is shown."""
    over = data.draw(st.sets(st.sampled_from([name for name, _ in begun])))
    records = [
        finding(place, str(name), strength=1.0 + name, asset=asset)
        for place, (name, asset) in enumerate(begun)
    ]
    records += [
        finding(20 + place, str(name), CLOSED, asset=asset)
        for place, (name, asset) in enumerate(begun)
        if name in over
    ]
    of = profile()
    for one in data.draw(st.permutations(records)):
        of.note(one)
    order = data.draw(st.lists(st.sampled_from(records), max_size=20))
    retained = {frame[0]: frame for frame in of.standing()}
    for one in order:
        frame = of.frames(one, 1, 2, old=data.draw(st.booleans()))[0]
        retained[frame[0]] = frame

    for asset in {asset for _, asset in begun}:
        still = {name for name, where in begun if where == asset} - over
        value = shown(retained[f"{PREFIX}/{asset}/ml/pump-anomaly/diagnostic".encode()])
        assert value["open"] == len(still)
        assert value["state"] == ("OPEN" if still else "CLOSED")
        assert not still or value["episode"] == str(max(still))


def test_drift_and_snapshots_are_no_messages() -> None:
    """One message an hour and column would flood SCADA's tags."""
    of = profile()
    for record in (made.drift(), made.snapshot()):
        one = stored(1, record)
        assert of.parts(one) == 0
        assert of.frames(one, 0, 1, old=False) == []


def test_findings_stay_for_good() -> None:
    """No expiry: it is open until somebody looks after it."""
    of = profile()

    assert of.expiry(finding(1, "x"), old=False) is None


def test_strengths_that_are_no_numbers_hide_nothing() -> None:
    """NaN is not worst, and prints as absent."""
    of = profile()
    first = shown(sent(of, finding(1, "odd", strength=float("nan")))[1])
    value = shown(sent(of, finding(2, "flow", strength=1.0))[1])

    assert first["strength"] == -1.0
    assert (value["episode"], value["open"]) == ("flow", 2)
