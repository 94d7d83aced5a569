"""Health of tags: each fault is told, and what is usual is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.sensors import Facts, restored, saved
from edge_agent.monitoring.sensors.moves import Motion, learned, moved, unusual
from edge_agent.monitoring.sensors.units import FACTORS, factor
from edge_agent.samples import AssetType, Quality, SampleBatch
from tests.monitoring.streams import (
    ASSETS,
    FLOW,
    KIND,
    PRESSURE,
    ROLES,
    WARMTH,
    Stream,
    broken,
    stamped,
    tag,
    usual,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.samples import F64

LEARN = 8.0
"""Minutes until single tags are judged."""
LONG = 70.0
"""Minutes until movements are."""
BAD = np.uint8(Quality.BAD)


def ill(change: Callable[[F64], F64], place: int, minutes: float = LEARN) -> Stream:
    """A stream that is healthy for some minutes and then has one odd tag."""
    return Stream(values=broken(change, place, minutes * 60))


@pytest.mark.parametrize("held", [False, True])
def test_a_value_that_stands_against_its_own_noise_is_stuck(*, held: bool) -> None:
    """Over MQTT the value is repeated, over OPC UA nothing comes: it is the same."""
    stream = ill(lambda own: np.full_like(own, 51.25), tag(FLOW))
    stream.held = held
    stream.__post_init__()

    assert stream.watch(LEARN) == set()
    assert stream.watch(2) == {(What.SENSOR_STUCK, "B", "flow")}
    sentence = stream.look().conditions[0].sentence
    assert sentence.startswith("Flow of B has shown 51.25 m3/h without any change for")
    assert "usually changes every 1 s" in sentence


def test_a_silent_tag_is_a_dropout_only_where_silence_says_something() -> None:
    """An MQTT tag repeats itself; an OPC UA tag may have nothing new to say."""
    place = tag(WARMTH)
    stream = Stream(send=without(place, 480))

    assert stream.watch(LEARN) == set()
    assert stream.watch(1) == {(What.SENSOR_DROPOUT, "B", "warmth")}


def test_gaps_and_bad_quality_are_dropouts() -> None:
    """Half of the samples lost, or marked BAD, is told with its share."""
    random = np.random.default_rng(1)

    def send(batch: SampleBatch) -> SampleBatch:
        late = batch.time >= batch.time.min()
        lost = (batch.tag == tag(FLOW)) & (random.random(len(batch)) < 0.5)
        bad = (batch.tag == tag(PRESSURE)) & (random.random(len(batch)) < 0.5)
        quality = np.where(bad & late, BAD, batch.quality)
        return replace(batch, quality=quality).take(~lost)

    stream = Stream()

    assert stream.watch(LEARN) == set()
    stream.send = send
    assert stream.watch(2) == {
        (What.SENSOR_DROPOUT, "B", "flow"),
        (What.SENSOR_DROPOUT, "B", "pressure"),
    }


def test_spikes_are_told_by_their_count() -> None:
    """A reading that jumps away for one sample every half minute."""

    def spiky(own: F64) -> F64:
        own = own.copy()
        own[::7] += 30.0
        return own

    stream = ill(spiky, tag(FLOW))

    assert stream.watch(LEARN) == set()
    assert (What.SENSOR_SPIKES, "B", "flow") in stream.watch(2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda own: own + 100.0, "outside its range of 0 to 100 m3/h"),
        (lambda own: np.full_like(own, 100.0), "upper end of its range"),
        (np.zeros_like, "lower end of its range"),
    ],
)
def test_beyond_or_at_an_end_of_the_range_is_told_as_that(
    change: Callable[[F64], F64], words: str
) -> None:
    """Broken wires and short circuits drive a signal to an end."""
    stream = ill(change, tag(FLOW))

    assert stream.watch(LEARN) == set()
    assert (What.SENSOR_RANGE, "B", "flow") in stream.watch(3)
    assert words in stream.look().conditions[0].sentence


@pytest.mark.parametrize(("times", "word"), [(5.0, "noisy"), (0.2, "still")])
def test_noise_up_and_down_is_told(times: float, word: str) -> None:
    """A loose shield, or a damping that somebody turned up."""

    def values(seconds: F64, random: np.random.Generator) -> F64:
        found = usual(seconds, random)
        late, place = seconds >= LEARN * 60, tag(WARMTH)
        calm = 40 + np.sin(seconds / 700.0)
        noise = found[:, place] - calm
        found[late, place] = (calm + times * noise)[late]
        return found

    stream = Stream(values=values)

    assert stream.watch(LEARN) == set()
    assert stream.watch(5) == {(What.SENSOR_NOISE, "B", "warmth")}
    assert word in stream.look().conditions[0].sentence


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (lambda passed: passed + 1.0, "one and the same stamp"),
        (lambda passed: 3.0 + 0.0 * passed, "s before it arrives"),
    ],
)
def test_a_clock_that_stands_or_jumps_is_told_once_for_its_asset(
    late: Callable[[F64], F64], words: str
) -> None:
    """A device has one clock for all of its tags."""
    stream = Stream(send=stamped(late, 1, 480))

    assert stream.watch(LEARN) == set()
    assert (What.SENSOR_CLOCK, "B", "") in stream.watch(3)
    assert words in stream.look().conditions[0].sentence


def test_a_step_of_one_tag_is_told_and_one_of_all_is_not() -> None:
    """Flow and pressure move together here: one alone is its transmitter."""
    stream = ill(lambda own: own + 12.0, tag(FLOW), LONG)

    assert stream.watch(LONG) == set()
    assert stream.watch(2) == {(What.SENSOR_STEP, "B", "flow")}
    assert "within 2 min" in stream.look().conditions[0].sentence
    move = stream.look().moves[0]
    assert (move.asset, move.alone, move.ready) == ("B", "flow", True)


def test_tags_that_move_unlike_before_are_several() -> None:
    """Pressure up and flow down: no single transmitter explains it."""

    def values(seconds: F64, random: np.random.Generator) -> F64:
        found = usual(seconds, random)
        late = seconds >= LONG * 60
        found[late, tag(FLOW)] -= 35.0
        found[late, tag(PRESSURE)] += 3.5
        return found

    stream = Stream(values=values)

    assert stream.watch(LONG + 3) == set()
    move = stream.look().moves[0]
    assert (move.asset, move.alone, move.ready) == ("B", "", True)
    assert {shift.role for shift in move.shifts[:2]} == {"flow", "pressure"}


@pytest.mark.parametrize(
    ("place", "times", "plus", "name"),
    [
        (tag(FLOW), 10.0, 0.0, "times 10"),
        (tag(FLOW), 1 / 3.6, 0.0, "m3/h to l/s"),
        (tag(PRESSURE), 14.5038, 0.0, "bar to psi"),
        (tag(WARMTH), 1.8, 32.0, "degC to degF"),
        (tag(WARMTH), 1.0, 273.15, "degC to K"),
    ],
)
def test_a_jump_by_a_known_factor_is_a_unit(
    place: int, times: float, plus: float, name: str
) -> None:
    """The scaling was changed in the controller."""
    stream = ill(lambda own: times * own + plus, place, LONG)

    assert stream.watch(LONG) == set()
    assert (What.SENSOR_UNIT, "B", ROLES[place // 4]) in stream.watch(2)
    assert f"exactly {name}" in stream.look().conditions[0].sentence


def test_every_factor_is_found_and_a_step_is_none() -> None:
    """A step leaves the noise alone, and fits no factor but by chance."""
    for one in FACTORS:
        unit = next(iter(one.units), "")
        before = 42.0
        found = factor(
            unit, before, one.times * before + one.plus, 0.05, np.log(one.times)
        )
        assert found is not None
        assert found[0].times == pytest.approx(one.times, rel=0.02)
        assert found[0].plus == pytest.approx(one.plus)
    assert factor("bar", 5.0, 7.3, 0.05, 0.0) is None
    assert factor("m3/h", 5.0, 50.0, 0.05, 0.0) is None


def quiet(seconds: F64, random: np.random.Generator) -> F64:
    """Tags that are odd by nature: coarse, set by hand, and as slow as the day."""
    found = usual(seconds, random)
    found[:, 0] = np.round(found[:, 0] / 4.0) * 4.0
    found[:, 1] = 50.0 + 5.0 * (seconds // 1500 % 3)
    found[:, 2] = 50.0
    found[:, 8] = (
        40 + 10 * np.sin(seconds / 5000.0) + random.normal(0, 0.02, len(seconds))
    )
    found[:, 9] = np.round(40 + 10 * np.sin(seconds / 5000.0))
    return found


@pytest.mark.parametrize("held", [False, True])
def test_coarse_tags_set_points_and_constants_are_quiet(*, held: bool) -> None:
    """Each is held against its own past, and what never moves is not expected to."""
    stream = Stream(held=held, values=quiet)

    assert stream.watch(150) == set()
    assert stream.look().moves == []


def test_a_set_point_that_is_moved_in_bursts_may_stand_for_long() -> None:
    """People turn a knob twenty times and then leave it for an hour."""

    def values(seconds: F64, random: np.random.Generator) -> F64:
        found = usual(seconds, random)
        turned = np.minimum(seconds % 80, 20) + 20 * (seconds // 80)
        found[:, tag(FLOW)] = 30 + np.minimum(turned, 260) % 7
        return found

    stream = Stream(values=values)

    assert stream.watch(60) == set()


def test_long_autocorrelated_tags_are_quiet() -> None:
    """AR(1) with a coefficient of 0.99 wanders far, and none of it is a fault."""
    state = np.zeros(12)

    def values(seconds: F64, random: np.random.Generator) -> F64:
        found: F64 = np.empty((len(seconds), 12))
        for row in found:
            state[:] = 0.99 * state + random.normal(size=12)
            row[:] = state
        found *= np.repeat([0.5, 0.05, 0.5], 4)
        found += np.repeat([50.0, 5.0, 40.0], 4)
        return found

    stream = Stream(values=values)

    assert stream.watch(200) == set()


def test_a_machine_that_stops_and_starts_is_quiet() -> None:
    """Two tags at the low end of their range: it stands still, and nothing is wrong."""

    def values(seconds: F64, random: np.random.Generator) -> F64:
        found = usual(seconds, random)
        rest = (seconds >= LONG * 60) & (seconds < LONG * 60 + 900)
        found[rest, tag(FLOW)] = 0.0
        found[rest, tag(PRESSURE)] = 0.0
        return found

    stream = Stream(values=values)

    assert stream.watch(LONG) == set()
    assert stream.watch(40) == set()
    assert "B" not in stream.look().resting


def test_the_operators_state_tags_silence_an_asset() -> None:
    """An asset that does not run is not judged, whatever its tags show."""
    stream = ill(lambda own: np.full_like(own, 51.25), tag(FLOW))
    stream.watch(LEARN)
    stream.running = np.array([True, False, True, True])

    assert stream.watch(3) == set()
    assert stream.look().resting == {"B"}
    assert not stream.look().judged("B", "flow")


def test_a_link_that_is_down_is_no_fault_of_its_tags() -> None:
    """All tags of a source gone, or its word run out: the source tells that itself."""
    gone = Stream(send=lambda batch: batch)
    gone.watch(LEARN)
    gone.send = lambda batch: batch.take(slice(0, 0))
    unvouched = Stream(held=True)
    unvouched.watch(LEARN)
    unvouched.alive = unvouched.second
    unvouched.send = gone.send

    assert gone.watch(5) == set()
    assert unvouched.watch(5) == set()
    assert not unvouched.look().judged("A", "flow")


def test_all_tags_of_a_device_at_once_are_told_once() -> None:
    """A controller that hangs freezes every tag of its asset."""

    def values(seconds: F64, random: np.random.Generator) -> F64:
        found = usual(seconds, random)
        found[seconds >= LEARN * 60, 1::4] = [50.5, 5.5, 40.5]
        return found

    stream = Stream(values=values)
    stream.watch(LEARN)

    assert (What.SENSOR_STUCK, "B", "") in stream.watch(2)


def test_habits_survive_a_restart_and_the_time_away_is_no_gap() -> None:
    """A fault that begins right after a restart is told without learning anew."""
    stream = ill(lambda own: np.full_like(own, 51.25), tag(FLOW), LONG)
    stream.watch(LONG)
    arrays = saved(stream.health)
    stream.second += 300
    stream.health = restored(stream.facts, arrays, (ROLES, ASSETS), stream.now)

    assert stream.health.motion.judged.tolist() == [True, False, False]
    assert stream.watch(2) == {(What.SENSOR_STUCK, "B", "flow")}


def test_new_assets_begin_anew_and_old_ones_keep_their_habits() -> None:
    """The list of assets changes with the configuration."""
    stream = Stream()
    stream.watch(LONG)
    kind = AssetType("pump", ("D", "E", "B"), KIND.tags, 0)
    size = kind.size
    facts = Facts(kind, np.zeros(size, bool), np.zeros(size, np.int16))

    health = restored(facts, saved(stream.health), (ROLES, ASSETS), stream.now)

    known = health.habits.known.reshape(facts.shape)
    assert known[:3].tolist() == [[True, False, True]] * 3
    old, new = stream.health.motion.means[1], health.motion.means[1]
    np.testing.assert_array_equal(new[:3, [0, 2]], old[:3, [3, 1]])
    assert np.isnan(new[:, 1]).all()


def test_a_checkpoint_that_does_not_fit_is_refused() -> None:
    """A damaged state is begun anew by who restores it, never half used."""
    stream = Stream()
    arrays = saved(stream.health)

    with pytest.raises(ValueError, match="checkpoint of sensors"):
        restored(stream.facts, arrays, (ROLES, ASSETS[:3]), stream.now)
    del arrays["at"]
    with pytest.raises(KeyError):
        restored(stream.facts, arrays, (ROLES, ASSETS), stream.now)


def test_what_tags_tell_of_each_other_is_their_learned_relation() -> None:
    """Two tags that share their movement are tied, a third is not."""
    random = np.random.default_rng(5)
    motion, none, own = Motion.fresh(3, 8), np.zeros(8, bool), np.zeros((3, 8))
    for _ in range(400):
        own = random.normal(size=(3, 8))
        own[1] = 2 * own[0] + 0.1 * own[1]
        motion = moved(motion, own, 10.0, none)
        seen = unusual(motion, np.full(3, 1e-3))
        motion = learned(motion, seen, ~none, 10.0)
    odd = own.copy()
    odd[0, 3] += 40.0
    seen = unusual(moved(motion, odd, 10.0, none), np.full(3, 1e-3))

    assert seen.tied[0, :2].min() > 0.8
    assert seen.tied[0, 2] < 0.2
    assert seen.over[0, 3] > 1
    assert (np.delete(seen.over[0], 3) < 1).all()
    assert seen.leader[0, 3] == 0
    assert seen.alone[0, 3]
