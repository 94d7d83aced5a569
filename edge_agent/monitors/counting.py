"""A pipeline's rows, counted into blocks of time and context.

Taking rows costs a list entry: they are counted together, thousands at once, when there
are enough of them or somebody wants to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import structlog

from edge_agent.monitoring import blocks_kept
from edge_agent.monitoring.blocks import Blocks
from edge_agent.monitoring.tallies import counted_columns
from edge_agent.pipeline import MODELS
from edge_agent.records import DriftRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.monitoring.blocks import Cadence
    from edge_agent.monitoring.drift.yardstick import Yardstick
    from edge_agent.monitoring.pieces import Piece
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import PipelineInfo
    from edge_agent.samples import I32
    from edge_agent.scores import Scores

    F32 = NDArray[np.float32]

log = structlog.get_logger()

#: Rows that are counted together: fewer cost more each, more need more memory.
AT_ONCE = 8192
_ROOM = AT_ONCE + 1024
_FIRST = 64
"""Rows there is room for at first: of hundreds of pipelines most never need more than
what comes between two checkpoints."""
GATED = -1


class Counting:
    """What one pipeline's rows leave behind, for as long as one model scores it.

    Args:
        yardstick: of the model.
        info: of the pipeline with that model.
        cadence: how time is cut.
        now: agent time, ns.
    """

    def __init__(
        self, yardstick: Yardstick, info: PipelineInfo, cadence: Cadence, now: int
    ) -> None:
        self.yardstick = yardstick
        self.info = info
        self.blocks = Blocks(yardstick.grid, cadence, len(info.assets), now)
        self._outputs = yardstick.grid.names[yardstick.features :]
        room = min(max(_FIRST, 2 * len(info.assets)), _ROOM)
        self._columns = np.empty((len(yardstick.grid.names), room), np.float32)
        self._context = np.zeros(room, np.int32)
        self._asset = np.zeros(room, np.int32)
        self._waiting = 0

    def take(self, pipeline: Pipeline, rows: FeatureRows, scores: Scores) -> None:
        """Keep rows until they are counted.

        Args:
            pipeline: that scored them; on a rung below the model the outputs are none
                of the model's, and count as missing.
            rows: n rows.
            scores: of them.
        """
        place = slice(self._waiting, self._waiting + len(rows))
        if place.stop > self.room:
            self._widen(place.stop)
        features = self.yardstick.features
        self._columns[:features, place] = rows.values.T
        outputs = self._columns[features:, place]
        if pipeline.fallback in MODELS:
            self._fill(outputs, scores)
        else:
            outputs.fill(np.nan)
        self._context[place] = 0 if rows.context is None else rows.context
        self._asset[place] = rows.asset
        self._waiting = place.stop

    @property
    def room(self) -> int:
        """Rows that memory is held for."""
        return self._columns.shape[1]

    @property
    def crowded(self) -> bool:
        """Whether there are enough rows to count them."""
        return self._waiting >= AT_ONCE

    def fold(self, names: Sequence[str]) -> tuple[int, int]:
        """Count what was taken.

        Args:
            names: of the contexts.

        Returns:
            Rows counted, and rows that were not since the machine did not run.
        """
        if not self._waiting:
            return 0, 0
        rows, self._waiting = self._waiting, 0
        table, context = self._columns[:, :rows], self._context[:rows]
        asset = self._asset[:rows]
        gated = int(np.count_nonzero(context == GATED))
        codes = np.unique(context[context != GATED]) if gated else np.unique(context)
        if len(codes) == 1 and not gated:
            self._add(_named(names, int(codes[0])), table, asset, 0)
            return rows, 0
        for code in codes.tolist():
            mine = context == code
            self._add(_named(names, code), table[:, mine], asset[mine], 0)
        if gated:
            self._add("", table[:, :0], asset[:0], gated)
        return rows - gated, gated

    def close(self, now: int) -> dict[str, Piece]:
        """End the block; what is behind it, by context."""
        self.blocks, found = self.blocks.close(now)
        return found

    def records(self, pieces: Mapping[str, Piece]) -> list[DriftRecord]:
        """Closed pieces as they leave the agent, to be added up elsewhere."""
        return [
            self._record(context, piece)
            for context, piece in pieces.items()
            if piece.tallies.rows or piece.gated
        ]

    def saved(self, *, closed: bool) -> dict[str, bytes]:
        """For the checkpoint, by name.

        Args:
            closed: also what is closed, which is much and seldom new.
        """
        kept = blocks_kept.saved(self.blocks, closed=closed)
        digest = self.info.model_digest
        return {
            name: msgspec.msgpack.encode((digest, part)) for name, part in kept.items()
        }

    def restore(self, bodies: Mapping[str, bytes]) -> bool:
        """Go on where a checkpoint was made; what is another model's starts fresh.

        Returns:
            False when it is another model's.
        """
        try:
            kept = {}
            for name, body in bodies.items():
                digest, kept[name] = msgspec.msgpack.decode(body)
                if digest != self.info.model_digest:
                    return False
            before = self.blocks
            self.blocks = blocks_kept.restored(
                before.grid, before.cadence, before.assets, kept
            )
        except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as why:
            name = self.info.pipeline
            log.warning("drift state not restored", pipeline=name, why=str(why))
        return True

    def _fill(self, outputs: F32, scores: Scores) -> None:
        for place, name in enumerate(self._outputs):
            kind, _, which = name.partition(".")
            if kind == "score":
                outputs[place] = scores.score
            elif scores.probabilities is not None and which in scores.classes:
                at = scores.classes.index(which)
                outputs[place] = scores.probabilities[:, at]
            else:
                outputs[place] = np.nan

    def _widen(self, room: int) -> None:
        """Make room for more rows, up to what is counted at once and a large turn."""
        before = self.room
        more = max(room, min(2 * before, _ROOM)) - before
        self._columns = np.pad(self._columns, ((0, 0), (0, more)))
        self._context = np.pad(self._context, (0, more))
        self._asset = np.pad(self._asset, (0, more))

    def _add(self, context: str, table: F32, asset: I32, gated: int) -> None:
        by_asset = np.bincount(asset, minlength=self.blocks.assets).astype(np.int64)
        tallies = counted_columns(self.yardstick.grid, table)
        self.blocks = self.blocks.folded(context, tallies, by_asset, gated)

    def _record(self, context: str, piece: Piece) -> DriftRecord:
        grid, found = self.yardstick.grid, piece.tallies
        none = found.n == 0
        return DriftRecord(
            info=self.info,
            context=context,
            since=piece.since,
            until=piece.until,
            rows=found.rows,
            gated=piece.gated,
            baseline_id=grid.baseline_id,
            columns=grid.names,
            n=found.n,
            missing=found.missing,
            total=found.total,
            square=found.square,
            low=np.where(none, np.nan, found.low),
            high=np.where(none, np.nan, found.high),
            counts=found.counts,
            bins=grid.bins,
        )


def _named(names: Sequence[str], code: int) -> str:
    """A context's name; a pipeline without contexts has none, and one code."""
    return names[code] if len(names) else ""
