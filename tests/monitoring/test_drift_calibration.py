"""How much healthy data scatters: what a build measures, writes and a gateway reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.bundle.calibration import Calibrations
from edge_agent.bundle.passport import Passport
from edge_agent.bundle.profile import bins_of
from edge_agent.bundle.reference import ReferenceFile, profiled, read_reference
from edge_agent.errors import ModelRejected
from edge_agent.monitoring.drift.independence import worth
from edge_agent.monitoring.tallies import Grid, counted
from edge_agent.publish.calibration import Course, calibrated, with_calibration
from edge_agent.publish.rows import Rows
from tests.model import bundles
from tests.monitoring import plants

if TYPE_CHECKING:
    from edge_agent.monitoring.drift.yardstick import Yardstick

MINUTE = 60.0
NAMES = ["flow.last", "flow.std", "pressure.last", "pressure.std"]


def _passport() -> dict[str, object]:
    text = bundles.passport()
    text["features"] = [{**f, "trained": [0.0, 1.0]} for f in text["features"]]
    files = ("model.onnx", "golden.json", "reference.json")
    return {**text, "files": dict.fromkeys(files, "0" * 64)}


def rows_worth(stick: Yardstick, seconds: float, assets: float = 1.0) -> float:
    """Independent rows of a stretch held against an endless reference, first column."""
    wander = stick.whole.wander
    assert wander is not None
    many = np.full(len(wander.span), 10**9)
    there = worth(wander, seconds, assets, many, many).rows[0]
    return float(1.0 / (1.0 / there - wander.reference[0]))


@pytest.mark.parametrize("phi", [0.0, 0.9, 0.98])
def test_a_known_process_is_measured(phi: float) -> None:
    """Of an AR(1) process six hours are worth n (1 - phi) / (1 + phi) rows, nearly.

    A share of all numbers forgets somewhat faster than the numbers themselves.
    """
    table = plants.ar1(np.random.default_rng(1), 60_000, 2, phi)
    found = rows_worth(plants.yardstick(plants.reference_of(table, MINUTE)), 6 * 3600.0)

    wanted = 360 * (1 - phi) / (1 + phi)
    assert 0.55 * wanted < found < 1.9 * wanted


def test_a_day_is_worth_more_than_half_of_one() -> None:
    """A daily cycle averages out over a day, not over twelve hours."""
    rows = 1440 * 60
    cycle = 3 * np.sin(2 * np.pi * np.arange(rows) / 1440)
    noise = plants.ar1(np.random.default_rng(2), rows, 1, 0.5)
    stick = plants.yardstick(plants.reference_of(noise + cycle[:, None], MINUTE))

    assert rows_worth(stick, 12 * 3600.0) < 5
    assert rows_worth(stick, 24 * 3600.0) > 50


def test_a_ramp_never_averages_out() -> None:
    """Of what only rises no stretch is worth more than a few rows, however long."""
    ramp = np.arange(5000)[:, None] + np.random.default_rng(3).normal(size=(5000, 1))
    stick = plants.yardstick(plants.reference_of(ramp, MINUTE))

    assert rows_worth(stick, 3600.0) < 2
    assert rows_worth(stick, 1e9) < 5


def test_pauses_do_not_count_as_running() -> None:
    """A shift a day gives what the same rows without nights give."""
    table = plants.ar1(np.random.default_rng(4), 480 * 40, 2, 0.9)
    at = np.arange(len(table)) * 60
    nights = (np.arange(len(table)) // 480) * 960 * 60
    bins = bins_of(["a", "b"], table)
    zero = np.zeros(len(table), np.int64)

    plain, paused = (
        calibrated(bins, table, Course(zero, when * 10**9, zero))
        for when in (at, at + nights)
    )

    assert plain == paused


def test_too_few_rows_tell_nothing() -> None:
    """Fifty rows make no calibration, and neither do rows without times."""
    table = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)
    zero = np.zeros(50, np.int64)
    bins = bins_of(NAMES, table)

    assert calibrated(bins, table, Course(zero, np.arange(50) * 10**9, zero)) is None
    assert calibrated(bins, table, Course(zero, zero, zero)) is None
    undated = Rows(table, np.ones(50, bool), zero.astype(np.int32), None, dated=False)
    made = profiled(NAMES, table, outputs={"score": table[:, 0]})
    taken = (undated, np.arange(50), table)
    assert with_calibration(made, taken, taken, ()) is made


def made_with_contexts() -> ReferenceFile:
    """As a build makes it."""
    rng, count = np.random.default_rng(6), 4000
    table = plants.ar1(rng, count, 4, 0.8).astype(np.float32)
    recipes = tuple(np.repeat(["A", "B"], count // 2).tolist())
    rows = Rows(
        table,
        np.ones(count, bool),
        np.zeros(count, np.int32),
        np.arange(count) * 60 * 10**9,
        True,
        None,
        recipes,
    )
    score = table[:, :1].astype(np.float64) ** 2
    made = profiled(
        NAMES,
        table,
        recipes,
        outputs={"score": score[:, 0]},
        output_contexts=recipes,
    )
    every = np.arange(count)
    return with_calibration(made, (rows, every, table), (rows, every, score), ("P-1",))


def test_a_calibration_survives_its_file() -> None:
    """What a build writes is read back: format 3, of features, outputs and contexts."""
    made = made_with_contexts()

    found = read_reference(
        made.model_dump_json().encode(), Passport.model_validate(_passport())
    )

    assert made.reference == 3
    assert found.calibration == made.calibration
    assert found.calibration is not None
    assert found.calibration.outputs_in_context is not None
    assert found.calibration.features is not None
    assert found.calibration.features.names == ("P-1",)
    assert found.calibration.features.span == pytest.approx(4000 * 60)
    size = len(made.calibration.model_dump_json()) if made.calibration else 0
    assert size < 20_000


def _spoil(text: dict[str, object], where: str) -> None:
    part = text["calibration"]
    assert isinstance(part, dict)
    features = part["features"]
    match where:
        case "version":
            text["reference"] = 2
        case "column":
            del features["columns"]["flow.std"]
        case "lengths":
            features["lengths"] = features["lengths"][::-1]
        case "short":
            features["columns"]["flow.std"]["own"] = [1.0]
        case _:
            features["columns"]["flow.std"]["own"][0] = -1.0


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("version", "format 2 has no calibration"),
        ("column", "differ in flow.std"),
        ("lengths", "ascend"),
        ("short", "one number for each length"),
        ("negative", "own"),
    ],
)
def test_a_broken_calibration_is_refused(where: str, said: str) -> None:
    """The gateway says which rule of a calibration is broken."""
    text = json.loads(made_with_contexts().model_dump_json())
    _spoil(text, where)

    with pytest.raises(ModelRejected, match=said):
        read_reference(json.dumps(text).encode(), Passport.model_validate(_passport()))


def test_format_2_is_still_read() -> None:
    """A bundle without a calibration gives a yardstick that says so."""
    made = profiled(NAMES, np.random.default_rng(7).normal(size=(200, 4)))

    assert made.reference == 2
    found = read_reference(
        made.model_dump_json().encode(), Passport.model_validate(_passport())
    )
    assert found.calibration is None


def test_live_rows_fall_into_the_bins_of_the_reference() -> None:
    """Numbers that 32 bits cannot hold are on the same side of every edge."""
    table = np.repeat([0.054711, 0.382638, 0.710565], 500)[:, None]
    reference = plants.reference_of(table, MINUTE)
    stick = plants.yardstick(reference)

    live = counted(stick.grid, table.astype(np.float32))

    assert (live.counts == stick.whole.tallies.counts).all()
    assert isinstance(stick.grid, Grid)
    assert isinstance(reference.calibration, Calibrations)
