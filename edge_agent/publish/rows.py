"""Training data to rows, by the gateway's own feature code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent import recording
from edge_agent.errors import ModelRejected
from edge_agent.features.feature_rows import FeatureRows
from edge_agent.features.offline import offline_rows
from edge_agent.samples import NANOSECONDS, SampleBatch, TagTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.publish.description import Description
    from edge_agent.samples import F64, I32, I64

    Bools = NDArray[np.bool_]

PerRow = Sequence[Any] | Mapping[str, Any]
"""One value a row, or one by part id or by asset."""
_MATRIX = 2


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Data as a notebook has it, with what is known of its rows.

    Attributes:
        source: the path of a recording (CSV or Parquet), a `SampleBatch`, `FeatureRows`
            or a table [rows, features].
        labels: what became of each row: names of classes for a quality model, anything
            true for an anomaly; one a row, or by part id, or by asset.
        contexts: recipe, product or shift, likewise; or the name of a text tag whose
            value at the row's time it is.
        asset: of each row of a table, by position or by id.
        at: time of each row of a table: ns since 1970, or datetime64.
        every: seconds between two rows of an asset, for a table without times.
    """

    source: Any
    labels: PerRow | None = None
    contexts: PerRow | str | None = None
    asset: Sequence[Any] | None = None
    at: Any = None
    every: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of a stretch.

    Attributes:
        values: float32[n, features], NaN where missing.
        whole: bool[n] no feature is missing: these are learned from and scored.
        asset: int32[n].
        at: int64[n] ns since 1970; None where times are not known.
        dated: whether ``at`` are times of the plant, not only distances.
        labels: str[n], empty where not known; None without labels.
        contexts: one a row; empty without.
    """

    values: NDArray[np.float32]
    whole: Bools
    asset: I32
    at: I64 | None
    dated: bool
    labels: NDArray[np.object_] | None = None
    contexts: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count rows."""
        return len(self.values)


def made(stretch: Stretch, description: Description) -> Rows:
    """Rows of a stretch.

    Raises:
        ModelRejected: the source cannot be read, has no whole row or does not fit what
            is said of its rows.
    """
    source = stretch.source
    if isinstance(source, str | Path):
        source = _recorded(Path(source), description)
    batch = source if isinstance(source, SampleBatch) else None
    if batch is not None:
        source = _computed(batch, description)
    if isinstance(source, FeatureRows):
        found = Rows(source.values, source.valid, source.asset, source.at, dated=True)
        parts: Sequence[str] = source.part
    else:
        found, parts = _table(source, stretch, description), ()
    if not found.whole.any():
        raise ModelRejected(
            f"no row of {len(found)} has all its features: look at window, rate, hold "
            "and min_completeness, and whether the tags are recorded"
        )
    names = _asset_names(found.asset, description)
    labels = _each(stretch.labels, len(found), parts, names, "labels")
    return Rows(
        *(found.values, found.whole, found.asset, found.at, found.dated),
        None if labels is None else np.array(labels, dtype=object),
        _contexts(stretch.contexts, found, batch, parts, description),
    )


def _recorded(path: Path, description: Description) -> SampleBatch:
    kind = description.asset_kind()
    if not kind.assets:
        raise ModelRejected(
            f"to read {path}, say which assets it holds: assets=('P-101', ...)"
        )
    tags = TagTable((kind,), ("recording",), np.zeros(kind.size, np.int16))
    return recording.read(path, tags).batch


def _computed(batch: SampleBatch, description: Description) -> FeatureRows:
    if description.score is None:
        raise ModelRejected(
            "to make rows from a recording, say when they are due, as in the agent's "
            "configuration: score={'every': '1s'}"
        )
    try:
        return offline_rows(
            description.asset_kind(),
            description.specs(),
            description.score.trigger(),
            batch,
            description.by_exception(),
        )
    except ValueError as error:
        raise ModelRejected(f"no rows can be made: {error}") from error


def _table(source: Any, stretch: Stretch, description: Description) -> Rows:
    try:
        values = np.ascontiguousarray(source, np.float32)
    except (TypeError, ValueError) as error:
        raise ModelRejected(
            f"training data is neither a recording, nor rows, nor a table: {error}"
        ) from error
    width = len(description.features)
    if values.ndim != _MATRIX or values.shape[1] != width:
        raise ModelRejected(
            f"the table has shape {list(values.shape)}; one column for each of the "
            f"{width} features is wanted"
        )
    asset = _positions(stretch.asset, len(values), description)
    whole = np.array(np.isfinite(values).all(axis=1), bool)
    return Rows(
        values, whole, asset, _times(stretch, asset), dated=stretch.at is not None
    )


def _positions(given: Sequence[Any] | None, rows: int, description: Description) -> I32:
    if given is None:
        return np.zeros(rows, np.int32)
    if len(given) != rows:
        raise ModelRejected(f"asset has {len(given)} entries for {rows} rows")
    known = {name: position for position, name in enumerate(description.assets)}
    if all(isinstance(one, str) for one in given):
        for name in given:
            known.setdefault(name, len(known))
        return np.array([known[name] for name in given], np.int32)
    return np.asarray(given, np.int32)


def _times(stretch: Stretch, asset: I32) -> I64 | None:
    if stretch.at is not None:
        at = np.asarray(stretch.at)
        if at.dtype.kind == "M":
            at = at.astype("datetime64[ns]")
        if len(at) != len(asset):
            raise ModelRejected(f"at has {len(at)} entries for {len(asset)} rows")
        return at.astype(np.int64)
    if stretch.every is None:
        return None
    order = np.argsort(asset, kind="stable")
    rank = np.empty(len(asset), np.int64)
    first = np.searchsorted(asset[order], asset[order])
    rank[order] = np.arange(len(asset)) - first
    return rank * round(stretch.every * NANOSECONDS)


def _asset_names(asset: I32, description: Description) -> list[str]:
    names = description.assets
    return [names[i] if i < len(names) else str(i) for i in asset.tolist()]


def _each(
    given: PerRow | None,
    rows: int,
    parts: Sequence[str],
    assets: Sequence[str],
    what: str,
) -> list[str] | None:
    """One text a row; empty where a mapping does not know it."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        by_name = {str(key): str(value) for key, value in given.items()}
        names = parts or assets
        found = [by_name.get(name, "") for name in names]
        if not any(found):
            raise ModelRejected(
                f"{what}: none of {', '.join(list(by_name)[:3])}, … is a part or an "
                f"asset of the data, which has {', '.join(list(names)[:3])}, …"
            )
        return found
    listed = np.asarray(given).tolist()
    if len(listed) != rows:
        raise ModelRejected(f"{what} has {len(listed)} entries for {rows} rows")
    return ["" if one is None else str(one) for one in listed]


def _contexts(
    given: PerRow | str | None,
    found: Rows,
    batch: SampleBatch | None,
    parts: Sequence[str],
    description: Description,
) -> tuple[str, ...]:
    if isinstance(given, str):
        if batch is None or given not in description.tags or found.at is None:
            raise ModelRejected(
                f"contexts={given!r}: only a recording has a tag whose text can tell "
                "each row's context; give one text a row"
            )
        return _spoken(given, found.asset, found.at, batch, description)
    names = _asset_names(found.asset, description)
    return tuple(_each(given, len(found), parts, names, "contexts") or ())


def _spoken(
    role: str, asset: I32, at: I64, batch: SampleBatch, description: Description
) -> tuple[str, ...]:
    """Each row's newest text of a tag; empty before the first."""
    kind = description.asset_kind()
    texts = np.array([*batch.texts, ""], dtype=object)
    found = np.full(len(asset), "", dtype=object)
    for position in np.unique(asset):
        tag = kind.index(kind.role_index(role), int(position))
        said = np.flatnonzero((batch.tag == tag) & np.isfinite(batch.value))
        order = said[np.argsort(batch.time[said], kind="stable")]
        mine = np.flatnonzero(asset == position)
        place = np.searchsorted(batch.time[order], at[mine], side="right") - 1
        spoken: F64 = np.append(batch.value[order], len(texts) - 1)
        found[mine] = texts[spoken[place].astype(np.int64)]
    return tuple(found.tolist())
