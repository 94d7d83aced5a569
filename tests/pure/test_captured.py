"""What an alarm was computed from: kept, read back, and computed again."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent import judging
from edge_agent.captured import bits, reading, retracing
from edge_agent.captured.form import SEAL, Surroundings
from edge_agent.captured.reading import NotEvidence
from edge_agent.captured.retracing import Sameness
from edge_agent.captured.taking import Captures
from edge_agent.features.depth import depth_for
from edge_agent.features.offline import TriggerSpec, trigger_for
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.rows import RowBuilder
from edge_agent.features.spec import AGGREGATES, INSTANT, FeatureSpec
from edge_agent.features.window import Window
from edge_agent.outcomes import Judged
from edge_agent.records import AlarmRecord, AlarmState, PipelineInfo
from edge_agent.scores import Scores
from edge_agent.transitions import Transitions
from tests.pure.test_pipeline import pipeline
from tests.pure.test_rows import (
    KIND,
    MS,
    T0,
    TRIGGERS,
    Arrival,
    batch,
    builder,
    cuts,
    helds,
    streams,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.captured.form import Evidence

HERE = Surroundings(
    agent="1", numpy="2", onnxruntime="3", machine="x86_64", processor="fast"
)
INFO = PipelineInfo("p", "press", KIND.assets, ("a", "b"), ("", ""), "m", "1", "")


@functools.cache
def every_aggregate() -> tuple[FeatureSpec, ...]:
    """All aggregates, of both tags, over a window and over the cycle."""
    found = []
    for aggregate in AGGREGATES:
        for tag, hold, least in (("a", 3.0, 0.0), ("b", 1.0, 0.4)):
            if aggregate in INSTANT:
                lengths: list[dict[str, object]] = [{}]
            else:
                lengths = [{"window": 2.0}, {"window": 0.9}, {"cycle": True}]
            found += [
                FeatureSpec(
                    f"{tag} {aggregate} {length}",
                    tag,
                    aggregate,
                    hold=hold,
                    rate=4.0,
                    min_completeness=least,
                    **length,  # type: ignore[arg-type]
                )
                for length in lengths
            ]
    return tuple(found)


class Sum:
    """Scores a row with the sum of what is there."""

    def score(self, values: NDArray[np.float32]) -> Scores:
        """The sum; never none, so that every row may be an alarm."""
        score = np.nansum(values.astype(np.float64), axis=1)
        return Scores(score, np.zeros(len(score), np.uint8), values * np.float32(2))


def bodies(
    rows: RowBuilder,
    arrivals: Sequence[Arrival],
    ends: Sequence[int],
    silent: int | None = None,
) -> list[bytes]:
    """Evidence of every row of every pipeline, as if each were an alarm.

    Args:
        rows: makes them.
        arrivals: samples.
        ends: ms at which turns end.
        silent: ms since when the source says nothing; None where it is vouched for.
    """
    rows.shows = True
    found: list[bytes] = []
    captures = Captures(HERE, a_turn=10**6, a_minute=10**6, alarms=10**6)
    scored = pipeline(scorer=Sum(), info=INFO)
    low = -1
    for end in ends:
        mine = [one for one in arrivals if low < one[0] <= end]
        alive = None
        if silent is not None:
            alive = np.array([T0 + min(end, silent) * MS])
        turned = rows.advance(batch(mine), T0 + end * MS, alive)
        low = end
        for place, made in enumerate(turned.rows):
            scores = judging.scored(Sum(), made)
            judged = Judged(
                *(made, scores, made.quality, made.quality),
                *(made.missing[:, 0], _all_active(len(made), made.at), None, None),
            )
            told = [
                AlarmRecord(
                    INFO,
                    int(made.asset[i]),
                    int(made.at[i]),
                    AlarmState.ACTIVE,
                    f"o-{i}",
                    int(made.at[i]),
                    0.0,
                    0.0,
                    1,
                    "",
                )
                for i in range(len(made))
            ]
            plan = rows.pipelines[place][0]
            records = captures.of(turned.making, place, plan, scored, judged, told, end)
            assert len(records) == len(made)
            found += [one.body for one in records]
    return found


def _all_active(count: int, at: NDArray[np.int64]) -> Transitions:
    row = np.arange(count)
    one = np.ones(count, np.int64)
    return Transitions(row, one.astype(np.uint8), at, at, one, one)


def retraced(body: bytes) -> tuple[Evidence, retracing.Retraced]:
    """A body's evidence, computed again."""
    evidence = reading.read(body)
    return evidence, retracing.retrace(evidence, HERE, Sum())


def small(triggers: Sequence[TriggerSpec], held: tuple[bool, ...]) -> RowBuilder:
    """A builder whose rings are as short as they may be."""
    specs = every_aggregate()
    return builder(triggers, held, specs, depth_for(specs, longest_cycle=10.0))


@settings(max_examples=60, deadline=None)
@given(streams, cuts, helds, st.sampled_from(TRIGGERS))
def test_every_row_is_made_again_from_its_evidence_bit_for_bit(
    stream: list[Arrival],
    ends: list[int],
    held: tuple[bool, ...],
    trigger: TriggerSpec,
) -> None:
    """Every aggregate and trigger, late, doubtful and missing values, any turns."""
    for body in bodies(small([trigger], held), stream, [*ends, 5000]):
        evidence, found = retraced(body)

        assert evidence.window is not None
        assert found.differences == ()
        assert found.features is found.score is Sameness.SAME


@settings(max_examples=40, deadline=None)
@given(streams, cuts, helds, st.integers(0, 5000), st.sampled_from(TRIGGERS[:2]))
def test_rows_of_a_source_that_fell_silent_are_made_again(
    stream: list[Arrival],
    ends: list[int],
    held: tuple[bool, ...],
    silent: int,
    trigger: TriggerSpec,
) -> None:
    """How long changes were vouched for, and what a tag's own max_age said of it."""
    kind = replace(KIND, tags=(replace(KIND.tags[0], max_age=1.0), *KIND.tags[1:]))
    specs = every_aggregate()
    window = Window(kind, depth_for(specs, longest_cycle=10.0), np.array(held))
    plan = FeaturePlan(specs, kind)
    rows = RowBuilder(
        window,
        [(plan, trigger_for(trigger, plan, window, T0))],
        np.zeros(kind.size, np.int16),
        longest_cycle=10.0,
    )
    for body in bodies(rows, stream, [*ends, 5000], silent):
        _, found = retraced(body)

        assert found.differences == ()


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("trigger", [TriggerSpec(every=0.7), TriggerSpec(on="update")])
def test_rows_of_a_backlog_many_times_the_rings_room_are_made_again(
    trigger: TriggerSpec, held: bool
) -> None:
    """What later steps of a turn push out of the ring is in the evidence still."""
    noise = np.random.default_rng(1).normal(size=1200)
    queues: list[Arrival] = [
        (150_000, role, 0, 250 * k, noise[600 * role + k], 0)
        for role in (0, 1)
        for k in range(600)
    ]
    specs = [spec for spec in every_aggregate() if not spec.cycle]
    rows = builder([trigger], (held, held, False), specs, depth_for(specs))
    found = [retraced(body) for body in bodies(rows, queues, [150_300])]

    assert all(one.differences == () for _, one in found)
    assert any(e.row.valid for e, _ in found)
    assert len(found) >= 600


def test_windows_that_the_ring_cuts_short_are_cut_again() -> None:
    """Tags much faster than declared: the row says so, and so does its replay."""
    fast: list[Arrival] = [
        (10 * k, role, 0, 10 * k, float(k % 7), 0)
        for k in range(600)
        for role in (0, 1)
    ]
    rows = small([TriggerSpec(every=0.7)], (False, False, False))
    found = [retraced(body) for body in bodies(rows, fast, range(0, 7001, 500))]

    assert any(evidence.row.cut_short for evidence, _ in found)
    assert all(one.differences == () for _, one in found)


def test_of_a_window_too_long_to_keep_a_digest_stays() -> None:
    """The row is there, and why the window is not; the score can be made again."""
    noise = np.random.default_rng(1).normal(size=(2, 5000))
    long: list[Arrival] = [
        (10 * k, role, 0, 10 * k, noise[role, k], 0)
        for k in range(5000)
        for role in (0, 1)
    ]
    specs = [FeatureSpec(tag, tag, "mean", window=49.0, rate=100.0) for tag in "ab"]
    rows = builder([TriggerSpec(every=25.0)], specs=specs, depth=1 << 14)
    found = [retraced(body) for body in bodies(rows, long, range(0, 50_001, 10_000))]
    short, whole = (one for one in found if one[0].row.valid)

    for evidence, made in (short, whole):
        kept = evidence.window is not None
        assert made.features is (Sameness.SAME if kept else Sameness.NOT_MADE)
        assert made.score is Sameness.SAME
        assert len(evidence.window_sha256) == (0 if kept else 64)
        assert kept or "too many to keep" in made.features_why
    assert short[0].window is not None
    assert whole[0].window is None


@given(
    st.lists(st.floats(width=64), max_size=40),
    st.sampled_from(["<f8", "<f4", "<i8", "u1"]),
)
def test_numbers_as_text_keep_every_bit(numbers: list[float], kind: str) -> None:
    """Also of numbers that are none, and of none at all."""
    with np.errstate(all="ignore"):
        array = np.frombuffer(np.array(numbers).tobytes(), kind)
    again = bits.array(bits.text(array), kind, len(array))

    assert again.tobytes() == array.tobytes()


def test_text_that_says_more_numbers_than_there_must_be_is_refused() -> None:
    """A few bytes that inflate to a gigabyte take no memory."""
    many = bits.text(np.zeros(10**6))

    assert many[0] == "z"
    with pytest.raises(ValueError, match="more than"):
        bits.array(many, "<f8", 10)
    with pytest.raises(ValueError, match="bytes of numbers"):
        bits.array(bits.text(np.zeros(3)), "<f8", 4)
    with pytest.raises(ValueError, match="damaged"):
        bits.array("z!!!!", "<f8", 4)


@functools.cache
def one_body() -> bytes:
    """Evidence of some row."""
    stream: list[Arrival] = [
        (100 * k, role, 0, 100 * k, float(k), 0) for k in range(40) for role in (0, 1)
    ]
    return bodies(small([TRIGGERS[0]], (False, False, False)), stream, [4200])[9]


def test_any_byte_that_changes_is_told() -> None:
    """Every byte of a body, with one bit flipped: read as what it was, or refused."""
    body = one_body()
    whole = reading.read(body)
    for place in range(len(body)):
        damaged = bytearray(body)
        damaged[place] ^= 1 << (place % 8)
        try:
            found = reading.read(bytes(damaged))
        except NotEvidence:
            continue
        assert found == whole


@given(st.binary(max_size=200), st.integers(0, 5000), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_what_is_no_evidence_is_refused(junk: bytes, place: int, gap: int) -> None:
    """Junk alone, and junk in the middle of a body."""
    body = one_body()
    for broken in (junk, body[:place] + junk + body[place + gap :]):
        try:
            found = reading.read(broken)
        except NotEvidence:
            continue
        assert found == reading.read(body)


OTHERS: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 300)),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    str: st.sampled_from(["", "last", "mean", "x", "bAAAA", "zeNoDAAAAAAE=", "a", "b"]),
    type(None): st.integers(-3, 2**62) | st.floats(0, 9),
}


@st.composite
def twisted(draw: st.DrawFn) -> bytes:
    """A body with some values exchanged for others of their kind, and sealed anew."""
    said = msgspec.json.decode(one_body())
    said.pop(SEAL)
    for _ in range(draw(st.integers(1, 4))):
        at: Any = said
        while True:
            places = list(at) if isinstance(at, dict) else list(range(len(at)))
            place = draw(st.sampled_from(places))
            if not (isinstance(at[place], dict | list) and at[place]):
                break
            at = at[place]
        if not isinstance(at[place], dict | list):
            at[place] = draw(OTHERS[type(at[place])])
    plain = msgspec.json.encode(said, order="sorted")
    said[SEAL] = hashlib.sha256(plain).hexdigest()
    return msgspec.json.encode(said, order="sorted")


@settings(max_examples=300, deadline=None)
@given(twisted())
def test_a_strangers_evidence_is_refused_or_told_never_a_crash(body: bytes) -> None:
    """Well sealed and full of nonsense: in words, within bounds."""
    try:
        _, found = retraced(body)
    except NotEvidence:
        return
    assert isinstance(found.features, Sameness)
