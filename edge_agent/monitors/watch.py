"""What the turn hands over for monitoring, and when it is looked at.

Taking rows and samples costs the turn next to nothing; counting and judging come behind
its records, one look a turn at most, so that no turn waits for many. A bug in a watch
ends that watch, which is told; it never reaches the turn.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.findings import named
from edge_agent.monitoring.blocks import MAX_CONTEXTS
from edge_agent.monitors.drift import Beside, DriftWatch
from edge_agent.monitors.stopped import Stopped
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.config.pipelines import Pipeline as Settings
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.instruments import Instruments
    from edge_agent.lines import Line
    from edge_agent.monitoring.conditions import Condition
    from edge_agent.monitors.sensors import SensorWatch
    from edge_agent.monitors.stopped import Contained
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import Record
    from edge_agent.samples import I64, SampleBatch
    from edge_agent.scores import Scores

#: Ns of rows that a crash may leave uncounted. A finding is saved with its record.
SAVE_EVERY = 60 * NANOSECONDS
_FOLD_EVERY = NANOSECONDS
#: What all pipelines together remember of their rows at most, bytes, were each to meet
#: as many contexts as it is allowed; and what one column and context takes at most.
MEMORY, _COLUMN = 256 << 20, 11 << 10
_FEWEST, _COLUMNS = 2, 32


class Monitors:
    """Monitoring of all lines; the turn's thread alone calls it, but for `status`.

    Args:
        lines: as the turn has them.
        pipelines: as configured.
        sensors: watch of each line's tags; None where it is not wanted.
        instruments: counters.
        now: agent time, ns.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        pipelines: Mapping[str, Settings],
        sensors: Sequence[SensorWatch | None],
        instruments: Instruments,
        now: int,
    ) -> None:
        self._lines = lines
        self._kinds = [line.builder.window.kind.name for line in lines]
        self._sensors = {
            kind: one
            for kind, one in zip(self._kinds, sensors, strict=True)
            if one is not None
        }
        self._stopped = Stopped(instruments)
        self._drift: dict[str, tuple[int, int, DriftWatch]] = {}
        count, contexts = max(len(pipelines), 1), _contexts(lines)
        for place, line in enumerate(lines):
            for position, post in enumerate(line.posts):
                name = post.pipeline.info.pipeline
                settings = pipelines[name].monitor
                if settings.enabled:
                    # not all at once: each has its own place in the hour
                    every = round(settings.every * NANOSECONDS)
                    due = now + every + every * len(self._drift) // (2 * count)
                    watch = DriftWatch(
                        name, settings, due, instruments, contexts=contexts
                    )
                    self._drift[name] = place, position, watch
        self._rests = [
            np.zeros(len(line.builder.window.kind.assets), bool) for line in lines
        ]
        """Of each line's assets, those that the operator's state tags say stand."""
        self._folded = self._saved = now
        self._turn = 0
        self._looked: set[str] = set()

    def samples(self, kind: str, batch: SampleBatch) -> None:
        """Settled samples of an asset type."""
        if (sensors := self._sensors.get(kind)) is not None:
            sensors.take(batch)

    def rows(
        self, pipeline: Pipeline, rows: FeatureRows, scores: Scores, now: int
    ) -> None:
        """Scored rows of a pipeline."""
        name = pipeline.info.pipeline
        found = self._drift.get(name)
        if found is not None:
            place, position, watch = found
            if rows.gates is not None:
                self._rests[place][rows.asset] = rows.gates.suppressed
            with self._drift_contained(name, now):
                names = self._names(place, position)
                watch.take(pipeline, rows, scores, names, now)

    def look(self, now: int, alive: I64) -> list[Record]:
        """Count and judge what is due; behind the turn's records.

        Args:
            now: agent time, ns.
            alive: int64[sources] when each was last seen alive.
        """
        if now - self._folded >= _FOLD_EVERY:
            self._folded = now
            for kind, sensors in [*self._sensors.items()]:
                with self._sensors_contained(kind, now):
                    sensors.fold()
        found = self._look_at_sensors(now, alive) or self._look_at_drift(now)
        return [*found, *self._stopped.news()]

    def _look_at_sensors(self, now: int, alive: I64) -> list[Record]:
        due = {kind: one for kind, one in self._sensors.items() if now >= one.due}
        if not due:
            return []
        # who has waited longest: else many types at few turns would never be seen
        kind = min(due, key=lambda kind: due[kind].due)
        rests = self._rests[self._kinds.index(kind)]
        with self._sensors_contained(kind, now):
            return [*due[kind].look(now, alive, ~rests)]
        return []

    def _look_at_drift(self, now: int) -> list[Record]:
        due = [entry for entry in self._drift.values() if now >= entry[2].due]
        if not due:
            return []
        place, position, watch = min(due, key=lambda entry: entry[2].due)
        names = self._names(place, position)
        with self._drift_contained(watch.name, now):
            self._looked.add(watch.name)
            return [*watch.look(names, now, self._beside(place))]
        return []

    def _drift_contained(self, name: str, now: int) -> Contained:
        end = partial(self._drift.pop, name)
        return self._stopped.contained("drift", name, now, end)

    def _sensors_contained(self, kind: str, now: int) -> Contained:
        end = partial(self._sensors.pop, kind)
        return self._stopped.contained("sensors", kind, now, end)

    def _names(self, place: int, position: int) -> Sequence[str]:
        contexts = self._lines[place].posts[position].contexts
        return contexts.names if contexts is not None else ()

    def _beside(self, place: int) -> Beside:
        sensors = self._sensors.get(self._kinds[place])
        return sensors.beside if sensors is not None else Beside()

    def saved(self, now: int, *, last: bool = False) -> dict[str, bytes]:
        """Parts of the checkpoint that are due.

        What was looked at goes with its findings; besides, one pipeline a call, each
        about once a minute, and habits of sensors once an hour: written at once, all
        of it would hold up a turn and wear out the flash.
        """
        found: dict[str, bytes] = {}
        wanted = [*self._drift] if last else [*self._looked, *self._next(now)]
        self._looked = set()
        for name in dict.fromkeys(wanted):
            if name not in self._drift:  # it ended since it looked
                continue
            place, position, watch = self._drift[name]
            with self._drift_contained(name, now):
                kept = watch.saved(self._names(place, position))
                found |= {f"drift/{name}/{part}": body for part, body in kept.items()}
        for kind, sensors in [*self._sensors.items()]:
            with self._sensors_contained(kind, now):
                kept = sensors.saved(now, last=last)
                found |= {f"sensors/{kind}/{part}": body for part, body in kept.items()}
        return found

    def _next(self, now: int) -> list[str]:
        """The pipeline whose turn it is to be saved, if it is time."""
        pause = SAVE_EVERY // max(len(self._drift), 1)
        if not self._drift or now - self._saved < pause:
            return []
        self._saved = now
        self._turn = (self._turn + 1) % len(self._drift)
        return [[*self._drift][self._turn]]

    def restore(self, checkpoint: Mapping[str, bytes], now: int) -> None:
        """Go on where a checkpoint was made; what does not fit starts fresh."""
        for name, (_, _, watch) in [*self._drift.items()]:
            with self._drift_contained(name, now):
                watch.restore(_below(checkpoint, f"drift/{name}/"))
        for kind, sensors in [*self._sensors.items()]:
            with self._sensors_contained(kind, now):
                sensors.restore(_below(checkpoint, f"sensors/{kind}/"), now)

    def status(self, name: str) -> dict[str, Any]:
        """A pipeline's drift for the status; any thread."""
        found = self._drift.get(name)
        if found is None:
            error = self._stopped.why("drift", name)
            return {"state": "not watched"} | ({"error": error} if error else {})
        place, _, watch = found
        told = [e.condition.sentence for e in watch.episodes.told()]
        error = self._stopped.why("sensors", self._kinds[place])
        beside = {"sensors": f"not watched: {error}"} if error else {}
        return {**watch.status, "findings": told, **beside}

    def going_on(self) -> set[str]:
        """Ids of the findings that are open here."""
        found = {
            named(episode, name)
            for name, (_, _, watch) in self._drift.items()
            for episode in watch.episodes.told()
        }
        for sensors in self._sensors.values():
            found |= {named(episode, "") for episode in sensors.episodes.told()}
        return found

    def conditions(self, name: str) -> tuple[Sequence[Condition], Beside]:
        """What drift and sensors show of a pipeline now; any thread."""
        found = self._drift.get(name)
        if found is None:
            return (), Beside()
        place, _, watch = found
        return watch.conditions, self._beside(place)


def _below(checkpoint: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {
        name.removeprefix(prefix): body
        for name, body in checkpoint.items()
        if name.startswith(prefix)
    }


def _contexts(lines: Sequence[Line]) -> int:
    """How many contexts each pipeline may tell apart, so that memory is bounded."""
    posts = [post for line in lines for post in line.posts]
    columns = sum(
        len(post.pipeline.yardstick.grid.names)
        if post.pipeline.yardstick is not None
        else _COLUMNS
        for post in posts
    )
    room = MEMORY // (_COLUMN * max(columns, 1))
    return max(_FEWEST, min(MAX_CONTEXTS, room))
