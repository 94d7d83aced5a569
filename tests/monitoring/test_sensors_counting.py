"""Samples summed up by tag: any cut, any order of tags, the same sums."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.monitoring.sensors.counting import summed
from edge_agent.monitoring.sensors.sums import NEVER, Sums, Trail
from edge_agent.samples import NANOSECONDS, Quality, SampleBatch
from tests.monitoring.streams import KIND, START, facts, tag

FACTS = facts()
SPIKE = np.full(KIND.size, 3.0)


def fresh() -> tuple[Sums, Trail]:
    """Before any sample."""
    return Sums.fresh(KIND.size), Trail.fresh(KIND.size)


@st.composite
def batches(draw: st.DrawFn) -> SampleBatch:
    """A few tags' samples in order of arrival; some bad, some empty."""
    n = draw(st.integers(1, 60))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    received = START + np.cumsum(random.integers(0, 2 * NANOSECONDS, n))
    value = random.integers(0, 8, n).astype(np.float64)
    value[random.random(n) < 0.1] = np.nan
    return SampleBatch(
        random.integers(0, KIND.size, n).astype(np.int32),
        received - random.integers(0, NANOSECONDS, n),
        value,
        random.choice([0, 0, 0, 1, 2], n).astype(np.uint8),
        received,
    )


@given(batches(), st.integers(0, 60))
def test_any_cut_of_a_batch_gives_the_same_sums(batch: SampleBatch, cut: int) -> None:
    """Turns may be cut anywhere."""
    whole = summed(*fresh(), FACTS, batch, SPIKE)
    parts = summed(*fresh(), FACTS, batch.take(slice(0, cut)), SPIKE)
    parts = summed(*parts, FACTS, batch.take(slice(cut, None)), SPIKE)

    for place, kind in enumerate((Sums, Trail)):
        for f in fields(kind):
            one, other = (getattr(found[place], f.name) for found in (whole, parts))
            np.testing.assert_allclose(one, other, rtol=1e-9, err_msg=f.name)


@given(batches())
def test_sums_are_those_of_a_plain_loop(batch: SampleBatch) -> None:
    """Sorting and reducing is only a faster loop."""
    sums, trail = summed(*fresh(), FACTS, batch, SPIKE)

    for place in range(12):
        rows = [i for i in range(len(batch)) if batch.tag[i] == place]
        good = [
            i
            for i in rows
            if np.isfinite(batch.value[i]) and batch.quality[i] < Quality.BAD
        ]
        assert sums.count[place] == len(good)
        assert sums.bad[place] == len(rows) - len(good)
        assert (trail.bad[place] != NEVER) == bool(rows and rows[-1] not in good)
        if not good:
            continue
        values = batch.value[good]
        leaps = np.diff(values, prepend=values[0])
        assert sums.total[place] == values.sum()
        assert sums.changes[place] == np.count_nonzero(leaps)
        assert sums.travel[place] == np.abs(np.diff(leaps, prepend=0.0)).sum()
        gaps = np.diff(batch.received[good], prepend=batch.received[good][0])
        assert sums.gap[place] == gaps.max() / NANOSECONDS
        moves = np.flatnonzero(leaps)
        changed = np.append(0, moves)
        at = batch.received[good][changed]
        assert trail.changed[place] == at[-1]
        assert trail.repeats[place] == len(good) - 1 - changed[-1] + (not len(moves))
        assert sums.held[place] == np.diff(at, prepend=at[0]).max() / NANOSECONDS


def test_texts_and_other_types_are_passed_over() -> None:
    """Indices into texts are no readings, and other types have their own watch."""
    other = replace(KIND, base=100)
    table_facts = replace(FACTS, kind=other)
    batch = SampleBatch.of([0, 99, 112, 116, 100 + tag(3)], [START] * 5, [1.0] * 5)

    sums, trail = summed(*fresh(), table_facts, batch, SPIKE)

    assert sums.count.sum() == 0
    assert np.isnan(trail.value).all()


def test_a_value_that_comes_back_at_once_is_a_spike_and_a_step_is_none() -> None:
    """The one is a loose contact, the other may be the process."""
    values = {
        0: [5, 5, 50, 5, 5],
        1: [5, 5, 50, 50, 50],
        2: [5, 5, 7, 5, 5],
        3: [5, 5, 50, 30, 30],
    }
    n = 5
    batch = SampleBatch.of(
        np.repeat(np.arange(4, dtype=np.int32), n),
        np.tile(START + np.arange(n) * NANOSECONDS, 4),
        [float(v) for own in values.values() for v in own],
    )

    sums, _ = summed(*fresh(), FACTS, batch, SPIKE)

    assert sums.spikes[:4].tolist() == [1, 0, 0, 0]
