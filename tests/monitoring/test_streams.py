from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_agent.monitoring.statistics.adwin import Adwin
from edge_agent.monitoring.statistics.page_hinkley import PageHinkley, Way
from tests.end_to_end.figures import FULL
from tests.monitoring import oracles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64

    Either = Adwin | PageHinkley
    Arrays = dict[str, NDArray[np.generic]]

needs_oracles = pytest.mark.skipif(
    not oracles.ORACLES.exists(), reason="the oracles are not here"
)

QUICK: dict[str, Either] = {
    "adwin": Adwin(delta=0.3, clock=3, fewest=2, grace=4),
    "page_hinkley": PageHinkley(threshold=2.0, fewest=5, delta=0.01),
}
of_both = pytest.mark.parametrize("name", sorted(QUICK))


def chance(n: int) -> F64:
    """Numbers between 0 and 1, from a generator that anyone can write down."""
    x, found = 12345, []
    for _ in range(n):
        x = (1103515245 * x + 12345) % 2**31
        found.append(x / 2**31)
    return np.array(found)


def made(name: str) -> F64:
    """Streams with known changes, numbers 0 to 2,000 or more."""
    i = np.arange(5000)
    u = chance(5000)
    if name == "errors":
        return np.where(i < 1000, u < 0.2, u < 0.5)[:2000].astype(float)
    if name == "step":
        return (0.5 + 0.2 * (u - 0.5) + 0.3 * (i >= 1000))[:2000]
    if name == "slope":
        return (0.5 + 0.2 * (u - 0.5) + 0.3 * np.clip((i - 1000) / 2000, 0, 1))[:4000]
    if name == "down":
        return (10.0 + (u - 0.5) - (i >= 1500))[:3000]
    return 0.5 + 0.2 * (u - 0.5)


@pytest.mark.parametrize(
    ("name", "detector", "wanted"),
    [
        ("errors", "river.ADWIN_default", [1087]),
        ("errors", "river.ADWIN_delta0.05_clock1", [1041]),
        ("errors", "river.PageHinkley_default", [1166]),
        ("errors", "river.PageHinkley_up_thr20_alpha1", [1058]),
        ("step", "river.ADWIN_default", [1055]),
        ("step", "river.ADWIN_delta0.05_clock1", [1017]),
        ("step", "river.PageHinkley_default", [1186]),
        ("step", "river.PageHinkley_thr5_delta0.005", [1015]),
        ("slope", "river.ADWIN_default", [1407, 2175, 2911]),
        ("slope", "river.ADWIN_delta0.05_clock1", [1300, 1891, 2406, 2966]),
        ("slope", "river.PageHinkley_default", [1941, 3183]),
        ("slope", "river.PageHinkley_up_thr20_alpha1", [1566, 2371, 3190]),
        ("down", "river.ADWIN_default", [1535]),
        ("down", "river.PageHinkley_default", [1549]),
        ("down", "river.PageHinkley_up_thr20_alpha1", []),
        ("calm", "river.ADWIN_default", []),
        ("calm", "river.ADWIN_delta0.05_clock1", []),
        ("calm", "river.PageHinkley_default", []),
        ("calm", "river.PageHinkley_thr5_delta0.005", []),
    ],
)
def test_changes_are_seen_where_river_sees_them(
    name: str, detector: str, wanted: list[int]
) -> None:
    """On streams with known changes the places are river's, and none on a calm one."""
    after, places = oracles.DETECTORS[detector].update(made(name))
    assert places.tolist() == wanted
    assert after.changes == len(wanted)


@needs_oracles
@pytest.mark.parametrize("detector", sorted(oracles.DETECTORS))
def test_every_oracle_has_its_changes(detector: str) -> None:
    """On all eight streams the number of changes, their places and the window are."""
    theirs = oracles.results(oracles.RIVER)
    for stream, values in oracles.streams().items():
        wanted = theirs[stream][detector]
        begun = wanted["drift_indices"]
        # the file has the first forty of a long list
        whole = FULL or len(values) <= 5_000
        part = values if whole else values[: begun[-1] + 1]
        after, places = oracles.DETECTORS[detector].update(part)
        assert places[: len(begun)].tolist() == begun, stream
        assert len(places) == (wanted["n_drifts"] if whole else len(begun)), stream
        if whole and isinstance(after, Adwin):
            assert after.window.width == wanted["final_width"], stream
            assert after.mean == pytest.approx(wanted["final_estimation"]), stream
            if len(begun) == len(places) > 0:
                assert after.kept == wanted["width_after"][-1], stream


numbers = st.one_of(
    st.floats(-3, 3),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e300]),
)
streams = st.lists(st.tuples(numbers, st.integers(1, 40)), min_size=1, max_size=12).map(
    lambda runs: np.concatenate([np.full(times, x) for x, times in runs])
)


@of_both
@settings(max_examples=40)
@given(streams, st.data())
def test_halves_and_single_numbers_are_the_whole(
    name: str, stream: F64, data: st.DataObject
) -> None:
    """All at once, in two parts with a restart between, or one by one: the same."""
    whole, places = QUICK[name].update(stream)
    cut = data.draw(st.integers(0, len(stream)))
    first, begun = QUICK[name].update(stream[:cut])
    second, rest = QUICK[name].restored(first.saved()).update(stream[cut:])
    assert [*begun.tolist(), *(rest + cut).tolist()] == places.tolist()
    assert second == whole
    single, found = QUICK[name], []
    for place, x in enumerate(stream):
        single, seen = single.update(np.array([x]))
        found += [place] * len(seen)
    assert found == places.tolist()
    assert single == whole


@of_both
@settings(max_examples=25)
@given(streams, st.data())
def test_what_is_not_finite_is_counted_and_changes_nothing(
    name: str, stream: F64, data: st.DataObject
) -> None:
    """Gaps are counted, the places told are those in the stream with its gaps."""
    clean = stream[np.abs(stream) <= 1e100]
    gaps = data.draw(
        hnp.arrays(np.int64, st.integers(0, 9), elements=st.integers(0, len(clean)))
    )
    dirty = np.insert(clean, gaps, np.nan)
    before = dirty.copy()
    _, wanted = QUICK[name].update(clean)
    after, places = QUICK[name].update(dirty)
    np.testing.assert_array_equal(dirty, before)
    assert after.dropped == len(gaps)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(dirty))[wanted], places)


@of_both
def test_a_jump_is_seen(name: str) -> None:
    """The property tests mean something: this detector does see changes."""
    stream = np.r_[np.tile([0.0, 0.1], 40), np.tile([2.0, 2.1], 40)]
    after, places = QUICK[name].update(stream)
    assert len(places) == after.changes >= 1
    assert places[0] >= 80


@of_both
@pytest.mark.parametrize("scale", [0.125, 4.0, 1024.0])
def test_a_scale_makes_a_signal_like_any_other(name: str, scale: float) -> None:
    """A signal in another unit changes at the same places once its scale is told."""
    stream = made("step") * 10.0
    plain, wanted = QUICK[name].update(stream)
    scaled, places = replace(QUICK[name], scale=scale).update(stream * scale)
    assert len(wanted) > 0
    np.testing.assert_array_equal(places, wanted)
    assert scaled.mean == pytest.approx(plain.mean * scale)


@needs_oracles
def test_a_raw_signal_without_its_scale_is_nothing_but_changes() -> None:
    """NOx in mg/m3 "changes" 946 times; over its first year's spread, far less."""
    signal = oracles.streams()["gas_turbine_NOX_2011_2015"]
    spread = float(np.std(signal[:7411]))
    assert len(PageHinkley().update(signal)[1]) == 946
    assert len(PageHinkley(scale=spread).update(signal)[1]) == 122


def test_a_long_window_is_kept_in_little() -> None:
    """Of a hundred thousand numbers a few dozen buckets are kept."""
    calm = np.tile(made("calm"), 20)
    after, places = Adwin().update(calm)
    assert not len(places)
    assert after.window.width == 100_000
    buckets = len(after.saved()["buckets"]) // 2
    assert buckets <= 5 * (math.log2(100_000) + 1)


@of_both
@pytest.mark.parametrize(
    "broken",
    [
        {"counts": np.array([1, 2], np.int64)},
        {"counts": np.array([-1] * 5, np.int64)},
        {"counts": np.array([-1] * 3, np.int64)},
        {"counts": np.array([1.0, 1.0, 1.0])},
        {"sums": np.array([np.nan, 1.0, 1.0, 1.0, 1.0])},
        {"sums": np.array([np.nan, 1.0])},
        {"sums": np.zeros((5, 2))},
        {"sums": np.zeros(2, np.float32)},
    ],
)
def test_a_checkpoint_of_something_else_is_refused(name: str, broken: Arrays) -> None:
    """A damaged state is told, not gone on with."""
    saved = QUICK[name].update(np.arange(9.0) / 9.0)[0].saved()
    with pytest.raises(ValueError, match=r"\w"):
        QUICK[name].restored({**saved, **broken})
    with pytest.raises(KeyError):
        QUICK[name].restored({})


@pytest.mark.parametrize(
    "broken",
    [
        {"levels": np.zeros(0, np.int64)},
        {"levels": np.array([6], np.int64)},
        {"levels": np.array([-1, 5], np.int64)},
        {"levels": np.array([1], np.int64)},
        {"levels": np.zeros(99, np.int64)},
        {"buckets": np.zeros(3)},
    ],
)
def test_buckets_must_make_the_window(broken: Arrays) -> None:
    """ADWIN takes no window back whose buckets do not add up."""
    saved = Adwin().update(np.arange(9.0))[0].saved()
    with pytest.raises(ValueError, match=r"\w"):
        Adwin().restored({**saved, **broken})


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_a_scale_is_above_zero(scale: float) -> None:
    """A detector without a unit to measure in is not made."""
    with pytest.raises(ValueError, match="scale"):
        Adwin(scale=scale)
    with pytest.raises(ValueError, match="scale"):
        PageHinkley(scale=scale)


def test_one_way_is_blind_to_the_other() -> None:
    """Page-Hinkley upwards does not tell a fall, downwards no rise."""
    up = np.r_[np.zeros(100), np.ones(100)]
    for way, stream, sees in (
        (Way.UP, up, True),
        (Way.DOWN, up, False),
        (Way.UP, -up, False),
        (Way.DOWN, -up, True),
        (Way.BOTH, -up, True),
    ):
        _, places = PageHinkley(threshold=5.0, way=way).update(stream)
        assert bool(len(places)) == sees, (way, sees)
