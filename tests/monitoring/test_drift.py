"""Drift is found where there is one, and healthy data stays quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.monitoring.drift.independence import chance
from edge_agent.monitoring.drift.verdicts import (
    Look,
    Stretch,
    Unjudged,
    alpha_of,
    looked,
)
from edge_agent.monitoring.tallies import Tallies, counted
from tests.monitoring import plants, public

if TYPE_CHECKING:
    from edge_agent.monitoring.drift.yardstick import Yardstick
    from edge_agent.samples import F64

MINUTE, DAY = 60.0, 86_400.0
TRAINED = plants.ar1(np.random.default_rng(0), 20_000, 4, 0.9)
STICK = plants.yardstick(plants.reference_of(TRAINED, MINUTE))
ALPHA = alpha_of(1.0, 4, DAY)


def look_at(table: F64, stick: Yardstick = STICK) -> Look:
    """Rows a minute, as one window."""
    live = counted(stick.grid, table.astype(np.float32))
    return looked(stick.whole, live, Stretch(len(table) * MINUTE, 1.0, 24), ALPHA)


def test_the_same_process_is_quiet() -> None:
    """A day of the process the reference was made of is no drift, and judged."""
    look = look_at(plants.ar1(np.random.default_rng(1), 1440, 4, 0.9))

    assert not look.drifted.any()
    assert look.judged.all()


@pytest.mark.parametrize(
    ("times", "more"),
    [(1.0, 1.0), (1.0, -1.0), (2.0, 0.0), (0.2, 0.0)],
    ids=["higher", "lower", "wider", "narrower"],
)
def test_a_change_is_found(times: float, more: float) -> None:
    """Three days moved by one standard deviation, spread or pressed together."""
    days = plants.ar1(np.random.default_rng(2), 4320, 4, 0.9)

    look = look_at(days * times + more)

    assert look.drifted.all()


def test_a_sure_but_small_effect_is_not_told() -> None:
    """A month moved by an eighth of a standard deviation: p is tiny, nobody minds."""
    rng = np.random.default_rng(3)
    month = plants.ar1(rng, 43_200, 4, 0.0) + 0.12
    still = plants.yardstick(
        plants.reference_of(plants.ar1(rng, 40_000, 4, 0.0), MINUTE)
    )

    look = look_at(month, still)

    assert (look.p < 1e-3).all()
    assert not look.drifted.any()


def test_few_independent_rows_are_not_judged() -> None:
    """An hour of what wanders over days can tell nothing, and says so."""
    slow = plants.yardstick(
        plants.reference_of(
            plants.ar1(np.random.default_rng(8), 20_000, 4, 0.9995), MINUTE
        )
    )

    look = look_at(plants.ar1(np.random.default_rng(4), 60, 4, 0.9995), slow)

    assert (look.reason == Unjudged.TOO_FEW).all()
    assert not look.judged.any()


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "inf"])
def test_no_numbers_no_verdict(value: float) -> None:
    """A column without a number is neither drifted nor judged, and told as missing."""
    day = plants.ar1(np.random.default_rng(1), 1440, 4, 0.9)
    day[:, 2] = value

    look = look_at(day)

    assert look.reason.tolist() == [0, 0, Unjudged.NO_ROWS, 0]
    assert look.judged.tolist() == [True, True, False, True]
    assert not look.drifted[2]
    assert look.missing[2] == 1.0
    assert np.isfinite(look.strength).all()


def test_no_rows_at_all_are_answered() -> None:
    """An empty window judges nothing and raises nothing."""
    live = Tallies.empty(STICK.grid)

    look = looked(STICK.whole, live, Stretch(0.0, 1.0, 1), ALPHA)

    assert not look.drifted.any()
    assert not look.judged.any()


def test_a_constant_that_moves_is_found() -> None:
    """Where the reference never changed, one other value is drift; itself is not."""
    flat = plants.yardstick(
        plants.reference_of(np.c_[TRAINED[:, 0], np.full(20_000, 50.0)], MINUTE)
    )
    still = np.c_[TRAINED[:1440, 0], np.full(1440, 50.0)]
    moved = np.c_[TRAINED[:1440, 0], np.full(1440, 50.5)]

    assert look_at(still, flat).drifted.tolist() == [False, False]
    assert look_at(moved, flat).drifted.tolist() == [False, True]


def test_a_switch_that_is_on_more_often_is_found() -> None:
    """A column of 0 and 1 has bins of its own for both."""
    rng = np.random.default_rng(5)
    often = plants.yardstick(
        plants.reference_of((rng.random((20_000, 1)) < 0.2).astype(np.float64), MINUTE)
    )

    look = look_at((rng.random((1440, 1)) < 0.6).astype(np.float64), often)

    assert look.ks[0] == pytest.approx(0.4, abs=0.05)
    assert look.drifted.all()


def test_one_wild_number_is_no_drift() -> None:
    """A single reading of a million does not move the distribution."""
    day = plants.ar1(np.random.default_rng(1), 1440, 4, 0.9)
    day[700] = 1e6

    assert not look_at(day).drifted.any()


def test_without_calibration_only_gross_drift_is_told() -> None:
    """An older bundle cannot tell a wander from a drift: twice the effect is asked."""
    old = plants.yardstick(plants.reference_of(TRAINED, MINUTE, calibrate=False))
    day = plants.ar1(np.random.default_rng(2), 1440, 4, 0.9)

    assert not look_at(day + 0.6, old).drifted.any()
    assert look_at(day + 3.0, old).drifted.all()


@settings(deadline=None, max_examples=50)
@given(st.floats(0.01, 100), st.integers(1, 200), st.floats(600, 1e8))
def test_a_larger_budget_never_asks_for_more(
    budget: float, columns: int, window: float
) -> None:
    """The chance that is allowed grows with the budget and the window's length."""
    here = alpha_of(budget, columns, window)

    assert 0 < here <= 1
    assert alpha_of(budget * 2, columns, window) >= here
    assert alpha_of(budget, columns, window * 2) >= here
    assert alpha_of(budget, columns * 2, window) <= here


def test_p_is_that_of_kolmogorov() -> None:
    """With much freedom the p is scipy's for the asymptotic distribution."""
    from scipy.special import kolmogorov  # noqa: PLC0415

    errors = np.linspace(0.5, 8.0, 40)

    found = chance(2.0 * errors / 2.0, np.full(40, 1e9))

    assert found == pytest.approx(kolmogorov(errors / 2.0), abs=2e-4)


def test_what_the_assets_share_does_not_average_out() -> None:
    """Ten assets that move together are worth less than ten that do not."""
    rng = np.random.default_rng(6)
    many, count = 10, 4000
    apart = plants.ar1(rng, count, many, 0.95)
    common = np.repeat(plants.ar1(rng, count, 1, 0.95), many, axis=1)
    asset = np.tile(np.arange(many), count)
    found = {}
    for name, table in (("apart", apart), ("common", common)):
        stick = plants.yardstick(
            plants.reference_of(table.reshape(-1, 1), MINUTE, asset)
        )
        live = counted(stick.grid, table[:1440].reshape(-1, 1).astype(np.float32))
        stretch = Stretch(1440 * MINUTE, 10.0, 24)
        found[name] = looked(stick.whole, live, stretch, ALPHA).n_eff[0]

    assert found["apart"] > 5 * found["common"]


def test_other_assets_may_lie_elsewhere() -> None:
    """Where each asset lies counts for new assets, not for those of the training."""
    rng = np.random.default_rng(7)
    many, count = 8, 2000
    table = plants.ar1(rng, count, many, 0.5) + 3.0 * np.arange(many)
    names = tuple(f"P-{i}" for i in range(many))
    reference = plants.reference_of(
        table.reshape(-1, 1), MINUTE, np.tile(np.arange(many), count), names=names
    )
    worth = {}
    for label, here in (("same", names), ("new", tuple("ABCDEFGH"))):
        stick = plants.yardstick(reference, here)
        live = counted(stick.grid, table[:1440].reshape(-1, 1).astype(np.float32))
        stretch = Stretch(1440 * MINUTE, float(many), 24)
        worth[label] = looked(stick.whole, live, stretch, ALPHA).n_eff[0]

    assert worth["new"] < 5
    assert worth["same"] > 100


@pytest.mark.skipif(public.gas_turbine() is None, reason="no public data here")
def test_a_turbine_four_years_on() -> None:
    """Emissions and the air filter have drifted, the weather has not (KS p 5e-7)."""
    names, years = public.gas_turbine() or ([], [])
    stick = plants.yardstick(plants.reference_of(years[0], 3600.0))
    live = counted(stick.grid, years[4].astype(np.float32))

    look = looked(
        stick.whole,
        live,
        Stretch(len(years[4]) * 3600.0, 1.0, 24),
        alpha_of(1.0, len(names), 365 * DAY),
    )

    drifted = {name for name, yes in zip(names, look.drifted, strict=True) if yes}
    assert {"CO", "NOX", "AFDP"} <= drifted
    assert not {"AT", "AP"} & drifted


@pytest.mark.skipif(public.skab_halves() is None, reason="no public data here")
@pytest.mark.parametrize("turned", [False, True])
def test_a_healthy_rig_in_halves_is_quiet(*, turned: bool) -> None:
    """No tag of SKAB's healthy file is told of, though it warms up all the while."""
    names, first, second = public.skab_halves() or ([], TRAINED, TRAINED)
    one, other = (second, first) if turned else (first, second)
    stick = plants.yardstick(plants.reference_of(one, 1.0))
    live = counted(stick.grid, other.astype(np.float32))

    alpha = alpha_of(1.0 / 3, len(names), len(other))
    look = looked(stick.whole, live, Stretch(float(len(other)), 1.0, 24), alpha)

    assert not look.drifted.any()
    assert look.judged.sum() >= 2


def test_a_shift_the_reference_does_not_know_is_held_against_its_recipe() -> None:
    """A gateway that tells shifts apart does not make every row strange."""
    names = ["thick"] * 10_000 + ["thin"] * 10_000
    made = plants.yardstick(plants.reference_of(TRAINED, MINUTE, contexts=names))

    assert made.profile("thin/early") is made.profile("thin") is made.contexts["thin"]
    assert made.profile("thin") is not made.profile("thick")
    assert made.profile("other/early") is None
    assert made.profile("") is made.whole
