"""Device time to agent time: which stamp a sample carries into its window.

Device clocks are hours wrong, jump, and now and then give one absurd stamp. What is
done depends on the source's policy (`config.schema.TimePolicy`):

``source``, ``server``
    The delay of a sample is its agent time of arrival less its stamp. Within
    `TOLERANCE` a stamp is left as it is, to the bit. A constant error is taken off
    once it has shown itself: the freshest samples of at least `PERSISTENCE` all had
    the same delay, give or take the tolerance, and none was in order. (One sample
    proves nothing: an old stamp may be an old value.) A stamp still more than
    `AHEAD` in the future of its arrival, or before the year 2000, is replaced by the
    time of arrival and the sample marked UNCERTAIN. (The year says nothing where the
    gateway itself started without a date: then its devices are the ones moved.)
``receive``
    The time of arrival; samples of one tag that arrived together are put one
    nanosecond apart, in order.
``recorded``
    The stamps of a recording, played at any speed: arrival proves nothing. A stamp
    more than `GAP` ahead of all before is set aside until `CONFIRMATIONS` other
    stamps beyond it confirm it; it is dropped when one comes back from before it.

An OPC UA server has one clock. Behind one broker are many devices: there each asset
has its own, so that what is learned from one is taken off no other. And no error
that is taken off moves a stamp past its arrival by more than the tolerance: one that
was in order as it came stays as it came.

So one wrong future stamp reaches no window, under any policy.
"""

from __future__ import annotations

from edge_agent.stamps.guard import AHEAD, PERSISTENCE, TOLERANCE, ClockStep
from edge_agent.stamps.recording import CONFIRMATIONS, GAP
from edge_agent.stamps.settling import StampCounts, Stamps

__all__ = [
    "AHEAD",
    "CONFIRMATIONS",
    "GAP",
    "PERSISTENCE",
    "TOLERANCE",
    "ClockStep",
    "StampCounts",
    "Stamps",
]
