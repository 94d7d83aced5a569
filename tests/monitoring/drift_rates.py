"""How often healthy plants are told of drift, and drifting ones are not.

``python -m tests.monitoring.drift_rates [healthy] [budget] [drifted] [public]`` prints
one table each. Series are made up with a row every three minutes; public data is
skipped where it is not there.
"""

from __future__ import annotations

import sys
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.drift.verdicts import Stretch, alpha_of, looked
from edge_agent.monitoring.tallies import counted
from tests.monitoring import plants, public
from tests.monitoring.months import monitored

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_agent.samples import F64
    from tests.monitoring.months import Told

A_ROW = 180.0
AN_HOUR = 20
A_MONTH = 720


def phi_of(hours: float) -> float:
    """Correlation from row to row of a time constant (integrated, both sides)."""
    steps = hours * 3600.0 / A_ROW
    return (steps - 1.0) / (steps + 1.0)


def hourly(table: F64) -> NDArray[np.float64]:
    """float64[hours, rows, columns]."""
    whole = len(table) // AN_HOUR
    return table[: whole * AN_HOUR].reshape(whole, AN_HOUR, -1)


def budget() -> None:
    """Findings a month on healthy series, against the one that is allowed."""
    print(
        "| time constant | reference | pipeline months | findings a month | "
        "unjudged |\n|---|---|---|---|---|"
    )
    for hours, days, many in (
        (0.5, 30, 20),
        (3.3, 30, 40),
        (3.3, 10, 20),
        (33.0, 30, 20),
        (33.0, 120, 20),
    ):
        rng, found, unjudged, looks = np.random.default_rng(1), 0, 0, 0
        for _ in range(many // 2):
            rows = (days + 60) * 24 * AN_HOUR
            series = plants.ar1(rng, rows, 20, phi_of(hours))
            trained = days * 24 * AN_HOUR
            stick = plants.yardstick(plants.reference_of(series[:trained], A_ROW))
            told = monitored(stick, list(hourly(series[trained:])))
            found += len(told.drifts())
            unjudged, looks = unjudged + told.unjudged, looks + told.looks
        print(
            f"| {hours:g} h | {days} days | {many} | {found / many:.2f} | "
            f"{unjudged / looks:.1%} |",
            flush=True,
        )


def healthy() -> None:
    """Tags ever told of in two months, where nothing has changed."""
    print("| plant | tags | ever told of |\n|---|---|---|")
    for name, make in HEALTHY.items():
        tags, told_of = 0, 0
        for seed in range(3):
            columns, told = make(np.random.default_rng(seed))
            tags += columns
            told_of += len({one.tag for _, one in told.drifts()})
        print(f"| {name} | {tags} | {told_of} ({told_of / tags:.1%}) |", flush=True)


def _ar1_50(rng: np.random.Generator) -> tuple[int, Told]:
    rows = 90 * 24 * AN_HOUR
    series = plants.ar1(rng, rows, 50, phi_of(3.3))
    return _split(series, 30)


def _daily(rng: np.random.Generator) -> tuple[int, Told]:
    rows = 90 * 24 * AN_HOUR
    series = plants.ar1(rng, rows, 20, phi_of(1.0))
    day = np.sin(2 * np.pi * np.arange(rows) / (24 * AN_HOUR))
    return _split(series + 2.0 * day[:, None], 30)


def _season(rng: np.random.Generator) -> tuple[int, Told]:
    """A year's course whose band of outside temperature is the context."""
    days = 425
    rows = days * 24 * AN_HOUR // 4
    at = np.arange(rows) * 4 / (24 * AN_HOUR)
    year = np.sin(2 * np.pi * at / 365)
    band = np.clip(((year + 1.0) * 3).astype(int), 0, 5)
    series = plants.ar1(rng, rows, 10, phi_of(1.0)) + 3.0 * year[:, None]
    names = np.array(["frost", "cold", "cool", "mild", "warm", "hot"])[band]
    cut = 365 * 24 * AN_HOUR // 4
    an_hour = AN_HOUR // 4
    reference = plants.reference_of(
        series[:cut], 4 * A_ROW, contexts=names[:cut].tolist()
    )
    live = series[cut:].reshape(-1, an_hour, 10)
    return 10, monitored(
        plants.yardstick(reference), list(live), names[cut::an_hour].tolist()
    )


def _recipes(rng: np.random.Generator) -> tuple[int, Told]:
    """Three recipes in runs of a few hours; the third is not made in the end."""
    rows = 90 * 24 * AN_HOUR
    runs = rng.integers(0, 3, rows // (4 * AN_HOUR))
    runs[60 * 6 :] = rng.integers(0, 2, len(runs) - 60 * 6)
    recipe = np.repeat(runs, 4 * AN_HOUR)
    series = plants.ar1(rng, rows, 20, phi_of(1.0)) + 4.0 * recipe[:, None]
    names = np.array(["A", "B", "C"])[recipe]
    cut = 30 * 24 * AN_HOUR
    reference = plants.reference_of(series[:cut], A_ROW, contexts=names[:cut].tolist())
    return 20, monitored(
        plants.yardstick(reference),
        list(hourly(series[cut:])),
        names[cut::AN_HOUR].tolist(),
    )


def _pumps(rng: np.random.Generator) -> tuple[int, Told]:
    """Ten pumps, each with a place of its own, half of what moves common to all."""
    rows, many, columns = 60 * 24 * AN_HOUR, 10, 20
    together = plants.ar1(rng, rows, columns, phi_of(3.3))
    place = rng.normal(size=(many, columns))
    all_of = [
        plants.ar1(rng, rows, columns, phi_of(3.3)) + together + place[i]
        for i in range(many)
    ]
    series = np.stack(all_of, axis=1).reshape(rows * many, columns)
    cut = 30 * 24 * AN_HOUR * many
    asset = np.tile(np.arange(many), rows)[:cut]
    names = tuple(f"P-{i}" for i in range(many))
    reference = plants.reference_of(series[:cut], A_ROW, asset, names=names)
    live = series[cut:].reshape(-1, AN_HOUR * many, columns)
    return columns, monitored(
        plants.yardstick(reference, names), list(live), assets=many
    )


def _split(series: F64, days: int) -> tuple[int, Told]:
    cut = days * 24 * AN_HOUR
    stick = plants.yardstick(plants.reference_of(series[:cut], A_ROW))
    return series.shape[1], monitored(stick, list(hourly(series[cut:])))


HEALTHY: dict[str, Callable[[np.random.Generator], tuple[int, Told]]] = {
    "AR(1), phi 0.99 a minute": _ar1_50,
    "daily cycle of twice the noise": _daily,
    "season of three times the noise, band as context": _season,
    "three recipes, then two, as context": _recipes,
    "ten pumps, each elsewhere": _pumps,
}

CHANGES: dict[str, Callable[[F64, np.random.Generator], F64]] = {
    "shift 0.5 sigma": lambda x, _: x + 0.5,
    "shift 1 sigma": lambda x, _: x + 1.0,
    "shift 2 sigma": lambda x, _: x + 2.0,
    "half the spread": lambda x, _: x * 0.5,
    "1.5 times the spread": lambda x, _: x * 1.5,
    "twice the spread": lambda x, _: x * 2.0,
    "10 % of rows at +6 sigma": lambda x, r: np.where(r.random(x.shape) < 0.1, 6.0, x),
    "30 % of rows at +2 sigma": lambda x, r: np.where(r.random(x.shape) < 0.3, 2.0, x),
    "0.05 sigma a day": lambda x, _: x + 0.05 * (np.arange(len(x)) / 480.0)[:, None],
}


def drifted() -> None:
    """Share found within a month of the change, and after how long."""
    print("| change | time constant 0.5 h | 3.3 h | 33 h |\n|---|---|---|---|")
    for name, change in CHANGES.items():
        cells = []
        for hours in (0.5, 3.3, 33.0):
            delays, tags, early = [], 0, 0
            for seed in range(1):
                rng = np.random.default_rng(seed)
                days = 60
                series = plants.ar1(rng, (days + 40) * 24 * AN_HOUR, 20, phi_of(hours))
                cut = days * 24 * AN_HOUR
                stick = plants.yardstick(plants.reference_of(series[:cut], A_ROW))
                begin = cut + 10 * 24 * AN_HOUR
                series[begin:] = change(series[begin:], rng)
                told = monitored(stick, list(hourly(series[cut:])))
                first: dict[str, int] = {}
                for hour, one in told.drifts():
                    if hour >= 240:
                        first.setdefault(one.tag, hour - 240)
                    else:
                        early += 1
                delays += list(first.values())
                tags += 20
            late = f", {np.median(delays):.0f} h" if delays else ""
            cells.append(f"{len(delays) / tags:.0%}{late}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def public_data() -> None:
    """SKAB's healthy file in halves, and five years of a gas turbine."""
    print("| data | tag | W1 | limit | D | limit | independent rows | answer |")
    print("|---|---|---|---|---|---|---|---|")
    if (halves := public.skab_halves()) is not None:
        names, first, second = halves
        for label, one, other in (("1st", first, second), ("2nd", second, first)):
            _held(
                f"SKAB, {label} half as reference", names, one, other, 1.0, len(other)
            )
    if (years := public.gas_turbine()) is not None:
        names, tables = years
        year = 365 * 86_400.0
        _held("gas turbine 2011 -> 2015", names, tables[0], tables[4], 3600.0, year)


def _held(
    label: str, names: list[str], one: F64, other: F64, every: float, nominal: float
) -> None:
    stick = plants.yardstick(plants.reference_of(one, every))
    live = counted(stick.grid, other.astype(np.float32))
    alpha = alpha_of(1.0 / 3.0 if every == 1.0 else 1.0, len(names), nominal)
    look = looked(stick.whole, live, Stretch(len(other) * every, 1.0, 24), alpha)
    for i, name in enumerate(names):
        answer = (
            "drift" if look.drifted[i] else "none" if look.judged[i] else "cannot tell"
        )
        print(
            f"| {label} | {name} | {look.w1[i]:.3f} | {look.area_limit[i]:.2f} | "
            f"{look.ks[i]:.3f} | {look.largest_limit[i]:.2f} | {look.n_eff[i]:.1f} | "
            f"{answer} |"
        )


if __name__ == "__main__":
    parts = {
        "public": public_data,
        "healthy": healthy,
        "drifted": drifted,
        "budget": budget,
    }
    for part in sys.argv[1:] or parts:
        begun = process_time()
        parts[part]()
        print(f"\n{part}: {process_time() - begun:.0f} s of CPU\n", flush=True)
