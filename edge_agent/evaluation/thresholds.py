"""Takes rows from the turn for `tracking`, and keeps what was counted on disk.

The turn leaves references to its own arrays; the desk's thread counts.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import structlog

from edge_agent.alarms import Rows
from edge_agent.durable import write_whole
from edge_agent.evaluation.tracking import Seen
from edge_agent.records import NoScore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.alarms import Limits
    from edge_agent.evaluation.active import Active
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.instruments import Instruments
    from edge_agent.pipeline import Pipeline
    from edge_agent.samples import F64, I32, I64, U8
    from edge_agent.scores import Scores

log = structlog.get_logger()

#: Rows that wait at most, and ns between two writes.
MOST, WRITE = 200_000, 600_000_000_000
_NAME = "thresholds.bin"
_OK = np.uint8(NoScore.NONE)


class _Batch(NamedTuple):
    pipeline: str
    digest: str
    limits: Limits
    asset: I32
    at: I64
    score: F64
    no_score: U8
    counts: NDArray[np.bool_] | None


class Thresholds:
    """Of the pipelines with a budget of false alarms.

    Args:
        at_most: how far each pipeline's threshold may move, by name.
        assets: ids by position, likewise.
        folder: state_dir/labels.
        active: what scores a pipeline now; None where no model does.
        instruments: counters.
    """

    def __init__(
        self,
        at_most: Mapping[str, float],
        assets: Mapping[str, tuple[str, ...]],
        folder: Path,
        active: Callable[[str], Active | None],
        instruments: Instruments,
    ) -> None:
        self._at_most, self._assets, self._folder = at_most, assets, folder
        self._active, self._instruments = active, instruments
        self._queue: deque[_Batch] = deque()
        self._pushed = self._taken = 0
        self._wrote = 0
        self._seen = {name: seen for name in at_most if (seen := self._read(name))}

    def observe(
        self,
        made: Pipeline,
        rows: FeatureRows,
        scores: Scores,
        counts: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count scored rows later; the turn's thread, never blocks.

        Args:
            made: whose scores they are.
            rows: n rows; the arrays are not written again.
            scores: of them.
            counts: bool[n] rows that may alarm; None for all with a score.
        """
        name = made.info.pipeline
        if name not in self._at_most or not made.alarmed:
            return
        if self._pushed - self._taken + len(rows.at) > MOST:
            count = len(rows.at)
            self._instruments.count("thresholds_not_seen_total", count, pipeline=name)
            return
        self._pushed += len(rows.at)
        digest = made.info.model_digest
        columns = (rows.asset, rows.at, scores.score, scores.no_score)
        self._queue.append(_Batch(name, digest, made.limits, *columns, counts))

    def fold(self, now: int, last: bool = False) -> None:
        """Count what waits; the desk's thread.

        Args:
            now: agent time, ns.
            last: write everything.
        """
        groups: dict[tuple[str, str, Limits], list[_Batch]] = {}
        while self._queue:
            batch = self._queue.popleft()
            self._taken += len(batch.at)
            key = (batch.pipeline, batch.digest, batch.limits)
            groups.setdefault(key, []).append(batch)
        for (name, digest, limits), batches in groups.items():
            seen = self._of(name, digest)
            if seen is not None:
                seen.take(_joined(batches), limits)
        if last or now - self._wrote >= WRITE:
            self._wrote = now
            self._write()

    def seen(self, name: str, digest: str) -> Seen | None:
        """What was counted of a version."""
        seen = self._seen.get(name)
        return seen if seen is not None and seen.digest == digest else None

    def _of(self, name: str, digest: str) -> Seen | None:
        """The version's, begun where it is new."""
        seen, active = self._seen.get(name), self._active(name)
        if active is None or not digest or digest != active.digest:
            return None
        at_most = self._at_most[name]
        wanted = (digest, active.base, at_most)
        if seen is None or (seen.digest, seen.base, seen.at_most) != wanted:
            seen = Seen(digest, self._assets[name], active.base, at_most)
            self._seen[name] = seen
        return seen

    def _read(self, name: str) -> Seen | None:
        path = self._folder / name / _NAME
        try:
            kept = msgspec.msgpack.decode(path.read_bytes(), strict=False)
            return Seen.restored(kept, self._assets[name])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, msgspec.MsgspecError) as why:
            log.warning("thresholds not restored", pipeline=name, why=str(why))
            return None

    def _write(self) -> None:
        for name, seen in self._seen.items():
            path = self._folder / name / _NAME
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, msgspec.msgpack.encode(seen.saved()), 0o640)
            except OSError as why:
                log.warning("thresholds not kept", pipeline=name, why=str(why))


def _joined(batches: list[_Batch]) -> Rows:
    """Rows in order, with whether a verdict was given."""
    asset, at, score, no_score = (
        np.concatenate([batch[k] for batch in batches]) for k in range(3, 7)
    )
    verdict = no_score == _OK
    masks = [
        np.ones(len(b.at), bool) if b.counts is None else b.counts for b in batches
    ]
    return Rows(asset, at, score, verdict & np.concatenate(masks))
