"""What became of a pipeline's labels and predictions, as counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.labels.joining import Became

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.instruments import Instruments

_COUNTERS = {
    Became.JOINED: "labels_joined_total",
    Became.CORRECTED: "labels_corrected_total",
    Became.DUPLICATE: "labels_duplicate_total",
}


class Accounts:
    """Counts.

    Args:
        pipeline: label of every counter.
        instruments: take them.
    """

    def __init__(self, pipeline: str, instruments: Instruments) -> None:
        self._pipeline, self._instruments = pipeline, instruments
        self.dropped_rows = False
        """Predictions have gone for lack of room or of time."""
        for name in (*_COUNTERS.values(), "labels_unknown_total", "labels_late_total"):
            self._count(name, 0)

    def _count(self, name: str, amount: int, **labels: str) -> None:
        self._instruments.count(name, amount, pipeline=self._pipeline, **labels)

    def _lose(self, what: str, cause: str, count: int) -> None:
        self._instruments.losses.add(what, self._pipeline, cause, count)

    def became(self, became: NDArray[np.uint8]) -> None:
        """Labels that found their prediction."""
        counts = np.bincount(became, minlength=len(Became))
        for what, name in _COUNTERS.items():
            if counts[what]:
                self._count(name, int(counts[what]))

    def unknown(self, count: int) -> None:
        """Labels whose prediction never came."""
        if count:
            self._count("labels_unknown_total", count)
            self._lose("labels", "there is no prediction they belong to", count)

    def late(self, count: int) -> None:
        """Labels of a time whose predictions have gone."""
        if count:
            self._count("labels_late_total", count)
            self._lose("labels", "they came after their predictions had gone", count)

    def said_again(self, count: int) -> None:
        """Labels said again before their prediction came; the last one stays."""
        if count:
            self._count("labels_duplicate_total", count)

    def collided(self, count: int) -> None:
        """Part ids with the same first hash."""
        if count:
            self._count("labels_collisions_total", count)

    def dropped(self, unlabelled: int, cause: str) -> None:
        """A page of predictions has gone."""
        self.dropped_rows = True
        name = "predictions_unlabelled_dropped_total"
        self._count(name, unlabelled, cause=cause)
        if unlabelled and cause != "horizon":  # that is as long as they are to wait
            self._lose("predictions", f"no {cause} left to wait for labels", unlabelled)

    def torn(self, count: int) -> None:
        """Bytes on disk that were no block."""
        if count:
            self._count("labels_torn_bytes_total", count)
            self._lose("predictions", "a file of predictions and labels is damaged", 0)

    def total(self, name: str) -> int:
        """A counter so far."""
        return self._instruments.counter(name, pipeline=self._pipeline)

    def status(self) -> dict[str, int]:
        """For the status document."""
        return {
            "joined": self.total("labels_joined_total"),
            "corrected": self.total("labels_corrected_total"),
            "duplicate": self.total("labels_duplicate_total"),
            "unknown": self.total("labels_unknown_total"),
            "late": self.total("labels_late_total"),
            "refused": self.total("labels_refused_total"),
            "dropped_unlabelled": self.total("predictions_unlabelled_dropped_total"),
            "not_kept": self.total("predictions_not_kept_total"),
        }
