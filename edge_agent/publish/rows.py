"""Training data to rows, by the gateway's own feature code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent import recording
from edge_agent.errors import ModelRejected
from edge_agent.features.contexts import GATED, Contexts, ContextSpec
from edge_agent.features.feature_rows import FeatureRows
from edge_agent.features.offline import offline_rows
from edge_agent.samples import NANOSECONDS, SampleBatch, TagTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.publish.description import Description
    from edge_agent.samples import I32, I64

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
        contexts: recipe, product or shift, likewise; or of a recording the tag whose
            value it is, several with / between them: ``recipe/product``.
        running: of a recording the values of a state tag in which the machine runs;
            rows in other states are left out, as the gateway does not judge them.
        warm_up: seconds after a start, or a change of context, that are left out too.
        asset: of each row of a table, by position or by id.
        at: time of each row of a table: ns since 1970, or datetime64.
        every: seconds between two rows of an asset, for a table without times.
    """

    source: Any
    labels: PerRow | None = None
    contexts: PerRow | str | None = None
    running: Mapping[str, Sequence[str]] | None = None
    warm_up: float = 0.0
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

    def take(self, select: I64) -> Rows:
        """Rows by position.

        Raises:
            ModelRejected: none of them has all its features.
        """
        if not self.whole[select].any():
            raise ModelRejected("the machine runs in no whole row: look at running")
        return Rows(
            self.values[select],
            self.whole[select],
            self.asset[select],
            None if self.at is None else self.at[select],
            self.dated,
            None if self.labels is None else self.labels[select],
            tuple(self.contexts[i] for i in select) if self.contexts else (),
        )


def made(stretch: Stretch, description: Description) -> Rows:
    """Rows of a stretch.

    Raises:
        ModelRejected: the source cannot be read, has no whole row or does not fit what
            is said of its rows.
    """
    source, contexts = stretch.source, _listening(stretch, description)
    if isinstance(source, str | Path):
        source = _recorded(Path(source), description)
    if isinstance(source, SampleBatch):
        source = _computed(source, description, contexts)
    runs, told = None, list[str]()
    parts: Sequence[str] = ()
    if isinstance(source, FeatureRows):
        found = Rows(source.values, source.valid, source.asset, source.at, dated=True)
        parts, told = source.part, _names(source, contexts)
        runs = _judged(source, contexts)
    else:
        found = _table(source, stretch, description)
    if not found.whole.any():
        raise ModelRejected(
            f"no row of {len(found)} has all its features: look at window, rate, hold "
            "and min_completeness, and whether the tags are recorded"
        )
    names = _asset_names(found.asset, description)
    labels = _each(stretch.labels, len(found), parts, names, "labels")
    whole = Rows(
        *(found.values, found.whole, found.asset, found.at, found.dated),
        None if labels is None else np.array(labels, dtype=object),
        _contexts(stretch.contexts, found, told, parts, description),
    )
    return whole if runs is None else whole.take(np.flatnonzero(runs))


def _recorded(path: Path, description: Description) -> SampleBatch:
    kind = description.asset_kind()
    if not kind.assets:
        raise ModelRejected(
            f"to read {path}, say which assets it holds: assets=('P-101', ...)"
        )
    tags = TagTable((kind,), ("recording",), np.zeros(kind.size, np.int16))
    return recording.read(path, tags).batch


def _computed(
    batch: SampleBatch, description: Description, contexts: Contexts | None
) -> FeatureRows:
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
            contexts,
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
    told: Sequence[str],
    parts: Sequence[str],
    description: Description,
) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(told)
    names = _asset_names(found.asset, description)
    return tuple(_each(given, len(found), parts, names, "contexts") or ())


def _listening(stretch: Stretch, description: Description) -> Contexts | None:
    """The gateway's own code for contexts; None where rows bring theirs.

    Raises:
        ModelRejected: a role that the recording does not have.
    """
    given = stretch.contexts
    by = tuple(given.split("/")) if isinstance(given, str) else ()
    running = tuple((role, tuple(v)) for role, v in (stretch.running or {}).items())
    if not (by or running):
        return None
    roles = [role for role in (*by, *dict(running)) if role not in description.tags]
    if roles or not isinstance(stretch.source, str | Path | SampleBatch):
        raise ModelRejected(
            f"contexts={given!r}: only a recording has tags that can tell each row's "
            f"context; of {', '.join(roles) or 'other data'} give one text a row"
        )
    spec = ContextSpec(running, by, round(stretch.warm_up * NANOSECONDS))
    return Contexts(description.asset_kind(), spec)


def _judged(found: FeatureRows, contexts: Contexts | None) -> Bools | None:
    """Rows of machines that run; None for all."""
    if contexts is None or found.context is None or not contexts.spec.running:
        return None
    runs: Bools = found.context != GATED
    return runs


def _names(found: FeatureRows, contexts: Contexts | None) -> list[str]:
    """Name of each row's context, empty for a row that has none."""
    if contexts is None or found.context is None:
        return []
    names = [*contexts.names, ""]
    return [names[number] for number in found.context.tolist()]
