"""Healthy and drifting series, and references made of them as a build makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.calibration import Calibrations
from edge_agent.bundle.profile import Bins
from edge_agent.bundle.reference import Reference, profiled
from edge_agent.explain import Usual
from edge_agent.publish.calibration import Course, calibrated
from edge_agent.yardsticks import yardstick_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.monitoring.drift.yardstick import Yardstick
    from edge_agent.samples import F64, I64

SECOND = 1_000_000_000


def reference_of(
    table: F64,
    every: float,
    asset: I64 | None = None,
    contexts: Sequence[str] = (),
    names: tuple[str, ...] = (),
    *,
    calibrate: bool = True,
) -> Reference:
    """The reference of rows.

    Args:
        table: float[rows, columns], in the order of time for each asset.
        every: seconds between two rows of an asset.
        asset: int64[rows]; all of one without.
        contexts: of each row.
        names: of the assets.
        calibrate: False leaves it out, as older bundles do.
    """
    columns = [f"x{i}" for i in range(table.shape[1])]
    made = profiled(columns, table, contexts)
    asset = np.zeros(len(table), np.int64) if asset is None else asset
    at = np.zeros(len(table), np.int64)
    for one in np.unique(asset):
        mine = asset == one
        at[mine] = np.arange(mine.sum()) * round(every * SECOND)
    found = None
    if calibrate:
        found = Calibrations(
            features=calibrated(
                made.baseline.features,
                table,
                Course(asset, at, np.zeros(len(table), np.int64), names),
            ),
            features_in_context=calibrated(
                made.baseline.features,
                table,
                Course(asset, at, np.unique(contexts, return_inverse=True)[1], names),
            )
            if len(contexts)
            else None,
        )
    tallies = [made.whole.features[c] for c in columns]
    bins = [made.baseline.features[c] for c in columns]
    return Reference(
        len(table),
        np.array([t.mean(b) for t, b in zip(tallies, bins, strict=True)]),
        np.array([t.std() for t in tallies]),
        np.array([t.quantiles[0] for t in tallies]),
        np.array([t.quantiles[-1] for t in tallies]),
        made.baseline_id,
        made.baseline,
        made.whole,
        made.contexts,
        found,
    )


def yardstick(reference: Reference, assets: Sequence[str] = ()) -> Yardstick:
    """Ready to compare with."""
    columns = list(reference.baseline.features)
    count = len(columns)
    usual = Usual(
        tuple(columns),
        ("bar",) * count,
        np.arange(count),
        ("last",) * count,
        (None,) * count,
        reference.usual_low,
        reference.usual_high,
        reference.mean,
        reference.std,
    )
    return yardstick_of(reference, columns, usual, assets, "all pumps")


def ar1(
    rng: np.random.Generator, rows: int, columns: int, phi: float
) -> NDArray[np.float64]:
    """float64[rows, columns], each of variance 1 with correlation phi a step."""
    from scipy.signal import lfilter  # noqa: PLC0415

    noise = rng.normal(size=(rows, columns)) * np.sqrt(1.0 - phi * phi)
    start = rng.normal(size=columns) * phi
    found, _ = lfilter([1.0], [1.0, -phi], noise, axis=0, zi=start[None])
    return np.asarray(found)


__all__ = ["Bins", "ar1", "reference_of", "yardstick"]
