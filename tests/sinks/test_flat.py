from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.config.languages import english
from edge_agent.records import (
    AlarmRecord,
    AlarmState,
    DriftRecord,
    FindingRecord,
    LossRecord,
    NoScore,
    ScoreRecord,
)
from edge_agent.samples import Quality
from edge_agent.sinks import jsontext
from edge_agent.sinks.flat import AgentState, FlatProfile
from edge_agent.sinks.topics import Place, clean
from edge_agent.store.outbox import SEQ_BITS, Stored
from tests.sinks.schema import leaf_of, validate
from tests.store import drawn, made

if TYPE_CHECKING:
    from edge_agent.records import Record
    from edge_agent.sinks.sink import Frame

PLACE = Place.of("edge", ["acme", "hamburg", None, "line3", None], "gw-07")
NOW = 1_790_000_000_123_456_789
_PER_LEAF: dict[str, list[tuple[str, str]]] = {}


def _profile() -> FlatProfile:
    return FlatProfile(PLACE, {"pump-anomaly": 10.0}, english())


def _stored(record: Record, boot: int = 1, seq: int = 0) -> Stored:
    return Stored(boot << SEQ_BITS | seq, record)


def _sent(record: Record, *, old: bool = False) -> list[Frame]:
    profile, stored = _profile(), _stored(record)
    return profile.frames(stored, 0, profile.parts(stored), old=old)


def _check(frame: Frame) -> dict[str, Any]:
    """A message is valid JSON of its topic's schema, with the keys in order."""
    topic, payload, qos, _ = frame
    leaf = leaf_of(topic.decode())

    def constant(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    value: dict[str, Any] = json.loads(payload, parse_constant=constant)
    validate(topic.decode(), value)
    shape = [(key, type(one).__name__) for key, one in value.items()]
    assert _PER_LEAF.setdefault(leaf, shape) == shape, "keys and types never change"
    assert qos == 1
    return value


@settings(max_examples=100, deadline=None)
@given(drawn.records, st.booleans())
def test_every_record_gives_valid_messages(record: Record, old: bool) -> None:
    """Whatever happens, SCADA gets the documented keys with the documented types."""
    record = _in_our_time(record)
    for frame in _sent(record, old=old):
        value = _check(frame)
        assert value["hist"] is old
        for level in frame[0].decode().split("/"):
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", level)


def _in_our_time(record: Record) -> Record:
    """Times between 1970 and 2100: the rest is no clock's."""
    far = 4_000_000_000 * 10**9
    if isinstance(record, ScoreRecord):
        return replace(record, at=np.abs(record.at) % far)
    if isinstance(record, DriftRecord):
        return replace(record, until=abs(record.until) % far)
    record = replace(record, at=abs(record.at) % far)
    if isinstance(record, (AlarmRecord, FindingRecord)):
        return replace(record, since=abs(record.since) % far)
    if isinstance(record, LossRecord):
        first, last = abs(record.first) % far, abs(record.last) % far
        return replace(record, first=first, last=last)
    return record


@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_floats_always_print_a_point(values: list[float]) -> None:
    """A float prints with a decimal point and reads back exactly, or as absent."""
    for value, text in zip(values, jsontext.floats(np.array(values)), strict=True):
        assert b"." in text
        expected = value if math.isfinite(value) else jsontext.ABSENT
        assert json.loads(text) == expected


def test_a_calm_score_as_scada_sees_it() -> None:
    """The exact bytes of one state message: a change here breaks every consumer."""
    record = made.scores(3, at=NOW)
    topic, payload, _, retain = _sent(record)[1]

    assert topic == b"edge/acme/hamburg/line3/P-102/ml/pump-anomaly/state"
    assert retain
    assert payload == (
        b'{"ts":"2026-09-21T14:13:20.123Z","ts_ms":1790000000123,"score":0.5,'
        b'"score_valid":true,"threshold":2.5,"severity":0,"alarm":"NORMAL",'
        b'"quality":"GOOD","quality_code":192,"completeness":1.0,"age":0.25,'
        b'"reason":"","no_score":"",'
        b'"top1_tag":"","top1_value":0.0,"top1_usual":"","top1_share":0.0,'
        b'"top2_tag":"","top2_value":0.0,"top2_usual":"","top2_share":0.0,'
        b'"top3_tag":"","top3_value":0.0,"top3_usual":"","top3_share":0.0,'
        b'"part":"","label":"","model":"pump-anomaly","model_version":"3",'
        b'"model_sha8":"0123abcd","fallback":"model","inputs_good":2,'
        b'"inputs_total":2,"boot":1,"seq":1,"hist":false}'
    )


def test_explained_row_names_value_and_usual_range() -> None:
    """A contributor comes with its value in the tag's unit and where it usually is."""
    record = made.scores(1, at=NOW)
    record.top_role[0, 0] = 1
    record.top_value[0, 0] = np.float32(9.1)
    record.top_low[0, 0], record.top_high[0, 0] = 1.2, 3.4
    record.top_share[0, 0] = 0.83333333

    value = _check(_sent(record)[0])

    assert [value[f"top1_{x}"] for x in ("tag", "value", "usual", "share")] == [
        "vibration_rms",
        9.1,
        "1.2 to 3.4 mm/s",
        0.8333,
    ]


@pytest.mark.parametrize("code", list(NoScore)[1:])
def test_no_score_never_looks_like_one(code: NoScore) -> None:
    """Without a score the number is -1.0, the quality bad, and the reason there."""
    record = made.scores(1, at=NOW)
    record.no_score[0] = code

    value = _check(_sent(record)[0])

    assert (value["score"], value["score_valid"], value["quality"]) == (
        -1.0,
        False,
        "BAD",
    )
    assert value["no_score"]


def test_old_scores_do_not_touch_the_live_topic() -> None:
    """What comes late is on its own topic, not retained, and marked."""
    for topic, payload, _, retain in _sent(made.scores(3, at=NOW), old=True):
        assert topic.endswith(b"/history")
        assert not retain
        assert b'"hist":true' in payload


def test_parts_of_a_record_are_its_whole() -> None:
    """Cut anywhere, a record gives the same messages, each row with its own seq."""
    profile, stored = _profile(), _stored(made.scores(7, at=NOW), seq=5)
    whole = profile.frames(stored, 0, 7, old=False)
    cut = [
        frame
        for start, stop in ((0, 2), (2, 3), (3, 7))
        for frame in profile.frames(stored, start, stop, old=False)
    ]

    assert cut == whole
    assert [_check(frame)["seq"] for frame in whole] == list(range(5, 12))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("quality", Quality.UNCERTAIN),
        ("alarm", AlarmState.ACTIVE),
        ("severity", 700),
        ("completeness", 0.9),
        ("inputs_good", 1),
        ("no_score", NoScore.INPUT_BAD),
        ("threshold", 2.25),
        ("fallback", 1),
        ("score", math.nan),
        ("reason", "tag 3 far above usual"),
    ],
)
def test_one_row_that_is_not_calm_is_told_among_calm_ones(
    column: str, value: object
) -> None:
    """Rows all well are written by another way; no row's message depends on it."""
    calm = replace(made.scores(8, at=NOW), reason=("normal",) * 8)
    changed = list(getattr(calm, column))
    changed[5] = value
    kept = getattr(calm, column)
    new: Any = (
        tuple(changed) if isinstance(kept, tuple) else np.array(changed, kept.dtype)
    )
    odd = replace(calm, **{column: new})
    whole, told = _sent(calm), _sent(odd)
    profile, stored = _profile(), _stored(odd)
    alone = [
        frame
        for row in range(8)
        for frame in profile.frames(stored, row, row + 1, old=False)
    ]

    assert told == alone
    assert [row for row in range(8) if told[row] != whole[row]] == [5]
    assert all(map(_check, told))


def test_alarm_is_an_event_and_a_state() -> None:
    """A transition is told once with an id that never repeats, and kept."""
    event, state = _sent(made.alarm(NOW))

    assert _check(event)["event"] == "alarm active"
    assert (event[0][-7:], event[3]) == (b"/events", False)
    assert _check(state)["state"] == "ACTIVE"
    assert (state[0][-6:], state[3]) == (b"/alarm", True)
    assert _check(event)["id"] == _check(state)["id"] == "gw-07-1-0"


def test_older_alarm_never_overwrites_a_newer() -> None:
    """A transition that arrives late is an event only: the retained one is newer."""
    profile = _profile()
    newer = _stored(made.alarm(NOW, state=AlarmState.NORMAL), seq=9)
    older = _stored(made.alarm(NOW - 10), seq=3)

    assert len(profile.frames(newer, 0, 2, old=False)) == 2
    (late,) = profile.frames(older, 0, 2, old=True)
    assert late[0].endswith(b"/events")
    assert len(profile.frames(newer, 0, 2, old=False)) == 2, "itself may be repeated"


def test_farewell_leaves_no_value_that_looks_well() -> None:
    """Once the agent has stopped every state is bad and says so, same keys as ever."""
    for frame in _profile().farewell(_stored(made.scores(3, at=NOW)), NOW + 10**9):
        value = _check(frame)
        assert frame[3]
        assert (value["quality"], value["score_valid"]) == ("BAD", False)
        assert (value["no_score"], value["reason"]) == (
            "agent stopped",
            "agent stopped",
        )


def test_loss_says_what_when_and_why() -> None:
    """What did we lose on Tuesday has an answer a person can read."""
    (frame,) = _sent(made.loss())
    value = _check(frame)

    assert value["event"] == "records lost"
    assert "5 samples of plc1 lost" in value["message"]
    assert json.loads(value["details"])["count"] == 5


def test_status_has_constant_keys_online_and_as_a_will() -> None:
    """Online, stopped and lost are the same document."""
    for state, reason in (("online", ""), ("offline", "stopped"), ("offline", "lost")):
        agent = AgentState(state, reason, NOW, 0, NOW, 1, "0.1.0", 5)
        frame = _profile().status(agent)
        assert _check(frame)["state"] == state
        assert frame[3]
        assert frame[0] == b"edge/acme/hamburg/line3/gw-07/agent/status"


def test_state_outlives_three_reports_of_its_pipeline() -> None:
    """A dead agent's value vanishes; a calm one's does not; alarms stay."""
    profile = _profile()

    assert profile.expiry(_stored(made.scores()), old=False) == 30
    assert profile.expiry(_stored(made.alarm()), old=False) is None


@given(st.text(max_size=100))
def test_levels_are_clean(level: str) -> None:
    """Whatever a thing is called, its topic level is one that SCADA takes."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", clean(level))


names = st.sampled_from(
    [
        *("a", "ml", "state", "agent", "gw-07", "events", "P-1"),
        *("sensors", "diagnostic", "diagnostics", "_"),
    ]
)


@given(st.lists(names, min_size=1, max_size=3), st.lists(names, min_size=1, max_size=3))
def test_no_topic_is_also_a_folder(assets: list[str], pipelines: list[str]) -> None:
    """A value's topic is never the beginning of another's."""
    topics = set()
    profile = _profile()
    for pipeline in pipelines:
        info = replace(made.PUMPS, pipeline=pipeline, assets=tuple(assets))
        record = made.scores(len(assets), info=info)
        stored = _stored(record)
        for old in (True, False):
            topics |= {f[0] for f in profile.frames(stored, 0, len(assets), old=old)}
        alarm = _stored(replace(made.alarm(), info=info))
        topics |= {f[0] for f in profile.frames(alarm, 0, 2, old=False)}
    for pipeline in ("", *pipelines):
        for asset in ("", *assets):
            found = _stored(made.finding(NOW, pipeline=pipeline, asset=asset))
            topics |= {f[0] for f in profile.frames(found, 0, 2, old=False)}
    topics.add(profile.status(AgentState("online", "", 0, 0, 0, 1, "x"))[0])
    topics.add(profile.frames(_stored(made.event()), 0, 1, old=False)[0][0])

    for one in topics:
        assert not any(other.startswith(one + b"/") for other in topics)


def test_dates_carry_the_offset_of_their_record() -> None:
    """A record's dates are those of the wall clock when it was made."""
    record, hour = made.scores(1, at=NOW), 3600 * 10**9
    stored = Stored(1 << SEQ_BITS, record, hour)
    (frame,) = _profile().frames(stored, 0, 1, old=False)

    assert _check(frame)["ts"] == "2026-09-21T15:13:20.123Z"
    assert _check(frame)["ts_ms"] == (NOW + hour) // 10**6


def test_quality_codes_are_those_of_opc_ua() -> None:
    """192, 64 and 0: what SCADA systems take for good, uncertain and bad."""
    record = made.scores(3, at=NOW)
    record.quality[:] = [Quality.GOOD, Quality.UNCERTAIN, Quality.BAD]

    codes = [_check(frame)["quality_code"] for frame in _sent(record)]

    assert codes == [192, 64, 0]
