"""Device clocks: wrong, stepping, absurd; and what reaches a window."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.samples import AssetType, Quality, SampleBatch, Tag, TagTable
from edge_agent.stamps import AHEAD, GAP, ClockStep, StampCounts, Stamps

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
T0 = 1_700_000_000 * SECOND
KIND = AssetType("pump", ("P1", "P2"), (Tag("a"), Tag("id", text=True)), 0)
TABLE = TagTable((KIND,), ("plc", "cell"), np.array([0, 1, 0, 1], np.int16))
"""Tags 0 and 2 come from plc, 1 and 3 from cell; 2 and 3 are texts."""
Sample = tuple[float, float]
"""received and stamp, seconds after T0"""


def batch(samples: Sequence[Sample], tag: int = 0) -> SampleBatch:
    """Samples of one tag, numbered by their value."""
    return SampleBatch.of(
        [tag] * len(samples),
        [T0 + round(stamp * SECOND) for _, stamp in samples],
        [float(i) for i in range(len(samples))],
        received=[T0 + round(received * SECOND) for received, _ in samples],
    )


def settled(
    policy: str, samples: Sequence[Sample], cuts: Sequence[int] = ()
) -> tuple[SampleBatch, StampCounts]:
    """All samples of one source through its policy, in one batch or several."""
    stamps = Stamps(TABLE, [policy, "source"])
    edges = [0, *sorted(min(c, len(samples)) for c in cuts), len(samples)]
    whole, found = batch(samples), [SampleBatch.of([], [], [])]
    counts = StampCounts()
    for low, high in pairwise(edges):
        out, more = stamps.settle(whole.take(slice(low, high)))
        found.append(out)
        counts += more
    return (
        SampleBatch.of(
            np.concatenate([b.tag for b in found]),
            np.concatenate([b.time for b in found]),
            np.concatenate([b.value for b in found]),
            np.concatenate([b.quality for b in found]),
            np.concatenate([b.received for b in found]),
        ),
        counts,
    )


def seconds(samples: SampleBatch) -> list[float]:
    """Stamps after T0."""
    return [(t - T0) / SECOND for t in samples.time.tolist()]


def test_stamps_within_tolerance_are_left_as_they_are() -> None:
    """A clock less than two seconds off is not touched, to the bit."""
    given_batch = batch([(1, 0.123456789), (2, 3.9), (3, 1.1)])
    out, counts = Stamps(TABLE, ["source", "source"]).settle(given_batch)

    assert out is given_batch
    assert counts == StampCounts()


@pytest.mark.parametrize("error", [-3 * 3600.0, -30.0, 2 * 3600.0, 6.0])
def test_a_constant_error_is_taken_off(error: float) -> None:
    """A PLC hours wrong is put right within some ten seconds, and said so once."""
    samples = [(float(k), k + error - 0.05) for k in range(30)]
    out, counts = settled("source", samples)

    assert len(counts.steps) == 1
    step = counts.steps[0]
    assert (step.source, step.old) == (0, 0)
    assert step.new == pytest.approx((0.05 - error) * SECOND, abs=1000)
    after = seconds(out)[11:]
    assert after == pytest.approx([float(k) for k in range(11, 30)], abs=1e-6)
    assert (out.quality[11:] == Quality.GOOD).all()


def test_a_clock_put_right_is_noticed() -> None:
    """When a wrong clock is corrected the old error is no longer taken off."""
    wrong = [(float(k), k - 3600.0) for k in range(20)]
    right = [(float(k), float(k)) for k in range(20, 40)]
    out, counts = settled("source", wrong + right)

    assert [(s.old // SECOND, s.new // SECOND) for s in counts.steps] == [
        (0, 3600),
        (3600, 0),
    ]
    assert seconds(out)[-5:] == [35.0, 36.0, 37.0, 38.0, 39.0]
    assert (out.time <= out.received + AHEAD).all()


def test_a_clock_set_wrong_twice_is_still_noticed() -> None:
    """A second error that comes before the first was certain is taken off too."""
    once = [(float(k), k - 3600.0) for k in range(5)]
    twice = [(float(k), k - 7200.0) for k in range(5, 60)]
    out, counts = settled("source", once + twice)

    assert [s.new // SECOND for s in counts.steps] == [7200]
    assert seconds(out)[-3:] == [57.0, 58.0, 59.0]


def test_old_values_are_no_wrong_clock() -> None:
    """Values unchanged for hours, reported at connect, say nothing about the clock."""
    first = [(0.0, -3600.0 * k) for k in range(1, 9)]
    rare = [(float(k), -7200.0 + k * 100) for k in range(1, 30)]
    out, counts = settled("source", first + rare)

    assert counts.steps == ()
    assert seconds(out) == [stamp for _, stamp in first + rare]


def test_a_backlog_is_no_wrong_clock() -> None:
    """A device that sends what it stored while cut off keeps its stamps."""
    backlog = [(k / 10, -3600 + k * 18.0) for k in range(200)]
    out, counts = settled("source", backlog)

    assert counts.steps == ()
    assert seconds(out) == pytest.approx([stamp for _, stamp in backlog])


def test_a_future_stamp_is_replaced_and_marked() -> None:
    """A stamp in the future becomes the time of arrival, UNCERTAIN, counted."""
    out, counts = settled("source", [(1, 1), (2, 5000), (3, 3)])

    assert seconds(out) == [1.0, 2.0, 3.0]
    assert out.quality.tolist() == [0, 1, 0]
    assert counts == StampCounts(future=1)


@pytest.mark.parametrize("ahead", [2.1, 3.0, 4.5, 4.99])
def test_a_stamp_just_beyond_the_tolerance_is_replaced(ahead: float) -> None:
    """Some seconds ahead already make all rows of an asset up to it late."""
    samples = [(k / 10, k / 10) for k in range(50)]
    samples[20] = (2.0, 2.0 + ahead)
    out, counts = settled("source", samples)

    assert seconds(out) == pytest.approx([received for received, _ in samples])
    assert np.flatnonzero(out.quality).tolist() == [20]
    assert counts == StampCounts(future=1)


def test_a_stamp_before_2000_is_replaced_and_marked() -> None:
    """A PLC that lost its clock gives no sample the year 1970."""
    out, counts = settled("server", [(1, 1), (2, -T0 / SECOND), (3, 3)])

    assert seconds(out) == [1.0, 2.0, 3.0]
    assert out.quality.tolist() == [0, 1, 0]
    assert counts == StampCounts(ancient=1)


def test_a_gateway_without_a_date_takes_its_devices_along() -> None:
    """Booted in 1970, its good devices are found constantly off, not ancient forever.

    A sample three seconds late must not be called doubtful either.
    """
    boot = -T0 / SECOND + 60
    samples = [(boot + k, float(k) - 3 * (k % 20 == 19)) for k in range(60)]
    out, counts = settled("source", samples)

    assert [s.new // SECOND for s in counts.steps] == [60 - T0 // SECOND]
    assert counts.ancient == 0
    assert (out.quality[11:] == Quality.GOOD).all()
    late = np.where(np.arange(60) % 20 == 19, -3 * SECOND, 0)
    assert (out.time - out.received)[11:].tolist() == late[11:].tolist()


def test_receive_takes_the_time_of_arrival() -> None:
    """Samples of one tag that came together stay apart and in order."""
    out, _ = settled("receive", [(1, 900), (1, 901), (2, -5)])

    assert (out.time - T0).tolist() == [SECOND, SECOND + 1, 2 * SECOND]
    assert out.quality.tolist() == [0, 0, 0]


def test_a_recording_keeps_its_stamps() -> None:
    """However fast it is played, each sample comes through with its stamp."""
    samples = [(k / 100, -1e6 + k) for k in range(50)]
    out, counts = settled("recorded", samples)

    assert seconds(out) == [stamp for _, stamp in samples]
    assert out.value.tolist() == [float(k) for k in range(50)]
    assert counts == StampCounts()


def test_a_wrong_stamp_in_a_recording_is_dropped() -> None:
    """One stamp of the future, first or later, reaches no window."""
    for place in (0, 1, 3, 20):
        samples = [(float(k), float(k)) for k in range(30)]
        samples.insert(place, (float(place), 1e7))
        out, counts = settled("recorded", samples)

        assert seconds(out) == [float(k) for k in range(30)]
        assert counts == StampCounts(set_aside=1)


def test_a_gap_in_a_recording_is_believed_once_confirmed() -> None:
    """A weekend without samples loses none of those after it."""
    samples = [(float(k), k + (200_000.0 if k >= 10 else 0)) for k in range(20)]
    out, counts = settled("recorded", samples)

    assert seconds(out) == [stamp for _, stamp in samples]
    assert counts == StampCounts()
    assert (np.diff(out.received) >= 0).all()


def test_a_recording_with_days_between_samples_loses_none() -> None:
    """Stamps beyond the gap confirm each other; the rest is released at the end."""
    stamps = Stamps(TABLE, ["recorded", "source"])
    samples = [(float(k), k * 86400.0) for k in range(10)]
    out, counts = stamps.settle(batch(samples))
    rest = stamps.release(T0 + 100 * SECOND)

    assert seconds(out) + seconds(rest) == [stamp for _, stamp in samples]
    assert counts == StampCounts()
    assert len(stamps.release(T0)) == 0


def test_texts_survive_being_set_aside() -> None:
    """A part id held back across batches still says the same."""
    stamps = Stamps(TABLE, ["recorded", "source"])
    said: list[str] = []
    for k in range(8):
        one = SampleBatch.of(
            [0, 2],
            [T0 + k * SECOND] * 2,
            [1.0, 1.0],
            received=[T0 + k * SECOND] * 2,
            texts=["other", f"part{k}"],
        )
        out, _ = stamps.settle(one)
        said += [out.texts[int(v)] for v in out.value[out.tag == 2]]

    assert said == [f"part{k}" for k in range(8)]


def test_sources_have_their_own_clocks() -> None:
    """One source's error does not move another's stamps."""
    stamps = Stamps(TABLE, ["source", "source"])
    ends = []
    for now in range(T0, T0 + 20 * SECOND, SECOND):
        out, _ = stamps.settle(
            SampleBatch.of([0, 1], [now - HOUR, now], [1.0, 1.0], received=[now] * 2)
        )
        ends.append((out.time - now).tolist())

    assert stamps.shift.tolist() == [HOUR, 0]
    assert ends[0] == [-HOUR, 0]
    assert ends[-1] == [0, 0]


def test_what_one_device_learned_moves_no_other_past_its_arrival() -> None:
    """Two devices on one source, one four seconds slow: the right one stays right."""
    stamps = Stamps(TABLE, ["source", "source"])
    for k in range(20):
        now = T0 + k * SECOND
        slow = [now - 4 * SECOND]
        stamps.settle(SampleBatch.of([0], slow, [1.0], received=[now]))
    assert stamps.shift.tolist() == [4 * SECOND, 0]

    now = T0 + 20 * SECOND
    stamp = now - SECOND // 10
    found, counts = stamps.settle(SampleBatch.of([0], [stamp], [1.0], received=[now]))

    assert found.time.tolist() == [stamp]
    assert found.quality.tolist() == [Quality.GOOD]
    assert counts == StampCounts()


def test_each_asset_behind_a_broker_has_its_own_clock() -> None:
    """One device's error is found while others report in order, and is its alone."""
    kind = AssetType("pump", ("P1", "P2"), (Tag("a"), Tag("b")), 0)
    table = TagTable((kind,), ("broker",), np.zeros(4, np.int16))
    stamps = Stamps(table, ["source"], [True])
    steps: list[ClockStep] = []
    ends: list[list[int]] = []
    for k in range(20):
        now = T0 + k * SECOND
        times = [now, now - HOUR, now, now - HOUR]
        batch_ = SampleBatch.of([0, 1, 2, 3], times, [1.0] * 4, received=[now] * 4)
        out, counts = stamps.settle(batch_)
        steps += counts.steps
        ends.append((out.time - now).tolist())

    assert [(s.source, s.asset, s.new) for s in steps] == [(0, "P2", HOUR)]
    assert ends[0] == [0, -HOUR, 0, -HOUR]
    assert ends[-1] == [0, 0, 0, 0]


def test_a_known_error_survives_a_restart() -> None:
    """What was learned of a clock holds from the first sample on; others are new."""
    kind = AssetType("pump", ("P1", "P2"), (Tag("a"), Tag("b")), 0)
    table = TagTable((kind,), ("plc", "broker"), np.array([0, 0, 1, 1], np.int16))
    first = Stamps(table, ["source", "source"], [False, True])
    for k in range(20):
        now = T0 + k * SECOND
        times = [now - HOUR, now - HOUR, now, now + 2 * HOUR]
        batch_ = SampleBatch.of([0, 1, 2, 3], times, [1.0] * 4, received=[now] * 4)
        first.settle(batch_)
    kept = first.saved()
    assert kept == {"plc": HOUR, "broker/P2": -2 * HOUR}

    again = Stamps(table, ["source", "source"], [False, True])
    again.restore({**kept, "gone": 5, "broker/P9": 5})
    now = T0 + 100 * SECOND
    times = [now - HOUR, now - HOUR, now, now + 2 * HOUR]
    batch_ = SampleBatch.of([0, 1, 2, 3], times, [1.0] * 4, received=[now] * 4)
    found, counts = again.settle(batch_)

    assert found.time.tolist() == [now] * 4
    assert (found.quality == Quality.GOOD).all()
    assert counts == StampCounts()


def test_an_unknown_policy_is_refused() -> None:
    """A policy for each source, and one that exists."""
    with pytest.raises(ValueError, match="one of"):
        Stamps(TABLE, ["source", "guess"])
    with pytest.raises(ValueError, match="one of"):
        Stamps(TABLE, ["source"])


arrivals = st.lists(
    st.tuples(
        st.integers(0, 60).map(float),
        st.one_of(
            st.integers(-3, 3).map(float),
            st.sampled_from([-7200.0, -7201.0, 7200.0, 1e7, -1e9]),
        ),
    ),
    max_size=60,
).map(lambda s: [(r, r + d) for r, d in sorted(s)])


@settings(max_examples=150, deadline=None)
@given(arrivals, st.lists(st.integers(0, 60), max_size=5), st.data())
def test_turns_leave_no_trace_in_stamps(
    samples: list[Sample], cuts: list[int], data: st.DataObject
) -> None:
    """However turns cut a stream between its instants, its stamps are the same."""
    policy = data.draw(st.sampled_from(["source", "receive", "recorded"]))
    starts = [i for i in range(len(samples)) if samples[i][0] != samples[i - 1][0]]
    between = [starts[c % len(starts)] for c in cuts] if starts else []
    once, counted = settled(policy, samples)
    often, recounted = settled(policy, samples, between)

    assert once.time.tolist() == often.time.tolist()
    assert once.value.tolist() == often.value.tolist()
    assert once.quality.tolist() == often.quality.tolist()
    assert counted == recounted


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["source", "server", "receive", "recorded"]),
    st.integers(0, 56),
    st.integers(10, 10**9),
    st.floats(-1.5, 1.5),
)
def test_one_wrong_future_stamp_reaches_no_window(
    policy: str, place: int, ahead: int, error: float
) -> None:
    """Under any policy it is replaced or dropped, and no other stamp is moved."""
    samples = [(float(k), k + error) for k in range(60)]
    samples[place] = (float(place), float(place) + GAP / SECOND + ahead)
    out, counts = settled(policy, samples)
    good = [k for k in range(60) if k != place]

    assert counts.future + counts.set_aside == (policy != "receive")
    moved = dict(zip(out.value.tolist(), seconds(out), strict=True))
    wanted = [float(k) if policy == "receive" else k + error for k in good]
    assert [moved[k] for k in good] == pytest.approx(wanted, abs=1e-6)
    if place in moved:
        assert moved[place] == place


def test_what_the_gateway_stamped_itself_is_never_shifted() -> None:
    """The mark of a lost link stays where it is while a clock is corrected."""
    tags = TagTable(
        (AssetType("a", ("x",), (Tag("t"),), 0),), ("s",), np.zeros(1, np.int16)
    )
    stamps = Stamps(tags, ["source"])
    start = 1_700_000_000 * SECOND
    for second in range(20):
        now = start + second * SECOND
        late = now - 3600 * SECOND
        stamps.settle(SampleBatch.of([0], [late], [1.0], received=[now]))
    assert stamps.shift.tolist() == [3600 * SECOND]

    now = start + 20 * SECOND
    found, _ = stamps.settle(SampleBatch.of([0], [now], [np.nan], [2], received=[now]))

    assert found.time.tolist() == [now]
