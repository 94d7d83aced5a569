"""Memory and disk stay bounded, whatever comes; what goes is counted."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.labels import blocks
from edge_agent.labels.book import DISK
from edge_agent.labels.buckets import LENGTHS, Buckets, fitting
from edge_agent.labels.columns import (
    BUCKET,
    PART,
    Flag,
    empty,
    length,
    offsets,
    stacked,
    taken,
    wall,
)
from edge_agent.labels.intake import ROWS
from tests.labels import made
from tests.labels.made import ANOMALY, DAY, HOUR, QUALITY, Bench, S

MIB = 2**20


def bench(**settings: Any) -> Bench:  # noqa: ANN401
    """A desk in a folder of its own."""
    return Bench(Path(tempfile.mkdtemp()), **settings)


@settings(deadline=None, max_examples=8)
@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.integers(0, 800), st.booleans()),
        min_size=4,
        max_size=9,
    )
)
def test_memory_and_disk_stay_bounded(steps: list[tuple[int, int, bool]]) -> None:
    """After any scoring, labelling and correcting, and what went was counted."""
    one = bench(memory="1MiB")
    book = one.desk.books[QUALITY]
    made_so_far = 0
    for count, labels, text in steps:
        one.score([f"p{made_so_far + k}" for k in range(count)])
        made_so_far += count
        one.wait(10 * S)
        told = [
            made.label("bad" if text else "good", part=f"p{k * 7 % made_so_far}")
            for k in range(labels)
        ]
        one.tell(*told)
        limit = DISK * MIB + 16 * MIB
        folder = sum(p.stat().st_size for p in (one_folder(one)).iterdir())
        assert book.ring.bytes <= MIB
        assert folder <= limit
        assert len(book.waiting) <= book.most_waiting

    kept = len(book.ring)
    dropped = one.instruments.counter("predictions_unlabelled_dropped_total")
    assert kept <= book.ring.capacity
    assert kept == made_so_far or dropped > 0
    assert made_so_far - kept <= book.ring.capacity or dropped > 0


def one_folder(one: Bench) -> Path:
    """Where the parts' files are."""
    return one.desk.books[QUALITY].keeping.segments._folder


def test_corrections_without_end_fill_no_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the newest files are kept, and they stay within the limit."""
    monkeypatch.setattr("edge_agent.labels.book._DISK_BESIDE", 200_000)
    one = bench(memory="1MiB")
    limit = DISK * MIB + 200_000
    parts = [f"p{k}" for k in range(1500)]
    one.score(parts)
    one.wait(10 * S)
    segments = one.desk.books[QUALITY].keeping.segments
    for turn in range(120):
        one.tell(*[made.label(f"{turn}.{k}", part=p) for k, p in enumerate(parts)])
        one.wait(6 * S)
        one.score([f"later-{turn}"])
        assert segments.bytes <= limit
    on_disk = sum(p.stat().st_size for p in one_folder(one).iterdir())

    assert on_disk == segments.bytes
    assert one.count("corrected") > 60 * 1500


def test_the_oldest_predictions_make_room_on_the_disk() -> None:
    """Where their files take more than they may, they go with their file."""
    one = bench(memory="4MiB")
    for turn in range(6):
        one.score([f"{turn}-{k}" for k in range(4000)])
        one.wait(10 * S)
    keeping = one.desk.books[QUALITY].keeping
    keeping.limit = keeping.segments.bytes // 2
    one.score(["new"])
    one.wait(10 * S)

    assert keeping.segments.bytes <= keeping.limit
    assert one.instruments.counter("predictions_unlabelled_dropped_total", cause="disk")
    one.tell(made.label("bad", part="5-3999"))
    assert one.count("joined") == 1


def test_rows_older_than_the_horizon_go() -> None:
    """As a page, and those without a label are counted."""
    one = bench(horizon="1h")
    one.score([f"p{k}" for k in range(10)])
    one.desk.look()
    one.tell(made.label("bad", part="p3"))
    one.wait(2 * HOUR)

    assert len(one.desk.books[QUALITY].ring) == 0
    counter = one.instruments.counter
    assert counter("predictions_unlabelled_dropped_total", cause="horizon") == 9


def test_rows_that_nobody_takes_are_counted_and_scoring_goes_on() -> None:
    """The queue from the turn is bounded in rows."""
    one = bench()
    many = made.rows([one.clock.time] * 50_000, ["x"] * 50_000)
    found, done = made.scores([0.1] * 50_000), np.zeros(50_000, np.uint8)
    for _ in range(6):
        one.desk.predicted(made.pipeline(), many, found, done)

    lost = one.instruments.counter("predictions_not_kept_total", cause="queue")
    assert lost == 6 * 50_000 - ROWS


def test_labels_that_nobody_takes_are_refused_not_kept() -> None:
    """The source is told, and it is counted."""
    one = bench()
    lots = [made.label("bad", part="x")] * 150_000

    assert one.desk.labelled(QUALITY, lots)
    assert one.desk.crowded
    assert not one.desk.labelled(QUALITY, lots)
    assert one.count("refused", cause="queue") == 150_000


@given(st.integers(1, 5000), st.integers(1, 10**7), st.floats(60, 10**7))
def test_a_bucket_is_the_shortest_that_reaches_the_horizon(
    assets: int, rows: int, horizon: float
) -> None:
    """Or the longest there is."""
    seconds = fitting(assets, rows, horizon)
    shorter = [s for s in LENGTHS if s < seconds]

    assert all(assets * horizon / s > rows - assets for s in shorter)
    assert seconds == LENGTHS[-1] or assets * horizon / seconds <= max(rows, assets)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 400),
            st.one_of(st.none(), st.floats(-10, 10, width=32)),
            st.booleans(),
        ),
        max_size=60,
    ),
    st.integers(1, 5),
)
def test_buckets_fold_rows_as_a_loop_does(
    rows: list[tuple[int, int, float | None, bool]], cuts: int
) -> None:
    """Highest score, any alarm, rows scored; the same however rows are cut."""
    rows = sorted(rows, key=lambda row: row[1])
    wanted: dict[tuple[int, int], list[tuple[float | None, bool]]] = {}
    for asset, second, score, alarm in rows:
        wanted.setdefault((asset, second // 60), []).append((score, alarm))
    buckets, found = Buckets(60), []
    for portion in range(cuts):
        some = rows[portion * len(rows) // cuts : (portion + 1) * len(rows) // cuts]
        found.append(buckets.take(_columns(some)))
    found.append(buckets.rest())
    done = stacked(found, BUCKET)

    assert length(done) == len(wanted)
    for place in range(length(done)):
        one = {name: column[place] for name, column in done.items()}
        inside = wanted[int(one["asset"]), int(one["at"]) // (60 * S)]
        scored = [score for score, _ in inside if score is not None]
        assert one["rows"] == len(scored)
        assert bool(one["flags"] & Flag.NO_SCORE) == (not scored)
        assert bool(one["flags"] & Flag.ALARM) == any(alarm for _, alarm in inside)
        if scored:
            assert one["score"] == np.float32(max(scored))


def _columns(rows: list[tuple[int, int, float | None, bool]]) -> dict[str, np.ndarray]:
    columns = empty(BUCKET, len(rows))
    for place, (asset, second, score, alarm) in enumerate(rows):
        columns["asset"][place], columns["at"][place] = asset, second * S
        columns["score"][place] = np.nan if score is None else score
        columns["rows"][place] = score is not None
        flags = (Flag.ALARM if alarm else 0) | (Flag.NO_SCORE if score is None else 0)
        columns["flags"][place] = flags
    return columns


@given(st.integers(-(2**61), 2**61))
def test_the_offset_of_the_wall_clock_is_kept_well_enough(offset: int) -> None:
    """To half a millisecond within 24 days, to half a second within 68 years."""
    kept, flag = offsets(offset)
    rows = empty(PART, 1)
    rows["offset"][:], rows["flags"][:] = kept, flag
    apart = abs(int(wall(rows)[0]) - offset)

    if abs(offset) < 24 * DAY:
        assert apart <= S // 2000
    elif abs(offset) < 68 * 365 * DAY:
        assert apart <= S // 2


@settings(deadline=None)
@given(st.integers(0, 40), st.randoms(use_true_random=False), st.integers(0, 10**6))
def test_what_is_written_is_read_again(rows: int, dice: object, spoil: int) -> None:
    """Every bit of a block; a changed byte is found, and the next block with it."""
    rng = np.random.default_rng(dice.randrange(2**32))  # type: ignore[attr-defined]
    columns = {
        name: np.frombuffer(rng.bytes(rows * np.dtype(kind).itemsize), kind).copy()
        for name, kind in PART.items()
    }
    block = blocks.sealed(blocks.Kind.PREDICTED, blocks.packed(columns, PART, 7))
    (found,) = blocks.opened(block)
    assert isinstance(found, blocks.Block)
    first, again = blocks.unpacked(found.body, PART)
    assert first == 7
    for name in PART:
        assert again[name].tobytes() == columns[name].tobytes()
    spoiled = bytearray(block)
    spoiled[spoil % len(block)] ^= 0x10
    after = [b for b in blocks.opened(bytes(spoiled) + block) if not isinstance(b, int)]
    assert [b.body for b in after] == [found.body]


def test_the_status_says_how_late_a_label_may_come() -> None:
    """Seconds held, the length of a bucket, and what to do where it is too little."""
    one = bench(memory="1MiB")
    one.watch(130)
    one.desk.look()
    status = one.desk.status(ANOMALY)
    assert status["held_s"] == pytest.approx(130, abs=status["bucket_s"])
    assert status["note"] == ""
    for turn in range(12):
        one.score([f"{turn}-{k}" for k in range(3000)])
        one.wait(10 * S)
    status = one.desk.status(QUALITY)
    assert status["dropped_unlabelled"] > 0
    assert "raise labels.memory" in status["note"]


def test_taken_rows_are_those_asked_for() -> None:
    """By mask, position and slice."""
    columns = {"a": np.arange(5)}

    assert taken(columns, np.array([1, 3]))["a"].tolist() == [1, 3]
    assert taken(columns, slice(2))["a"].tolist() == [0, 1]
