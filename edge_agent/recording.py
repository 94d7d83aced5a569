"""Recordings of telemetry: CSV or Parquet to columns, and back.

Two shapes are read. *Long*: columns ``time``, ``tag`` (``asset/role``), ``value``,
and optionally ``quality`` and ``received``; this is what `Recorder` writes, and with
``received`` a replay repeats the live run bit for bit. *Wide*: ``time`` and one column
a tag; an empty cell is no sample.

Times are ISO 8601 (UTC where no zone is given) or numbers since 1970 in s, ms, us or
ns, told apart by their size.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.errors import ConfigError
from edge_agent.samples import NANOSECONDS, Quality, SampleBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from edge_agent.samples import TagTable

Row = tuple[int, int, int, float | str, int]
"""Tag index, time, received, value, quality."""

_SCALES = ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3), (math.inf, 1))
HEADER = ("time", "tag", "value", "quality", "received")


def read(path: Path, tags: TagTable) -> SampleBatch:
    """Samples of a recording, in order of arrival.

    Args:
        path: a ``.csv`` (``,`` or ``;``) or ``.parquet`` file.
        tags: whose names the recording uses; columns of other tags are an error.

    Raises:
        ConfigError: the file cannot be read; the text names file, line and column.
    """
    try:
        rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
        return _batch(list(_samples(rows, _numbered(tags), path)))
    except OSError as why:
        raise ConfigError(f"{path}: cannot be read: {why.strerror or why}") from why


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 from ISO 8601 or a number.

    Raises:
        ValueError: neither.
    """
    text = text.strip()
    try:
        return scaled(int(text))
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        stamp = dt.datetime.fromisoformat(text)
        if stamp.tzinfo is None:
            stamp = stamp.replace(tzinfo=dt.UTC)
        since = stamp - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        whole = since.days * 86_400 + since.seconds
        return whole * NANOSECONDS + since.microseconds * 1000
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a time") from None
    return round(number * _scale(number))


def scaled(number: int) -> int:
    """Nanoseconds since 1970 from s, ms, us or ns, told apart by size."""
    return number * _scale(number)


def _scale(number: float) -> int:
    return next(scale for limit, scale in _SCALES if abs(number) < limit)


def _numbered(tags: TagTable) -> dict[str, tuple[int, bool]]:
    """Tag index by name, and whether its values are text."""
    is_text = _texts(tags)
    return {tags.name(index): (index, is_text[index]) for index in range(len(tags))}


def _texts(tags: TagTable) -> list[bool]:
    return [tag.text for kind in tags.types for tag in kind.tags for _ in kind.assets]


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        delimiter = ";" if first.count(";") > first.count(",") else ","
        yield from csv.DictReader(file, delimiter=delimiter)


def _parquet_rows(path: Path) -> Iterator[dict[str, str]]:
    # imported here: only replay of Parquet needs it
    from arro3.io import read_parquet  # noqa: PLC0415

    table = read_parquet(path).read_all()
    names = table.column_names
    columns = [table.column(name).to_pylist() for name in names]
    for values in zip(*columns, strict=True):
        yield {n: _text(v) for n, v in zip(names, values, strict=True)}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


def _samples(
    rows: Iterable[Mapping[str, str]],
    numbered: Mapping[str, tuple[int, bool]],
    path: Path,
) -> Iterator[Row]:
    for line, row in enumerate(rows, start=2):
        try:
            yield from _of_row(row, numbered)
        except (KeyError, ValueError, TypeError) as why:
            raise ConfigError(f"{path}:{line}: {_explained(why)}") from why


def _of_row(
    row: Mapping[str, str], numbered: Mapping[str, tuple[int, bool]]
) -> Iterator[Row]:
    time = parse_time(row["time"])
    received = parse_time(row["received"]) if row.get("received") else time
    if "tag" in row:
        tag, is_text = numbered[row["tag"]]
        quality = int(row.get("quality") or Quality.GOOD)
        yield tag, time, received, _value(row["value"], is_text), quality
        return
    for name, value in row.items():
        if name not in ("time", "received") and value not in ("", None):
            tag, is_text = numbered[name]
            yield tag, time, received, _value(value, is_text), Quality.GOOD


def _value(written: str, is_text: bool) -> float | str:
    return written if is_text else float(written or "nan")


def _explained(why: Exception) -> str:
    if isinstance(why, KeyError):
        return (
            f"{why.args[0]!r} is no tag and no column known here; a recording has "
            "columns time, tag, value, or time and one column a tag (asset/role)"
        )
    return str(why)


def _batch(rows: list[Row]) -> SampleBatch:
    rows.sort(key=lambda row: row[2])  # stable: arrival order within one stamp
    texts: list[str] = []
    values = np.empty(len(rows))
    for position, (_, _, _, value, _) in enumerate(rows):
        if isinstance(value, str):
            values[position] = len(texts)
            texts.append(value)
        else:
            values[position] = value
    return SampleBatch.of(
        [row[0] for row in rows],
        [row[1] for row in rows],
        values,
        [row[4] for row in rows],
        [row[2] for row in rows],
        texts,
    )


class Recorder:
    """Writes drained samples to a CSV as they came: for fault finding and replay.

    Args:
        path: the file; begun anew.
        tags: names of the tags.
    """

    def __init__(self, path: Path, tags: TagTable) -> None:
        self._names = [tags.name(index) for index in range(len(tags))]
        self._is_text = _texts(tags)
        self._file: TextIO = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(HEADER)

    def write(self, batch: SampleBatch) -> None:
        """Append a batch."""
        for tag, time, value, quality, received in zip(
            batch.tag.tolist(),
            batch.time.tolist(),
            batch.value.tolist(),
            batch.quality.tolist(),
            batch.received.tolist(),
            strict=True,
        ):
            shown = batch.texts[int(value)] if self._is_text[tag] else repr(value)
            self._writer.writerow((time, self._names[tag], shown, quality, received))

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
