"""Features against their formulas, on streams that misbehave."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.features.aggregates import total
from edge_agent.features.depth import depth_for
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.spec import AGGREGATES, INSTANT, FeatureSpec
from edge_agent.features.window import NEVER, Window
from edge_agent.records import NoScore
from edge_agent.samples import AssetType, SampleBatch, Tag
from tests.pure import reference

if TYPE_CHECKING:
    from edge_agent.features.feature_rows import FeatureRows

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
KIND = AssetType("pump", ("P1", "P2", "P3"), (Tag("a"), Tag("b")), 7)
SPECS = tuple(
    FeatureSpec(
        f"{name}_{tag}",
        tag,
        name,
        window=None if name in INSTANT else 4.0,
        rate=2.0,
        hold=3.0,
        min_completeness=least,
    )
    for tag, least in (("a", 0.5), ("b", 0.0))
    for name in AGGREGATES
)
Sample = tuple[int, int, int, float, int]
"""role, asset, time, value, quality"""

values = st.one_of(
    st.floats(-100, 100, allow_subnormal=False).map(lambda v: round(v, 3)),
    st.sampled_from([np.nan, np.inf, 0.0, -0.0]),
)
samples = st.tuples(
    st.integers(0, 1),
    st.integers(0, 2),
    st.integers(0, 40).map(lambda t: T0 + t * SECOND // 4),
    values,
    st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]),
)
streams = st.lists(samples, max_size=120)


def batch(given_samples: list[Sample]) -> SampleBatch:
    """A batch of KIND from plain samples."""
    return SampleBatch.of(
        [KIND.index(role, asset) for role, asset, *_ in given_samples],
        [time for _, _, time, _, _ in given_samples],
        [value for *_, value, _ in given_samples],
        [quality for *_, quality in given_samples],
    )


def window_of(
    given_samples: list[Sample],
    held: tuple[bool, bool] = (False, False),
    depth: int = 64,
) -> Window:
    """A window that took the samples as one batch."""
    window = Window(KIND, depth, np.array(held))
    window.ingest(batch(given_samples))
    return window


def same(one: FeatureRows, other: FeatureRows) -> bool:
    """Bit for bit."""
    return all(
        np.array_equal(
            np.ascontiguousarray(getattr(one, name)).view(np.uint8),
            np.ascontiguousarray(getattr(other, name)).view(np.uint8),
        )
        for name in one.__slots__
        if name not in {"part", "context", "gates"}
    )


@settings(max_examples=150, deadline=None)
@given(streams, st.booleans(), st.booleans(), st.integers(0, 44))
def test_every_feature_equals_its_formula(
    stream: list[Sample], held_a: bool, held_b: bool, when: int
) -> None:
    """Each feature is what its formula says, or has the reason why it is not."""
    held = (held_a, held_b)
    window = window_of(stream, held, depth=256)
    at = T0 + when * SECOND // 4
    plan = FeaturePlan(SPECS, KIND)
    rows = plan.compute(window, np.arange(3, dtype=np.int32), np.full(3, at))
    for asset in range(3):
        good = 0
        for column, spec in enumerate(SPECS):
            role = KIND.role_index(spec.tag)
            mine = [(t, v, q) for r, a, t, v, q in stream if (r, a) == (role, asset)]
            want = reference.expected(mine, spec, at, held=held[role])
            good += want.missing == 0 and not want.doubted
            where = f"{spec.name} of asset {asset}"
            assert NoScore(want.missing) == NoScore(rows.missing[asset, column]), where
            assert rows.values[asset, column] == pytest.approx(
                want.value, rel=1e-5, abs=1e-5, nan_ok=True
            ), where
        assert rows.inputs_good[asset] == good
        assert rows.valid[asset] == (not rows.missing[asset].any())
        assert rows.quality[asset] == (
            2 if not rows.valid[asset] else int(good < len(SPECS))
        )


@settings(max_examples=60, deadline=None)
@given(streams, st.lists(st.integers(0, 120), max_size=5), st.integers(0, 44))
def test_cutting_the_stream_changes_nothing(
    stream: list[Sample], cuts: list[int], when: int
) -> None:
    """Any number of batches, and a deeper ring, give the same rows bit for bit."""
    whole = window_of(stream, (False, True))
    pieces = Window(KIND, 512, np.array([False, True]))
    edges = [0, *sorted(cuts), len(stream)]
    for low, high in pairwise(edges):
        pieces.ingest(batch(stream[low:high]))
    plan = FeaturePlan(SPECS, KIND)
    assets, at = np.arange(3, dtype=np.int32), np.full(3, T0 + when * SECOND // 4)

    assert same(plan.compute(whole, assets, at), plan.compute(pieces, assets, at))


@settings(max_examples=60, deadline=None)
@given(streams, st.permutations([0, 1, 2]), st.integers(0, 44))
def test_a_row_does_not_depend_on_its_company(
    stream: list[Sample], order: list[int], when: int
) -> None:
    """Rows computed in another order, or alone, are the same bit for bit."""
    window = window_of(stream, (False, True))
    plan = FeaturePlan(SPECS, KIND)
    at = T0 + when * SECOND // 4
    every = plan.compute(window, np.arange(3, dtype=np.int32), np.full(3, at))
    mixed = plan.compute(window, np.array(order, np.int32), np.full(3, at))

    assert same(every.take(np.array(order)), mixed)
    for asset in range(3):
        alone = plan.compute(window, np.array([asset], np.int32), np.array([at]))
        assert same(every.take(np.array([asset])), alone)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 10**6))
def test_sums_run_in_order_of_time(count: int, width: int, seed: int) -> None:
    """A column's sum is that of adding its values one by one, whatever its width."""
    table = np.random.default_rng(seed).normal(size=(count, width))
    one_by_one = [0.0] * width
    for row in table.tolist():
        one_by_one = [a + b for a, b in zip(one_by_one, row, strict=True)]

    assert total(table).tolist() == one_by_one


@pytest.mark.parametrize("held", [False, True])
def test_a_lonely_column_is_summed_like_many(held: bool) -> None:
    """One asset with one tag gives the bits it gives among others."""
    kind = AssetType("pump", ("P1", "P2", "P3"), (Tag("a"),), 0)
    specs = [
        FeatureSpec(name, "a", name, window=64.0)
        for name in AGGREGATES
        if name not in INSTANT
    ]
    window = Window(kind, 128, np.array([held]))
    noise = np.random.default_rng(3).normal(size=300)
    times = np.repeat(T0 + np.arange(100) * SECOND, 3)
    window.ingest(SampleBatch.of(np.tile([0, 1, 2], 100), times, noise))
    plan = FeaturePlan(specs, kind)
    at = np.full(3, times[-1])
    among = plan.compute(window, np.arange(3, dtype=np.int32), at)

    assert among.valid.all()
    for asset in range(3):
        alone = plan.compute(window, np.array([asset], np.int32), at[:1])
        assert same(among.take(np.array([asset])), alone)


def test_a_reported_change_gives_what_full_sampling_gives() -> None:
    """Leaving out unchanged values changes no feature but count."""
    kind = AssetType("pump", ("P1",), (Tag("a"),), 0)
    rng = np.random.default_rng(5)
    level = np.repeat(rng.normal(size=20).round(2), rng.integers(1, 6, 20))
    times = T0 + np.arange(len(level)) * SECOND // 2
    specs = [
        FeatureSpec(name, "a", name, window=8.0, rate=2.0)
        for name in AGGREGATES
        if name not in {*INSTANT, "count"}
    ]
    full = Window(kind, 128, np.array([False]))
    full.ingest(SampleBatch.of(np.zeros(len(level), np.int32), times, level))
    changed = np.diff(level, prepend=np.nan) != 0
    sparse = Window(kind, 128, np.array([True]))
    sparse.ingest(
        SampleBatch.of(
            np.zeros(changed.sum(), np.int32), times[changed], level[changed]
        )
    )
    plan = FeaturePlan(specs, kind)
    asset = np.zeros(len(level) - 16, np.int32)
    want = plan.compute(full, asset, times[16:])
    have = plan.compute(sparse, asset, times[16:])

    assert want.valid.all()
    assert have.valid.all()
    np.testing.assert_allclose(have.values, want.values, rtol=1e-5, atol=1e-6)


def test_a_dead_source_vouches_for_nothing() -> None:
    """A value that reports changes only is stale once its source is silent for hold."""
    window = window_of([(0, 0, T0, 1.0, 0), (1, 0, T0, 2.0, 0)], (True, False))
    plan = FeaturePlan([FeatureSpec("x", "a", "last", hold=3.0)], KIND)
    at = np.array([T0 + 100 * SECOND])
    one = np.zeros(1, np.int32)
    for silence, reason in ((0, 0), (3, 0), (4, NoScore.INPUT_STALE)):
        alive = np.full(window.columns, at[0] - silence * SECOND)
        rows = plan.compute(window, one, at, alive=alive)
        assert rows.reason.tolist() == [reason]
        assert rows.age.tolist() == [silence]


def test_held_over_bad_is_uncertain_then_missing() -> None:
    """A BAD sensor's last good value is used, marked, for hold seconds."""
    window = window_of(
        [
            (0, 0, T0, 1.5, 0),
            (0, 0, T0 + SECOND, 9.0, 2),
            (0, 0, T0 + 2 * SECOND, 9.0, 2),
        ]
    )
    plan = FeaturePlan([FeatureSpec("x", "a", "last", hold=3.0)], KIND)
    at = np.array([T0, T0 + 3 * SECOND, T0 + 4 * SECOND])
    rows = plan.compute(window, np.zeros(3, np.int32), at)

    assert rows.values[:2, 0].tolist() == [1.5, 1.5]
    assert rows.quality.tolist() == [0, 1, 2]
    assert rows.inputs_good.tolist() == [1, 0, 0]
    assert rows.reason.tolist() == [0, 0, NoScore.INPUT_BAD]


def test_cycle_features_run_from_the_previous_end() -> None:
    """The window of a cycle excludes its start; an unknown start is warming up."""
    stream: list[Sample] = [(0, 0, T0 + k * SECOND, float(k), 0) for k in range(10)]
    window = window_of(stream)
    plan = FeaturePlan([FeatureSpec("x", "a", "first", cycle=True)], KIND)
    at = np.array([T0 + 6 * SECOND, T0 + 6 * SECOND])
    rows = plan.compute(
        window, np.zeros(2, np.int32), at, start=np.array([T0 + 2 * SECOND, NEVER])
    )

    assert rows.values[0, 0] == 3.0
    assert rows.missing[:, 0].tolist() == [0, NoScore.WARMING_UP]


def test_a_tag_faster_than_declared_is_marked() -> None:
    """A window that reaches past the ring is UNCERTAIN, not silently shorter."""
    specs = [FeatureSpec("x", "a", "mean", window=4.0, rate=1.0)]
    window = Window(KIND, depth_for(specs))
    fast: list[Sample] = [(0, 0, T0 + k * SECOND // 100, 1.0, 0) for k in range(800)]
    window.ingest(batch(fast))
    rows = FeaturePlan(specs, KIND).compute(
        window, np.zeros(1, np.int32), np.array([fast[-1][2]])
    )

    assert rows.cut_short.tolist() == [True]
    assert rows.quality.tolist() == [1]


def test_values_beyond_float32_are_bad_not_infinite() -> None:
    """A value the model cannot be given is a missing input."""
    window = window_of([(0, 0, T0, 1e300, 0)])
    plan = FeaturePlan([FeatureSpec("x", "a", "last")], KIND)
    rows = plan.compute(window, np.zeros(1, np.int32), np.array([T0]))

    assert rows.reason.tolist() == [NoScore.INPUT_BAD]
    assert np.isnan(rows.values[0, 0])


def test_no_rows_are_an_empty_table() -> None:
    """A plan asked for nothing gives nothing, with its columns."""
    rows = FeaturePlan(SPECS, KIND).compute(
        window_of([]), np.zeros(0, np.int32), np.zeros(0, np.int64)
    )

    assert rows.values.shape == (0, len(SPECS))


def test_nothing_given_is_changed() -> None:
    """Neither the batch nor the rows asked for are written to."""
    stream: list[Sample] = [
        (0, 0, T0, 1.0, 0),
        (0, 0, T0, 2.0, 0),
        (1, 1, T0 - 5, np.inf, 0),
    ]
    given_batch = batch(stream)
    for column in (given_batch.tag, given_batch.time, given_batch.value):
        column.flags.writeable = False
    given_batch.quality.flags.writeable = False
    window = Window(KIND, 64)
    window.ingest(given_batch)
    assets, at = np.arange(3, dtype=np.int32), np.full(3, T0)
    assets.flags.writeable = at.flags.writeable = False
    FeaturePlan(SPECS, KIND).compute(window, assets, at)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"aggregate": "median"}, "none of last"),
        ({"aggregate": "last", "window": 1.0}, "has no window"),
        ({"aggregate": "mean"}, "either a window or cycle"),
        ({"aggregate": "mean", "window": 1.0, "cycle": True}, "either a window"),
        ({"aggregate": "mean", "window": 0.0}, "above 0 s"),
        ({"aggregate": "mean", "window": 1.0, "rate": 0.0}, "above 0 per second"),
        ({"aggregate": "last", "hold": -1.0}, "below 0 s"),
        ({"aggregate": "last", "min_completeness": 2.0}, "from 0 to 1"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(
    spec: dict[str, object], complaint: str
) -> None:
    """The refusal says which part does not fit."""
    with pytest.raises(ValueError, match=complaint):
        FeatureSpec("x", "a", **spec)  # type: ignore[arg-type]


def test_a_feature_of_an_unknown_or_text_tag_is_refused() -> None:
    """The refusal names the tag and what there is."""
    kind = AssetType("press", ("M1",), (Tag("force"), Tag("part", text=True)), 0)
    with pytest.raises(ValueError, match="it has force, part"):
        FeaturePlan([FeatureSpec("x", "speed", "last")], kind)
    with pytest.raises(ValueError, match="which is a text"):
        FeaturePlan([FeatureSpec("x", "part", "last")], kind)
