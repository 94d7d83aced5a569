"""Messages of score records, written some way ahead of what is sent.

A peer acknowledges a few messages at a time, so a record goes out in small pieces.
Most of what it costs to write rows is the same for one as for a hundred: written
piece by piece, a record of 1,000 rows cost ten times as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.sinks.flat import FlatProfile
    from edge_agent.sinks.sink import Frame
    from edge_agent.sinks.underway import Consignment

#: Rows written at once, at least: a millisecond at most.
_ROWS = 100


def frames_of(profile: FlatProfile, one: Consignment, parts: int) -> Sequence[Frame]:
    """Messages of the next parts of a record, see `FlatProfile.frames`.

    What is written for later stays with the consignment. Only of scores: what is sent
    of an alarm depends on what was sent before it.
    """
    first, stop = one.next, one.next + parts
    if not isinstance(one.stored.record, ScoreRecord):
        return profile.frames(one.stored, first, stop, old=one.old)
    begin, written = one.ahead
    if not begin <= first <= stop <= begin + len(written):
        begin, end = first, min(max(stop, first + _ROWS), one.parts)
        written = profile.frames(one.stored, begin, end, old=one.old)
        one.ahead = begin, written
    found = written[first - begin : stop - begin]
    if stop == one.parts:
        one.ahead = 0, ()
    return found
