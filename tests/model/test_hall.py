"""The simulated hall: repeatable, plausible, and its faults act where they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.demo.equipment import FAULTS, INSTRUMENTS, ROLES, SENSOR_FAULTS
from edge_agent.demo.hall import Hall

if TYPE_CHECKING:
    from edge_agent.samples import F64


def run(hall: Hall, seconds: float, dt: float = 0.5) -> dict[str, F64]:
    """Readings over some seconds, [steps, pumps] a role."""
    steps = [hall.step(dt) for _ in range(round(seconds / dt))]
    return {role: np.array([s[role] for s in steps]) for role in ROLES}


def test_the_same_seed_is_the_same_hall() -> None:
    """Training and demo see one and the same plant."""
    one, other, third = (run(Hall(seed), 30) for seed in (5, 5, 6))

    assert all(np.array_equal(one[r], other[r]) for r in ROLES)
    assert not np.array_equal(one["flow"], third["flow"])


def test_readings_stay_in_the_middle_of_the_instruments() -> None:
    """In normal running no transmitter clips, and every one is alive."""
    seen = run(Hall(1), 1800)

    for role, instrument in INSTRUMENTS.items():
        assert seen[role].min() > instrument.low, role
        assert seen[role].max() < instrument.high, role
        assert (seen[role].std(axis=0) > 0.5 * instrument.noise).all(), role


def test_pumps_follow_the_affinity_laws() -> None:
    """Over a pump's speeds flow grows with speed and head with its square."""
    seen = run(Hall(2, pumps=6), 4 * 3600, dt=5.0)
    head = seen["discharge_pressure"] - seen["suction_pressure"]

    for pump in range(6):
        speed = np.log(seen["speed"][:, pump])
        assert np.corrcoef(seen["flow"][:, pump], speed)[0, 1] > 0.8
        slope = np.polyfit(speed, np.log(head[:, pump]), 1)[0]
        assert 1.5 < slope < 2.5


def test_time_steps_do_not_change_the_plant() -> None:
    """A hall stepped five times as often shows the same noise and the same means."""
    fine, coarse = run(Hall(3), 1200, dt=0.2), run(Hall(3), 1200, dt=1.0)

    for role in ROLES:
        noise = [np.diff(seen[role], axis=0).std() / 2**0.5 for seen in (fine, coarse)]
        assert noise[0] == pytest.approx(noise[1], rel=0.35), role
        means = [seen[role].mean() for seen in (fine, coarse)]
        assert means[0] == pytest.approx(means[1], rel=0.08), role


@pytest.mark.parametrize(
    ("kind", "role", "sign"),
    [
        ("cavitation", "suction_pressure", -1),
        ("cavitation", "vibration_rms", 1),
        ("cavitation", "flow", -1),
        ("bearing_wear", "vibration_rms", 1),
        ("bearing_wear", "bearing_temperature", 1),
        ("impeller_wear", "flow", -1),
        ("blocked_discharge", "flow", -1),
        ("blocked_discharge", "discharge_pressure", 1),
        ("drifting_sensor", "flow", 1),
    ],
)
def test_a_fault_moves_what_it_moves_in_a_plant(
    kind: str, role: str, sign: int
) -> None:
    """The faulty pump differs from its healthy twin; its neighbours do not."""
    sick, sound = Hall(4), Hall(4)
    sick.inject(kind, 7)

    seen, healthy = run(sick, 90), run(sound, 90)

    moved = seen[role][-20:, 7].mean() - healthy[role][-20:, 7].mean()
    assert sign * moved > 3 * INSTRUMENTS[role].noise
    others = np.arange(24) != 7
    assert np.array_equal(seen[role][:, others], healthy[role][:, others])


def test_a_stuck_sensor_shows_one_number_and_the_rest_go_on() -> None:
    """Only the frozen reading stands still."""
    hall = Hall(4)
    run(hall, 5)
    hall.inject("stuck_sensor", 3, role="vibration_rms")

    seen = run(hall, 30)

    assert np.ptp(seen["vibration_rms"][:, 3]) == 0
    assert np.ptp(seen["flow"][:, 3]) > 0
    assert np.ptp(seen["vibration_rms"][:, 4]) > 0


def test_a_cleared_fault_is_gone() -> None:
    """After the repair the pump runs like its healthy twin, but for its warmth."""
    sick, sound = Hall(4), Hall(4)
    sick.inject("cavitation", 2)
    sick.inject("stuck_sensor", 2)
    run(sick, 20)
    run(sound, 20)
    assert sick.faults() == [("cavitation", 2), ("stuck_sensor", 2)]

    sick.clear(2)
    seen, healthy = run(sick, 10), run(sound, 10)

    assert sick.faults() == []
    assert np.array_equal(seen["flow"], healthy["flow"])


@pytest.mark.parametrize(
    ("kind", "pump", "role"),
    [("gremlin", 0, "flow"), ("cavitation", 24, "flow"), ("stuck_sensor", 0, "mood")],
)
def test_an_unknown_fault_is_an_error(kind: str, pump: int, role: str) -> None:
    """A typing error in a scenario does not pass as a quiet demo."""
    with pytest.raises(ValueError, match="no "):
        Hall(1).inject(kind, pump, role=role)


def test_every_fault_has_words_for_the_operator() -> None:
    """The demo tells what it did."""
    assert set(FAULTS) >= SENSOR_FAULTS
    assert all(len(text.split()) > 4 for text in FAULTS.values())
