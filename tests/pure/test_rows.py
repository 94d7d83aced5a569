"""Rows, turn by turn: what is due when, and that turns leave no trace in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.features.depth import depth_for
from edge_agent.features.feature_rows import FeatureRows, joined
from edge_agent.features.offline import TriggerSpec, offline_rows, trigger_for
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.rows import RowBuilder
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.window import Window
from edge_agent.records import NoScore
from edge_agent.samples import AssetType, SampleBatch, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND = 1_000_000_000
MS = 1_000_000
T0 = 1_700_000_000 * SECOND
KIND = AssetType(
    "press", ("M1", "M2", "M3"), (Tag("a"), Tag("b"), Tag("part", text=True)), 4
)
SPECS = (
    FeatureSpec("a", "a", "last", hold=3.0),
    FeatureSpec("b", "b", "last", hold=3.0),
    FeatureSpec("a mean", "a", "mean", window=2.0, rate=4.0, min_completeness=0.1),
    FeatureSpec("b slope", "b", "slope", window=3.0, rate=4.0, min_completeness=0.1),
    FeatureSpec("a most", "a", "max", cycle=True, rate=4.0, min_completeness=0.0),
)
TRIGGERS = (
    TriggerSpec(every=0.7),
    TriggerSpec(on="update", settle=0.2),
    TriggerSpec(on="cycle", part="part", settle=0.2),
    TriggerSpec(on="cycle", part="part", part_at="start", settle=0.2),
)
A, B, PART = 0, 1, 2
Arrival = tuple[int, int, int, int, float, int]
"""ms received, role, asset, ms stamp, value, quality"""


def batch(arrivals: Sequence[Arrival]) -> SampleBatch:
    """A batch of KIND; a part's value is the number of its id."""
    texts = [f"id{value:g}" for _, role, _, _, value, _ in arrivals if role == PART]
    place = iter(range(len(texts)))
    return SampleBatch.of(
        [KIND.index(role, asset) for _, role, asset, *_ in arrivals],
        [T0 + stamp * MS for _, _, _, stamp, _, _ in arrivals],
        [next(place) if role == PART else v for _, role, _, _, v, _ in arrivals],
        [quality for *_, quality in arrivals],
        [T0 + received * MS for received, *_ in arrivals],
        texts,
    )


def builder(
    triggers: Sequence[TriggerSpec] = TRIGGERS,
    held: tuple[bool, ...] = (False, False, False),
    specs: Sequence[FeatureSpec] = SPECS,
    depth: int = 512,
) -> RowBuilder:
    """A builder with one pipeline for each trigger, started at T0."""
    window = Window(KIND, depth, np.array(held))
    pipelines = []
    for trigger in triggers:
        plan = FeaturePlan(specs, KIND)
        pipelines.append((plan, trigger_for(trigger, plan, window, T0)))
    return RowBuilder(window, pipelines, longest_cycle=10.0)


def turns(
    rows: RowBuilder, arrivals: Sequence[Arrival], ends: Sequence[int]
) -> list[list[FeatureRows]]:
    """Rows of each pipeline from turns that end at given ms."""
    found: list[list[FeatureRows]] = [[] for _ in rows.pipelines]
    low = -1
    for end in ends:
        mine = [a for a in arrivals if low < a[0] <= end]
        turned = rows.advance(batch(mine), T0 + end * MS)
        for one, more in zip(found, turned.rows, strict=True):
            one.append(more)
        low = end
    return found


def by_asset(parts: Sequence[FeatureRows]) -> list[list[tuple[object, ...]]]:
    """Every bit of every row, in order, asset by asset."""
    rows = joined(parts)
    bits = [
        (
            int(rows.at[i]),
            rows.values[i].tobytes(),
            rows.missing[i].tobytes(),
            bool(rows.valid[i]),
            int(rows.quality[i]),
            rows.completeness[i].tobytes(),
            rows.age[i].tobytes(),
            int(rows.inputs_good[i]),
            rows.part[i] if rows.part else "",
        )
        for i in range(len(rows))
    ]
    return [
        [b for b, a in zip(bits, rows.asset, strict=True) if a == n] for n in range(3)
    ]


arrival = st.tuples(
    st.integers(0, 40).map(lambda t: t * 100),
    st.sampled_from([A, A, B, B, PART]),
    st.integers(0, 2),
    st.integers(-8, 3),
    st.integers(0, 5).map(float),
    st.sampled_from([0, 0, 0, 0, 0, 1, 2]),
).map(lambda s: (s[0], s[1], s[2], s[0] + 100 * s[3], s[4], s[5]))
streams = st.lists(arrival, max_size=100).map(lambda s: sorted(s, key=lambda a: a[0]))
cuts = st.lists(st.integers(0, 4200), max_size=12).map(sorted)
helds = st.tuples(st.booleans(), st.booleans(), st.just(value=False))


@settings(max_examples=150, deadline=None)
@given(streams, cuts, helds)
def test_turns_leave_no_trace(
    stream: list[Arrival], ends: list[int], held: tuple[bool, ...]
) -> None:
    """However turns cut a stream, the rows are the same bit for bit."""
    once = turns(builder(held=held), stream, [5000])
    often = turns(builder(held=held), stream, [*ends, 5000])

    for one, many in zip(once, often, strict=True):
        assert by_asset(one) == by_asset(many)


@pytest.mark.parametrize("trigger", [TriggerSpec(every=0.7), TriggerSpec(on="update")])
def test_turns_leave_no_trace_of_tags_much_faster_than_declared(
    trigger: TriggerSpec,
) -> None:
    """A window that the ring cuts short is cut at the same value in every turn."""
    noise = np.random.default_rng(2).normal(size=1200)
    fast: list[Arrival] = [
        (10 * k, role, 0, 10 * k, noise[600 * role + k], 0)
        for k in range(600)
        for role in (A, B)
    ]
    depth = depth_for(SPECS[:4])
    once = turns(builder([trigger], specs=SPECS[:4], depth=depth), fast, [7000])
    often = turns(
        builder([trigger], specs=SPECS[:4], depth=depth), fast, [*range(0, 7001, 50)]
    )

    assert by_asset(once[0]) == by_asset(often[0])
    assert joined(once[0]).cut_short.any()


@pytest.mark.parametrize("lead", [1, 5, 20, 32])
def test_turns_leave_no_trace_of_a_tag_that_leads(lead: int) -> None:
    """Values that come in blocks of one tag make the same rows in every turn."""
    noise = np.random.default_rng(3).normal(size=1200)
    blocks: list[Arrival] = [
        (lead * 50 * (2 * block + role), role, 0, 50 * k, noise[600 * role + k], 0)
        for block in range(600 // lead)
        for role in (A, B)
        for k in range(block * lead, (block + 1) * lead)
    ]
    specs, trigger = SPECS[:2], TriggerSpec(on="update", settle=60.0)
    depth, end = depth_for(specs), blocks[-1][0]
    once = turns(builder([trigger], specs=specs, depth=depth), blocks, [end])
    often = turns(
        builder([trigger], specs=specs, depth=depth),
        blocks,
        sorted({arrival[0] for arrival in blocks}),
    )

    assert by_asset(once[0]) == by_asset(often[0])
    assert len(by_asset(once[0])[0]) == 600 // lead * lead
    assert joined(once[0]).valid.all()


@pytest.mark.parametrize("trigger", [TriggerSpec(every=0.7), TriggerSpec(on="update")])
@pytest.mark.parametrize("held", [False, True])
def test_a_small_ring_gives_the_rows_of_a_large_one(
    trigger: TriggerSpec, held: bool
) -> None:
    """A backlog many times the ring's room is taken in steps, and scored right."""
    noise = np.random.default_rng(1).normal(size=1200)
    queues: list[Arrival] = [
        (150_000, role, 0, 250 * k, noise[600 * role + k], 0)
        for role in (A, B)
        for k in range(600)
    ]
    specs = SPECS[:4]
    keep = (held, held, False)
    depth = depth_for(specs)
    small = turns(builder([trigger], keep, specs, depth), queues, [150_300])
    large = turns(builder([trigger], keep, specs, 4096), queues, [150_300])

    assert depth < 200
    assert by_asset(small[0]) == by_asset(large[0])
    if trigger.on is not None:
        assert len(small[0][0]) == 600
        assert small[0][0].valid[20:].all()


@settings(max_examples=60, deadline=None)
@given(streams, st.permutations([0, 1, 2]))
def test_assets_do_not_see_each_other(stream: list[Arrival], order: list[int]) -> None:
    """Assets under other numbers give the same rows under those numbers."""
    plain = turns(builder(), stream, [5000])
    swapped = [(r, role, order[a], *rest) for r, role, a, *rest in stream]
    other = turns(builder(), swapped, [5000])  # type: ignore[arg-type]

    for one, two in zip(plain, other, strict=True):
        before, after = by_asset(one), by_asset(two)
        assert [before[a] for a in range(3)] == [after[order[a]] for a in range(3)]


@settings(max_examples=60, deadline=None)
@given(streams, cuts, helds, st.sampled_from(TRIGGERS[1:]))
def test_the_notebook_gives_the_gateways_rows(
    stream: list[Arrival],
    ends: list[int],
    held: tuple[bool, ...],
    trigger: TriggerSpec,
) -> None:
    """Offline rows of a recording equal those of the turns that recorded it."""
    live = turns(builder([trigger], held), stream, [*ends, 5000])
    offline = offline_rows(KIND, SPECS, trigger, batch(stream), np.array(held))

    assert by_asset(live[0]) == by_asset([offline])


@settings(max_examples=100, deadline=None)
@given(streams, cuts)
def test_a_stamp_is_scored_once_and_in_order(
    stream: list[Arrival], ends: list[int]
) -> None:
    """No trigger gives an asset two rows of one time, or an older one after."""
    for rows in turns(builder(), stream, [*ends, 5000]):
        for asset in by_asset(rows):
            at = [r[0] for r in asset]
            assert at == sorted(set(at))  # type: ignore[type-var]


@settings(max_examples=100, deadline=None)
@given(streams, cuts, cuts)
def test_a_restart_scores_nothing_twice(
    stream: list[Arrival], before: list[int], after: list[int]
) -> None:
    """A builder restored from a checkpoint goes on behind the last scored row."""
    first = builder(TRIGGERS[1:])
    old = turns(first, [a for a in stream if a[0] <= 2000], [*before, 2000][-1:])
    second = builder(TRIGGERS[1:])
    for (_, from_), (_, to) in zip(first.pipelines, second.pipelines, strict=True):
        to.restore(from_.saved(), T0 + 2000 * MS)
    new = turns(second, stream, [5000, *(5000 + c for c in after)])

    for one, two in zip(old, new, strict=True):
        for had, has in zip(by_asset(one), by_asset(two), strict=True):
            assert not {r[0] for r in had} & {r[0] for r in has}


def stamps(rows: FeatureRows) -> list[tuple[int, int]]:
    """(asset, ms) of each row."""
    return [
        (int(a), int(t - T0) // MS) for a, t in zip(rows.asset, rows.at, strict=True)
    ]


UPDATE = (TriggerSpec(on="update", settle=0.2),)


def test_a_whole_row_closes_at_once() -> None:
    """When all tags of a stamp are there, the row does not wait."""
    rows = builder(UPDATE)
    turned = rows.advance(
        batch([(10, A, 0, 5, 1.0, 0), (10, B, 0, 5, 2.0, 0), (10, A, 1, 5, 3.0, 0)]),
        T0 + 10 * MS,
    )

    assert stamps(turned.rows[0]) == [(0, 5)]
    assert turned.rows[0].values[0, :2].tolist() == [1.0, 2.0]


def test_a_torn_row_waits_for_the_rest_and_then_goes_without() -> None:
    """A row lacking a tag closes `settle` after its last sample, in order."""
    rows = builder(UPDATE)
    found = turns(
        rows,
        [(10, A, 0, 5, 1.0, 0), (20, A, 0, 15, 1.5, 0), (150, B, 0, 5, 2.0, 0)],
        [20, 219, 220, 400],
    )

    assert [stamps(r) for r in found[0]] == [[], [(0, 5)], [(0, 15)], []]


def test_a_newer_whole_row_closes_an_older_torn_one() -> None:
    """A lost value does not hold up the rows behind it."""
    rows = builder(UPDATE)
    turned = rows.advance(
        batch([(10, A, 0, 5, 1.0, 0), (20, A, 0, 15, 1.5, 0), (20, B, 0, 15, 2.0, 0)]),
        T0 + 20 * MS,
    )

    assert stamps(turned.rows[0]) == [(0, 5), (0, 15)]
    assert turned.rows[0].missing[0, 1] == NoScore.INPUT_MISSING
    assert turned.rows[0].values[1, :2].tolist() == [1.5, 2.0]


def test_a_backlog_gives_every_row() -> None:
    """A server's queues, one item after the other, become rows in order of time."""
    rows = builder(UPDATE)
    queue_a = [(10, A, 0, t, float(t), 0) for t in range(8)]
    queue_b = [(10, B, 0, t, float(-t), 0) for t in range(8)]
    turned = rows.advance(batch(queue_a + queue_b), T0 + 10 * MS)

    assert stamps(turned.rows[0]) == [(0, t) for t in range(8)]
    assert turned.rows[0].values[:, 0].tolist() == [float(t) for t in range(8)]
    assert turned.rows[0].values[:, 1].tolist() == [float(-t) for t in range(8)]


def test_changes_only_tags_make_rows_where_nothing_else_does() -> None:
    """An asset whose tags all report changes only is scored at each change."""
    rows = builder(UPDATE, held=(True, True, False))
    found = turns(
        rows,
        [(10, A, 0, 5, 1.0, 0), (10, B, 0, 5, 2.0, 0), (500, A, 0, 400, 3.0, 0)],
        [10, 699, 700],
    )

    assert [stamps(r) for r in found[0]] == [[(0, 5)], [], [(0, 400)]]
    assert found[0][2].values[0, :2].tolist() == [3.0, 2.0]


def test_changes_only_tags_do_not_make_rows_beside_others() -> None:
    """A setpoint over OPC UA does not add rows to a sensor's over MQTT."""
    rows = builder(UPDATE, held=(False, True, False))
    found = turns(
        rows, [(10, B, 0, 5, 2.0, 0), (300, A, 0, 290, 3.0, 0)], [10, 300, 900]
    )

    assert [stamps(r) for r in found[0]] == [[], [(0, 290)], []]


def test_a_tick_sees_what_arrived_by_then() -> None:
    """A value with an earlier stamp that arrived after the tick waits for the next."""
    rows = builder([TriggerSpec(every=1.0)])
    found = turns(
        rows,
        [(900, A, 0, 890, 1.0, 0), (900, B, 0, 890, 1.0, 0), (1001, A, 0, 950, 2.0, 0)],
        [2500],
    )[0][0]

    assert stamps(found)[::3] == [(0, 1000), (0, 2000)]
    assert found.values[[0, 3], 0].tolist() == [1.0, 2.0]


def test_parts_with_their_results() -> None:
    """Each stamp of the part's tag is a part; its cycle began at the one before."""
    rows = builder(TRIGGERS[2:3])
    found = turns(
        rows,
        [
            (100, A, 0, 90, 5.0, 0),
            (200, A, 0, 200, 1.0, 0),
            (200, B, 0, 200, 1.0, 0),
            (210, PART, 0, 200, 7.0, 0),
            (300, A, 0, 300, 3.0, 0),
            (400, A, 0, 400, 2.0, 0),
            (410, B, 0, 400, 2.0, 0),
            (410, PART, 0, 400, 7.0, 0),
        ],
        [205, 210, 410],
    )[0]

    assert [r.part for r in found] == [(), ("id7",), ("id7",)]
    assert stamps(found[2]) == [(0, 400)]
    assert found[1].missing[0, 4] == NoScore.WARMING_UP
    assert found[2].values[0, 4] == 3.0


def test_parts_announced_at_their_start() -> None:
    """Another id ends the part before it; its own samples are the next part's."""
    rows = builder(TRIGGERS[3:])
    found = turns(
        rows,
        [
            (100, PART, 0, 100, 7.0, 0),
            (100, A, 0, 100, 9.0, 0),
            (150, PART, 0, 150, 7.0, 0),
            (200, A, 0, 190, 4.0, 0),
            (200, PART, 0, 200, 8.0, 0),
            (200, A, 0, 200, 99.0, 0),
        ],
        [399, 400],
    )[0]

    assert [r.part for r in found] == [(), ("id7",)]
    assert found[1].at.tolist() == [T0 + 200 * MS - 1]
    assert found[1].values[0, 4] == 9.0


def test_a_saved_stamp_of_a_dead_time_axis_is_ignored() -> None:
    """A checkpoint from before the clock was set back does not silence the agent."""
    rows = builder(UPDATE)
    trigger = rows.pipelines[0][1]
    trigger.restore({"closed": {"M1": T0 + 86400 * SECOND}}, T0)
    whole = [(10, A, 0, 5, 1.0, 0), (10, B, 0, 5, 2.0, 0)]

    assert stamps(rows.advance(batch(whole), T0 + 10 * MS).rows[0]) == [(0, 5)]


def test_a_sample_stamped_before_the_last_turn_counts_as_received_after_it() -> None:
    """A push that lost the race with a turn cannot change a tick already scored."""
    rows = builder([TriggerSpec(every=1.0)])
    rows.advance(batch([]), T0 + 1000 * MS)
    late = rows.advance(batch([(990, A, 0, 990, 1.0, 0)]), T0 + 2000 * MS)

    assert stamps(late.rows[0])[0] == (0, 2000)
    assert late.rows[0].values[0, 0] == 1.0


def test_rounds_have_each_asset_once() -> None:
    """Rows are split so that alarms see one row of an asset at a time, in order."""
    rows = builder(UPDATE)
    queue = [(10, r, a, t, 1.0, 0) for a in (0, 1) for r in (A, B) for t in (1, 2)]
    found = rows.advance(batch(queue), T0 + 10 * MS).rows[0]
    rounds = [sorted(stamps(found.take(select))) for select in found.rounds()]

    assert rounds == [[(0, 1), (1, 1)], [(0, 2), (1, 2)]]


@pytest.mark.parametrize(
    "trigger",
    [TriggerSpec(), TriggerSpec(every=1.0, on="update"), TriggerSpec(on="cycle")],
)
def test_a_trigger_is_exactly_one(trigger: TriggerSpec) -> None:
    """Neither nothing nor two things at once can say when a row is due."""
    with pytest.raises(ValueError, match="one of"):
        builder([trigger])


def test_an_empty_recording_has_no_rows() -> None:
    """A notebook with nothing recorded gets a table with columns and no rows."""
    rows = offline_rows(KIND, SPECS, UPDATE[0], batch([]))

    assert rows.values.shape == (0, len(SPECS))


@given(seed=st.integers(0, 2**16), wider=st.integers(64, 2048))
@settings(max_examples=30)
def test_a_window_that_grows_forgets_nothing(seed: int, wider: int) -> None:
    """Rows after it are those of a window that was as deep from the start."""
    random = np.random.default_rng(seed)
    early = _drawn(random, 0, 4000)
    late = _drawn(random, 4001, 8000)
    grown, deep = builder(depth=64), builder(depth=max(64, wider))
    for rows in (grown, deep):
        turns(rows, early, [4000])
    grown.window.deepen(wider)

    for mine, theirs in zip(
        turns(grown, late, [8000]), turns(deep, late, [8000]), strict=True
    ):
        assert by_asset(mine) == by_asset(theirs)


def _drawn(random: np.random.Generator, first: int, last: int) -> list[Arrival]:
    """Values of random tags at random moments, in order of arrival."""
    moments = sorted(random.integers(first, last + 1, 60).tolist())
    return [
        (
            at,
            int(random.integers(0, PART)),
            int(random.integers(0, len(KIND.assets))),
            at - int(random.integers(0, 40)),
            float(random.normal()),
            0,
        )
        for at in moments
    ]
