"""What waits for the desk: rows and alarms from the turn, labels from everywhere else.

The turn's thread never waits: it leaves references to its own arrays in a bounded
queue, and what does not fit is counted.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_agent.labels.predicted import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from edge_agent.clock import Clock
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.instruments import Instruments
    from edge_agent.labels.telling import Label
    from edge_agent.labels.verdicts import Verdict
    from edge_agent.pipeline import Pipeline
    from edge_agent.records import AlarmRecord
    from edge_agent.samples import I32
    from edge_agent.scores import Scores

#: Rows of the turn, labels and alarms that wait for the thread, at most.
ROWS, LABELS, ALARMS = 200_000, 200_000, 10_000
#: Labels waiting above which a source should hold back.
CROWDED = 50_000


class Told(NamedTuple):
    """Labels from one place, in order of arrival."""

    pipeline: str
    labels: Sequence[Label]
    done: Callable[[bool], None] | None


class Asked(NamedTuple):
    """A verdict, and who wants to know what became of it."""

    pipeline: str
    verdict: Verdict
    asset: str
    answer: Callable[[bool, str], None] | None


class Intake:
    """The queues.

    Args:
        pipelines: names of those whose labels are joined.
        clock: agent time.
        instruments: counters.
    """

    def __init__(
        self, pipelines: Collection[str], clock: Clock, instruments: Instruments
    ) -> None:
        self._pipelines = frozenset(pipelines)
        self._clock, self._instruments = clock, instruments
        self._rows: deque[tuple[str, Batch]] = deque()
        self._alarms: deque[AlarmRecord] = deque()
        self._told: deque[Told] = deque()
        self._asked: deque[Asked] = deque()
        # each is written by one thread only: no lock on the turn's way
        self._pushed = self._taken = 0
        self._lock = threading.Lock()
        self._waiting_labels = 0
        self._wake = threading.Event()

    # -- from the turn -----------------------------------------------------------

    def predicted(
        self,
        made: Pipeline,
        rows: FeatureRows,
        scores: Scores,
        alarmed: NDArray[Any],
        context: I32 | None = None,
        contexts: Sequence[str] = (),
        counts: NDArray[Any] | None = None,
    ) -> None:
        """Keep rows until their label comes; the turn's thread, never blocks.

        Args:
            made: whose scores they are.
            rows: scored; the arrays are not written again.
            scores: of all rows.
            alarmed: bool[n] (or `AlarmState`) an alarm was active behind each row.
            context: int32[n] in ``contexts``; None where rows have none.
            contexts: their names.
            counts: bool[n] rows that may alarm; None for all.
        """
        name, count = made.info.pipeline, len(rows.asset)
        if not count or name not in self._pipelines:
            return
        if self._pushed - self._taken + count > ROWS:
            cause = {"pipeline": name, "cause": "queue"}
            self._instruments.count("predictions_not_kept_total", count, **cause)
            self._lose("predictions", name, "no room where they wait for labels", count)
            return
        batch = Batch(
            made.info,
            made.fallback,
            made.limits.threshold,
            rows.asset,
            rows.at,
            rows.part,
            scores,
            alarmed,
            self._clock.wall_offset(),
            context,
            contexts,
            counts,
        )
        self._pushed += count
        self._rows.append((name, batch))

    def alarm(self, record: AlarmRecord) -> None:
        """Remember an alarm that operators may judge; the turn's thread."""
        if record.info.pipeline not in self._pipelines:
            return
        if len(self._alarms) >= ALARMS:
            name = record.info.pipeline
            self._instruments.count("alarms_not_kept_total", pipeline=name)
            self._lose("predictions", name, "no room for an alarm to be judged", 1)
            return
        self._alarms.append(record)

    # -- from the event loop, and any other thread ---------------------------------

    @property
    def crowded(self) -> bool:
        """So many labels wait that a source should take no more for now."""
        return self._waiting_labels > CROWDED

    def labelled(
        self,
        pipeline: str,
        labels: Sequence[Label],
        done: Callable[[bool], None] | None = None,
    ) -> bool:
        """Take labels; False when there is no room, and nothing was taken.

        Args:
            pipeline: whose.
            labels: in order of arrival.
            done: told once, by the desk's thread, whether they are safe on disk.
        """
        with self._lock:
            if self._waiting_labels + len(labels) > LABELS:
                cause = {"pipeline": pipeline, "cause": "queue"}
                count = len(labels)
                self._instruments.count("labels_refused_total", count, **cause)
                if done is None:  # whoever waits for an answer tells them again
                    self._lose("labels", pipeline, "no room, too many at once", count)
                return False
            self._waiting_labels += len(labels)
            self._told.append(Told(pipeline, labels, done))
        self._wake.set()
        return True

    def refused(self, pipeline: str, cause: str, count: int = 1) -> None:
        """Count labels that could not be used."""
        labels = {"pipeline": pipeline, "cause": cause}
        self._instruments.count("labels_refused_total", count, **labels)
        what = "verdicts" if cause == "verdict" else "labels"
        self._lose(what, pipeline, f"could not be used: {cause}", count)

    def _lose(self, what: str, pipeline: str, cause: str, count: int) -> None:
        self._instruments.losses.add(what, pipeline, cause, count)

    def verdict(
        self,
        pipeline: str,
        verdict: Verdict,
        answer: Callable[[bool, str], None] | None = None,
        *,
        asset: str = "",
    ) -> None:
        """Take an operator's verdict; what became of it is an event, and answered.

        Args:
            pipeline: whose alarm.
            verdict: on it.
            answer: told once, by the desk's thread, whether it was taken, and the
                sentence.
            asset: whose alarm it must be; empty for any.
        """
        with self._lock:
            if len(self._asked) >= ALARMS:
                self.refused(pipeline, "queue")
                return
            self._asked.append(Asked(pipeline, verdict, asset, answer))
        self._wake.set()

    # -- the desk's thread ---------------------------------------------------------

    def _next_rows(self) -> tuple[str, Batch] | None:
        if not self._rows:
            return None
        found = self._rows.popleft()
        self._taken += len(found[1].asset)
        return found

    def _next_told(self) -> Told | None:
        with self._lock:
            if not self._told:
                return None
            told = self._told.popleft()
            self._waiting_labels -= len(told.labels)
            return told
