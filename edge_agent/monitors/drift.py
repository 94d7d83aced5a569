"""Whether a pipeline's rows still look like its model's reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.findings import findings, model_of
from edge_agent.instruments import (
    DRIFT_LOOKS,
    DRIFT_NOT_JUDGED,
    GATED_ROWS,
    MONITORED_ROWS,
)
from edge_agent.monitoring import baselines
from edge_agent.monitoring.blocks import MAX_CONTEXTS, Cadence
from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.diagnosis import diagnosed
from edge_agent.monitoring.drift.sentences import conditions
from edge_agent.monitoring.drift.watching import watched
from edge_agent.monitoring.episodes import Change, Episodes
from edge_agent.monitoring.evidence import Evidence
from edge_agent.monitors.counting import Counting
from edge_agent.monitors.keeping import packed_episodes, unpacked_episodes
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.config.monitoring import Monitor
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.instruments import Instruments
    from edge_agent.monitoring.conditions import Condition
    from edge_agent.monitoring.drift.watching import Watch
    from edge_agent.monitoring.pieces import Piece
    from edge_agent.monitoring.sensors.movements import Move, Shift
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import DriftRecord, FindingRecord, SnapshotRecord
    from edge_agent.scores import Scores

    _Left = DriftRecord | FindingRecord | SnapshotRecord

#: What this watch judges; movements that only the sensors show are theirs.
_OWN = frozenset(
    {
        What.INPUT_DRIFT,
        What.SCORE_DRIFT,
        What.UNSEEN_CONTEXT,
        What.TOO_MUCH_MISSING,
    }
)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the sensors of the asset type show while the rows are looked at.

    Attributes:
        conditions: of single tags.
        moves: of assets whose tags moved.
        assets: how many there are.
        resting: those that stand still or warm up.
        together: tags by which all assets have moved as one.
        uneasy: assets with a tag that may soon have a condition.
    """

    conditions: Sequence[Condition] = ()
    moves: Sequence[Move] = ()
    assets: int = 1
    resting: frozenset[str] = frozenset()
    together: Sequence[Shift] = ()
    uneasy: frozenset[str] = frozenset()

    def with_these(self, found: Sequence[Condition]) -> Evidence:
        """All that is known, for a diagnosis."""
        return Evidence(
            (*found, *self.conditions),
            self.moves,
            assets=self.assets,
            resting=self.resting,
            together=self.together,
            uneasy=self.uneasy,
        )


@dataclass(slots=True)
class DriftWatch:
    """One pipeline's drift.

    Attributes:
        name: of the pipeline.
        settings: as configured.
        due: agent time of the next look, ns.
        instruments: counters.
        contexts: told apart at most.
        episodes: what goes on.
        conditions: of the last look; replaced, never changed.
        status: of the last look, likewise.
    """

    name: str
    settings: Monitor
    due: int
    instruments: Instruments
    contexts: int = MAX_CONTEXTS
    episodes: Episodes = field(default_factory=Episodes)
    conditions: Sequence[Condition] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    _counting: Counting | None = None
    _left: list[_Left] = field(default_factory=list)
    _kept: dict[str, bytes] = field(default_factory=dict)
    _closed: bool = True
    """Whether a block was closed since the last checkpoint."""

    def take(
        self,
        pipeline: Pipeline,
        rows: FeatureRows,
        scores: Scores,
        names: Sequence[str],
        now: int,
    ) -> None:
        """Keep a turn's rows.

        Args:
            pipeline: that scored them; another model begins to count anew.
            rows: n rows.
            scores: of them.
            names: of the contexts.
            now: agent time, ns.
        """
        yardstick = pipeline.yardstick
        counting = self._counting
        if counting is None or counting.yardstick is not yardstick:
            self._end(names, now)
            self._counting = counting = None
            if yardstick is not None:
                counting = self._begin(pipeline, now)
        if counting is None:
            return
        counting.take(pipeline, rows, scores)
        if counting.crowded:
            self._fold(names)

    def look(self, names: Sequence[str], now: int, beside: Beside) -> list[_Left]:
        """Close the block, judge, and say what begins or ends.

        Args:
            names: of the contexts.
            now: agent time, ns.
            beside: what the sensors show.
        """
        self.due = now - now % self._every + self._every + self.due % self._every
        records: list[_Left] = [*self._left]
        self._left = []
        counting = self._counting
        if counting is None:
            return records
        self._fold(names)
        pieces = counting.close(now)
        self._closed = True
        records += counting.records(pieces)
        seen = self._judged(counting, pieces, beside)
        could = seen.judges(counting.yardstick.grid.names)
        self.episodes, changes = self.episodes.looked(
            self.conditions, could, now, self.settings.persist
        )
        records += findings(changes, now, self.name, model_of(counting.info))
        self.status = _status(seen, counting, now)
        return records

    def saved(self, names: Sequence[str]) -> dict[str, bytes]:
        """For the checkpoint, by name."""
        self._fold(names)
        found = {"episodes": packed_episodes(self.episodes)}
        if self._counting is None:
            return found | self._kept
        closed, self._closed = self._closed, False
        return found | self._counting.saved(closed=closed)

    def restore(self, bodies: Mapping[str, bytes]) -> None:
        """Go on where a checkpoint was made."""
        kept = dict(bodies)
        self.episodes = unpacked_episodes(kept.pop("episodes", b"\x90"), self.name)
        self._kept = kept

    @property
    def _every(self) -> int:
        return round(self.settings.every * NANOSECONDS)

    def _begin(self, pipeline: Pipeline, now: int) -> Counting:
        assert pipeline.yardstick is not None  # noqa: S101 - the caller saw to it
        settings = self.settings
        cadence = Cadence(settings.every, settings.window, self.contexts)
        counting = Counting(pipeline.yardstick, pipeline.info, cadence, now)
        if self._kept:
            if not counting.restore(self._kept):
                self._close(now, model_of(pipeline.info))
            self._kept = {}
        self._counting, self._closed = counting, True
        self._left += baselines.records(now, pipeline.info, pipeline.yardstick)
        return counting

    def _end(self, names: Sequence[str], now: int) -> None:
        """Another model scores: what was counted over the old one's bins is closed."""
        if self._counting is not None:
            self._fold(names)
            self._left += self._counting.records(self._counting.close(now))
            self._close(now, model_of(self._counting.info))

    def _close(self, now: int, model: tuple[str, str]) -> None:
        """Findings were of the old model's reference, which nobody looks at now."""
        over = [Change(episode, opens=False) for episode in self.episodes.told()]
        self._left += findings(over, now, self.name, model)
        self.episodes, self.conditions, self.status = Episodes(), (), {}

    def _fold(self, names: Sequence[str]) -> None:
        if self._counting is None:
            return
        rows, gated = self._counting.fold(names)
        count = self.instruments.count
        if rows:
            count(MONITORED_ROWS, rows, pipeline=self.name)
        if gated:
            count(GATED_ROWS, gated, pipeline=self.name)

    def _judged(
        self, counting: Counting, pieces: Mapping[str, Piece], beside: Beside
    ) -> Watch:
        ran = [context for context, piece in pieces.items() if piece.tallies.rows]
        seen = watched(
            counting.blocks,
            counting.yardstick,
            self.settings.findings_per_month,
            ran,
        )
        found = conditions(seen, counting.yardstick)
        self.conditions = [
            condition
            for condition in diagnosed(beside.with_these(found))
            if condition.what in _OWN
            and not condition.asset
            # of a score that is off while a tag begins to move nothing is told yet
            and (condition.what is not What.SCORE_DRIFT or condition.cause)
        ]
        count = self.instruments.count
        count(DRIFT_LOOKS, 1, pipeline=self.name)
        for reason, columns in seen.unjudged.items():
            why = reason.name.lower()
            count(DRIFT_NOT_JUDGED, columns, pipeline=self.name, reason=why)
        return seen


def _status(seen: Watch, counting: Counting, now: int) -> dict[str, Any]:
    """What the last look saw, in plain values."""
    worst: list[tuple[float, str, str]] = []
    for sight in seen.sights:
        for look in sight.looks:
            place = int(np.argmax(look.strength))
            name = sight.profile.grid.names[place]
            worst.append((float(look.strength[place]), name, sight.context))
    strength, column, context = max(worst, default=(0.0, "", ""))
    return {
        "looked": now,
        "rows": seen.recent.tallies.rows if seen.recent is not None else 0,
        "worst": column,
        "worst_context": context,
        "strength": round(strength, 3),
        "not_judged": int(sum(seen.unjudged.values())),
        "version": counting.info.model_version,
    }
