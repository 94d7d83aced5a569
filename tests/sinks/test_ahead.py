from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.languages import english
from edge_agent.sinks.ahead import frames_of
from edge_agent.sinks.flat import FlatProfile
from edge_agent.sinks.topics import Place
from edge_agent.sinks.underway import Consignment
from edge_agent.store.outbox import Stored
from tests.store import made

if TYPE_CHECKING:
    from edge_agent.sinks.sink import Frame

PLACE = Place.of("edge", ["acme"], "gw-07")


@given(st.lists(st.integers(1, 150), min_size=1, max_size=8), st.booleans())
def test_pieces_are_what_the_whole_record_is(pieces: list[int], old: bool) -> None:
    """However a record is cut, each row is sent as if all went at once."""
    profile = FlatProfile(PLACE, {"pump-anomaly": 10.0}, english())
    stored = Stored(1 << 44, made.scores(sum(pieces), 10**18), 0)
    one = Consignment(stored, old, sum(pieces))
    sent: list[Frame] = []
    for parts in pieces:
        sent += frames_of(profile, one, parts)
        one.next += parts
    assert sent == profile.frames(stored, 0, sum(pieces), old=old)
    assert not one.ahead[1]


def test_an_alarm_is_written_when_it_is_sent() -> None:
    """Its retained state is left out when a newer one went in the meantime."""
    profile = FlatProfile(PLACE, {"pump-anomaly": 10.0}, english())
    older, newer = (Stored((1 << 44) + n, made.alarm(n), 0) for n in range(2))
    one = Consignment(older, old=False, parts=2)
    assert len(frames_of(profile, one, 1)) == 1
    one.next = 1
    profile.frames(newer, 0, 2, old=False)
    assert not frames_of(profile, one, 1)
