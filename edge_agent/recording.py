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
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.errors import ConfigError
from edge_agent.samples import NANOSECONDS, Quality, SampleBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from edge_agent.samples import I64, TagTable

Row = tuple[int, int, int, float | str, int]
"""Tag index, time, received, value, quality."""
SIGN = "@"
"""A line whose tag is ``@SOURCE`` says when that source was last seen alive."""

_SCALES = ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3), (math.inf, 1))
HEADER = ("time", "tag", "value", "quality", "received")


@dataclass(frozen=True, slots=True)
class Sign:
    """A source was seen alive.

    Attributes:
        source: position in the tag table's sources.
        at: agent time at which it was.
        turn: agent time of the turn that knew it first.
        before: agent time of the turn before, which did not.
    """

    source: int
    at: int
    turn: int
    before: int


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples in order of arrival, and signs of life in order of their turns."""

    batch: SampleBatch
    signs: tuple[Sign, ...] = ()


def read(path: Path, tags: TagTable) -> Recording:
    """A recording.

    Args:
        path: a ``.csv`` (``,`` or ``;``) or ``.parquet`` file.
        tags: whose names the recording uses; columns of other tags are an error.

    Raises:
        ConfigError: the file cannot be read; the text names file, line and column.
    """
    try:
        rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
        found = list(_samples(rows, _Names(tags), path))
        signs = [one for one in found if isinstance(one, Sign)]
        batch = _batch([one for one in found if not isinstance(one, Sign)])
        return Recording(batch, tuple(sorted(signs, key=lambda sign: sign.turn)))
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


class _Names:
    """What a recording may name: tags, and sources with an @ before them."""

    def __init__(self, tags: TagTable) -> None:
        is_text = tags.is_text.tolist()
        self.tags = {tags.name(i): (i, is_text[i]) for i in range(len(tags))}
        self.sources = {SIGN + name: i for i, name in enumerate(tags.sources)}


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
    rows: Iterable[Mapping[str, str]], names: _Names, path: Path
) -> Iterator[Row | Sign]:
    for line, row in enumerate(rows, start=2):
        try:
            yield from _of_row(row, names)
        except (KeyError, ValueError, TypeError, OverflowError) as why:
            raise ConfigError(f"{path}:{line}: {_explained(why)}") from why


def _of_row(row: Mapping[str, str], names: _Names) -> Iterator[Row | Sign]:
    if own := row.get("received"):
        # our own recordings are in ns whatever their size: a gateway without a
        # clock records 1970
        time, received = int(row["time"]), int(own)
    else:
        time = received = parse_time(row["time"])
    if (source := names.sources.get(row.get("tag", ""))) is not None:
        yield Sign(source, time, received, int(row["value"]))
        return
    if "tag" in row:
        tag, is_text = names.tags[row["tag"]]
        quality = int(row.get("quality") or Quality.GOOD)
        yield tag, time, received, _value(row["value"], is_text), quality
        return
    for name, value in row.items():
        if name not in ("time", "received") and value not in ("", None):
            tag, is_text = names.tags[name]
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


def unused(path: Path) -> Path:
    """The path, numbered where a recording lies there: a restart overwrites none."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(1))
    return path if not path.exists() else next(p for p in numbered if not p.exists())


class Recorder:
    """Writes drained samples to a CSV as they came: for fault finding and replay.

    Args:
        path: the file; begun anew.
        tags: names of the tags.
    """

    def __init__(self, path: Path, tags: TagTable) -> None:
        self._names = [tags.name(index) for index in range(len(tags))]
        self._is_text = tags.is_text.tolist()
        self._file: TextIO = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(HEADER)
        self._sources = tags.sources
        self._alive: list[int] = []
        self._before = 0

    def write(self, batch: SampleBatch, alive: I64, now: int) -> None:
        """Append a turn's samples and signs of life.

        Args:
            batch: samples in order of arrival.
            alive: int64[sources] when each source was last seen alive.
            now: agent time of the turn.
        """
        seen = alive.tolist()
        for source, at in enumerate(seen):
            if self._alive and at != self._alive[source]:
                name = SIGN + self._sources[source]
                self._writer.writerow((at, name, self._before, 0, now))
        self._alive, self._before = seen, now
        for tag, time, value, quality, received in zip(
            batch.tag.tolist(),
            batch.time.tolist(),
            batch.value.tolist(),
            batch.quality.tolist(),
            batch.received.tolist(),
            strict=True,
        ):
            shown = repr(value)
            if self._is_text[tag]:  # a text that is none has no index
                shown = batch.texts[int(value)] if math.isfinite(value) else ""
            self._writer.writerow((time, self._names[tag], shown, quality, received))

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
