from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.samples import NANOSECONDS
from edge_agent.sinks.bucket import Bucket
from edge_agent.sinks.pace import LIVE_FOR, Pace
from edge_agent.sinks.suspicion import Suspicion
from edge_agent.sinks.underway import TRIES, Part

SECOND = NANOSECONDS


def _alone(pace: Pace, seconds: float, now: int = 0) -> None:
    """Live records go alone until the comparison is over."""
    while not pace.allowed(now):
        pace.live(now)
        pace.acknowledged(seconds, now, alone=True)


def _beside(pace: Pace, seconds: float, times: int) -> None:
    for _ in range(times):
        pace.acknowledged(seconds, 0, alone=False)


def test_nothing_live_leaves_the_link_to_the_backlog() -> None:
    """Old records have nearly the whole window where no live one was seen of late."""
    pace = Pace(0.5)
    pace.begin(20)
    assert pace.allowed(0) == 18
    pace.live(0)
    _alone(pace, 0.01)
    assert pace.allowed(1) < 10
    assert pace.allowed(LIVE_FOR) == 18


def test_backlog_grows_to_its_share_while_live_ones_are_quick() -> None:
    """It stops at the share, whatever the latency would allow."""
    pace = Pace(0.5)
    pace.begin(40)
    pace.live(0)
    _alone(pace, 0.01)
    assert pace.allowed(1) == 1
    _beside(pace, 0.011, 200)
    assert pace.allowed(1) == 20


def test_a_little_late_costs_the_backlog_a_little() -> None:
    """What may be under way shrinks by as much as live ones are too slow."""
    pace = Pace(1.0)
    pace.begin(64)
    pace.live(0)
    _alone(pace, 0.01)
    _beside(pace, 0.01, 200)
    _beside(pace, 0.016, 5)
    assert 56 <= pace.allowed(1) < 64


def test_backlog_backs_off_when_live_ones_get_slow() -> None:
    """Half as many for every judgement that is far too slow, but never none."""
    pace = Pace(1.0)
    pace.begin(64)
    pace.live(0)
    _alone(pace, 0.01)
    _beside(pace, 0.01, 200)
    assert pace.allowed(1) == 64
    _beside(pace, 0.03, 10)
    assert pace.allowed(1) <= 32
    _beside(pace, 0.03, 20)
    assert pace.allowed(SECOND) == 1
    _beside(pace, 0.03, 200)
    assert pace.allowed(SECOND // 2) == 0
    assert pace.wait(SECOND // 2) <= 0.5
    assert pace.allowed(SECOND) == 1


def test_live_ones_go_alone_again_now_and_then() -> None:
    """The comparison is renewed, and given up where no live record comes."""
    pace = Pace(0.5)
    pace.begin(20)
    pace.live(0)
    _alone(pace, 0.01)
    later = 60 * SECOND
    pace.live(later)
    assert pace.allowed(later) == 0
    assert pace.wait(later) > 0
    assert pace.allowed(later + 2 * SECOND) >= 1


@given(rate=st.floats(1, 5_000), seconds=st.floats(1, 20))
def test_a_rate_is_never_exceeded(rate: float, seconds: float) -> None:
    """However often it is asked, no more goes than the rate and one burst."""
    bucket, sent, now = Bucket(rate), 0, 0
    while now < seconds * SECOND:
        room = bucket.room(now)
        bucket.spend(room)
        sent += room
        now += 20_000_000
    assert sent <= rate * seconds + max(rate * 0.1, 1) + 2


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10, unique=True), st.data())
def test_what_makes_a_peer_hang_up_is_found(
    sent: list[int], data: st.DataObject
) -> None:
    """One poison among others is named after three hang-ups, and nothing else is."""
    poison = Part(data.draw(st.sampled_from(sent)), 0)
    suspicion = Suspicion()
    assert suspicion.hung_up([Part(id_, 0) for id_ in sent]) is None
    for _ in range(TRIES - 2):
        for id_ in sent:
            if Part(id_, 0) == poison:
                assert suspicion.hung_up([poison]) is None
            else:
                suspicion.clear(Part(id_, 0))
    assert suspicion.hung_up([poison]) == poison
    assert suspicion.is_poison(poison)
    assert not suspicion


def test_what_arrives_is_suspected_no_more() -> None:
    """A peer that hangs up for its own reasons puts no blame on what it then takes."""
    suspicion, one = Suspicion(), Part(1, 0)
    for _ in range(10):
        assert suspicion.hung_up([one, Part(2, 0)]) is None
        suspicion.clear(one)
        suspicion.clear(Part(2, 0))
    assert not suspicion
