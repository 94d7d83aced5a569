"""Public data that is not in the repository; None where it is not there."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from tests.end_to_end.figures import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.samples import F64


def gas_turbine() -> tuple[list[str], list[F64]] | None:
    """Names and float64[hours, columns] of 2011 to 2015."""
    folder = SHARED / "data" / "gas_turbine"
    if not folder.is_dir():
        return None
    read = [_read(folder / f"gt_{year}.csv", ",") for year in range(2011, 2016)]
    return read[0][0], [table for _, table in read]


def skab_halves() -> tuple[list[str], F64, F64] | None:
    """Names and both halves of the anomaly-free file, float64[seconds, tags]."""
    path = SHARED / "data" / "skab" / "anomaly-free" / "anomaly-free.csv"
    if not path.is_file():
        return None
    names, table = _read(path, ";", 1)
    half = len(table) // 2
    return names, table[:half], table[half:]


def _read(path: Path, separator: str, first: int = 0) -> tuple[list[str], F64]:
    with path.open(encoding="utf-8") as file:
        head, *rows = csv.reader(file, delimiter=separator)
    return head[first:], np.array([row[first:] for row in rows], np.float64)
