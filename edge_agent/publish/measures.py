"""What a model reaches on labelled rows kept aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64
    from edge_agent.scores import Scores

_CALM = frozenset({"0", "0.0", "false", "no", "normal", "ok", "good"})


@dataclass(frozen=True, slots=True)
class Reached:
    """Measures on n labelled rows; NaN where they are not defined.

    Attributes:
        labels: n.
        bad: how many of them were to be found.
        accuracy: share of rows whose class, or verdict, is the label's.
        precision: share of alarms that were right.
        recall: share of bad rows that were found.
        f1: harmonic mean of both.
    """

    labels: int
    bad: int
    accuracy: float
    precision: float
    recall: float
    f1: float

    def of(self, metric: str) -> float:
        """A measure by the passport's name; NaN for one that is not taken here."""
        found: float = getattr(self, metric, float("nan"))
        return found

    def sentence(self) -> str:
        """For the card."""
        return (
            f"On {self.labels} labelled rows kept aside ({self.bad} bad): precision "
            f"{self.precision:.3f}, recall {self.recall:.3f}, F1 {self.f1:.3f}, "
            f"accuracy {self.accuracy:.3f}."
        )


def bad_rows(labels: NDArray[np.object_], good: str) -> NDArray[np.bool_]:
    """bool[n] rows that should alarm; unknown labels are not.

    Args:
        labels: str[n], empty where not known.
        good: the class that needs no alarm; empty for an anomaly model, where 0, false,
            normal, ok and good are calm.
    """
    calm = {good} if good else _CALM
    found = [bool(t) and (t if good else t.lower()) not in calm for t in labels]
    return np.array(found, bool)


def reached(
    scores: Scores, threshold: float, labels: NDArray[np.object_], good: str
) -> Reached | None:
    """Measures of verdicts at a threshold; None without a label.

    Args:
        scores: of the rows, by the exported graph.
        threshold: an alarm above it.
        labels: str[n], empty where not known.
        good: as for `bad_rows`.
    """
    known = np.array([bool(text) for text in labels], bool)
    if not known.any():
        return None
    bad = bad_rows(labels, good)[known]
    alarm = scores.score[known] > threshold
    hit = int((alarm & bad).sum())
    precision, recall = _share(hit, int(alarm.sum())), _share(hit, int(bad.sum()))
    if scores.classes:
        names = np.array(scores.classes, dtype=object)[scores.labels()[known]]
        right = names == labels[known]
    else:
        right = alarm == bad
    return Reached(
        labels=int(known.sum()),
        bad=int(bad.sum()),
        accuracy=float(np.mean(right.astype(float))),
        precision=precision,
        recall=recall,
        f1=_share(2 * hit, int(alarm.sum() + bad.sum())),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def spread(values: F64) -> str:
    """Quantiles of a score, for the card."""
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.99))
    return f"5 % {low:.4g}, median {middle:.4g}, 99 % {high:.4g}"
