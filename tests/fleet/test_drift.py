"""Merged drift is what counting all rows at once would have said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.fleet import drift as asking
from edge_agent.fleet.asked import Asked
from edge_agent.fleet.drift import NO_BASELINE, NO_CONTEXT, OTHER_BINS, drift
from edge_agent.monitoring.statistics.answers import of_tallies
from edge_agent.monitoring.tallies import Tallies
from tests.fleet import tallied
from tests.fleet.made import BEGIN, HOUR_US, put
from tests.fleet.tallied import FEATURES, hall

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.fleet.drift import Feature
    from edge_agent.fleet.lake import Lake

SITES = ("north", "south/ü [1]")


def of(found: tuple[Feature, ...], feature: str, site: str = "") -> Feature:
    """One of them."""
    (one,) = [f for f in found if (f.feature, f.site) == (feature, site)]
    return one


@pytest.mark.parametrize("seed", [1, 2])
def test_the_fleet_equals_merging_in_memory_exactly(
    archive: Path, opened: Callable[..., Lake], seed: int
) -> None:
    """Counts, sums, extremes and all statistics have the same bits."""
    made = hall(seed, SITES, gateways=4, hours=5)
    tallied.write(archive, made)

    found = drift(opened())
    sums = asking.merged(opened(), made.grid.width)

    assert of(found, "state").because == "the model was trained on one number only"
    assert of(found, "pressure").because == ""
    for site in ("", *SITES):
        total = made.of(site)
        apart = of_tallies(made.grid, made.trained, total)
        for place, name in enumerate(FEATURES):
            one = of(found, name, site)
            assert (one.n, one.low, one.high) == (
                *(total.n[place], total.low[place], total.high[place]),
            )
            numbers = (apart.psi[place], apart.jensen_shannon[place], apart.ks[place])
            assert (one.psi, one.js, one.ks) == numbers
            assert one.missing == total.missing[place] / total.rows
            if site:
                kept = sums[
                    site, asking.Whose("pump", "1.0", tallied.BASELINE, "", name)
                ]
                assert (kept.total, kept.square) == (
                    *(total.total[place], total.square[place]),
                )
                assert kept.counts == tuple(
                    total.counts[place, : made.grid.bins[place]]
                )


def test_those_that_moved_most_come_first(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Over sites and the fleet together."""
    tallied.write(archive, hall(3, SITES, gateways=2, hours=4))

    psi = [one.psi for one in drift(opened())]

    assert psi == sorted((p for p in psi if p is not None), reverse=True)
    assert len(psi) == 3 * len(FEATURES)


def test_without_a_baseline_nothing_is_said(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """No value, and why; the rows are counted all the same."""
    made = hall(4, ("s",), gateways=1, hours=3)
    tallied.write(archive, made)
    for path in (archive / "baselines").rglob("*.parquet"):
        path.unlink()

    one = of(drift(opened()), "pressure")

    assert (one.psi, one.ks, one.because) == (None, None, NO_BASELINE)
    assert one.n == made.of().n[1]


def test_a_context_is_held_against_its_own_rows_or_those_around_it(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """As on the gateway: exact, else what it is part of, else not at all."""
    made = hall(5, ("s",), gateways=1, hours=1)
    shifted = replace(made.trained, counts=np.sort(made.trained.counts, axis=1))
    total = made.of()
    for seq, context in enumerate(("", "water", "water/early", "oil")):
        rows = tallied.drift_rows(made.grid, total, BEGIN, seq, context)
        put(archive, "drift", "s", "g", rows[:2])
    for context, trained in (("", made.trained), ("water", shifted)):
        rows = tallied.baseline_rows(made.grid, trained, context)
        put(archive, "baselines", "s", "g", rows[:2])

    found = {
        one.context: one
        for one in drift(opened())
        if not one.site and one.feature == "temperature"
    }

    assert found["water"].psi == found["water/early"].psi != found[""].psi
    assert (found["oil"].psi, found["oil"].because) == (None, NO_CONTEXT)


def test_rows_over_other_bins_are_not_added_up(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """A gateway that counts otherwise spoils the number, and that is said."""
    made = hall(6, ("s",), gateways=2, hours=2)
    tallied.write(archive, made)
    rows = tallied.drift_rows(made.grid, made.of(), BEGIN, 9)[:1]
    rows[0]["counts"] = rows[0]["counts"][:-1]
    put(archive, "drift", "s", "odd", rows)

    found = drift(opened())

    assert of(found, "temperature").because == OTHER_BINS
    assert of(found, "pressure").psi is not None


def test_few_numbers_say_nothing(archive: Path, opened: Callable[..., Lake]) -> None:
    """Below 30 there is no value, as on the gateway."""
    made = hall(7, ("s",), gateways=1, hours=1)
    few = Tallies(
        10,
        *(np.minimum(made.of().n, 10), np.zeros(4, np.int64)),
        *(np.zeros(4), np.zeros(4), np.zeros(4), np.ones(4)),
        np.eye(4, made.grid.width, dtype=np.int64) * 10,
    )
    put(archive, "drift", "s", "g", tallied.drift_rows(made.grid, few, BEGIN, 1))
    put(archive, "baselines", "s", "g", tallied.baseline_rows(made.grid, made.trained))

    assert of(drift(opened()), "temperature").psi is None


def test_only_the_time_and_the_model_asked_for_count(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Bounds cut between rows of one object, too."""
    made = hall(8, ("s",), gateways=1, hours=4)
    tallied.write(archive, made)
    (hours,) = made.live.values()
    two = hours[1].plus(hours[2])
    asked = Asked((BEGIN + HOUR_US) * 1000, (BEGIN + 3 * HOUR_US) * 1000)

    assert of(drift(opened(asked)), "pressure").n == two.n[1]
    assert drift(opened(replace(asked, model="another"))) == ()
