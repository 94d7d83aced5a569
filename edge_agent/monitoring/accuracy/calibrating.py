"""From a model's chances to true ones, learned from labelled rows.

A chance of 0.8 is true if 80 of 100 such rows are bad. Isotonic regression (pool
adjacent violators, read by straight lines between its steps as scikit-learn does) fits
any rising curve and needs many labels; Platt's curve, of the logit, has two numbers.
Which one, or none, is chosen by the squared error on labels it was not fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.reliability import (
    bins_of,
    calibration_error,
    calibration_noise,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from edge_agent.monitoring.accuracy.joined import Bools
    from edge_agent.samples import F64

#: Labelled rows that are looked at, evenly spread where there are more.
MOST = 20_000
FOLDS = 10
FEW = 50
"""Labels of each kind below which nothing is fitted."""
_STEPS = 50
_NEAR = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Calibrator:
    """A curve from a model's chance to the true one.

    Attributes:
        x, y: float64[knots] isotonic: straight lines between them; empty for none.
        slope, offset: Platt: 1 / (1 + exp(-(slope logit + offset))); 1 and 0 for none.
        error: calibration error on labels it was not fitted to; NaN without any.
        noise: that a true one would show on so many labels.
        labels: rows it was fitted to.
    """

    x: F64
    y: F64
    slope: float = 1.0
    offset: float = 0.0
    error: float = float("nan")
    noise: float = float("nan")
    labels: int = 0

    @property
    def kind(self) -> str:
        """``isotonic``, ``platt`` or ``none``."""
        if len(self.x):
            return "isotonic"
        return "none" if (self.slope, self.offset) == (1.0, 0.0) else "platt"

    def __call__(self, chance: F64) -> F64:
        """float64[n] true chances; NaN stays NaN."""
        if len(self.x):
            return np.interp(chance, self.x, self.y)
        if self.kind == "none":
            return chance
        return _sigmoid(self.slope * _logit(chance) + self.offset)

    def saved(self) -> dict[str, NDArray[np.generic]]:
        """For the checkpoint or the passport."""
        numbers = (self.slope, self.offset, self.error, self.noise, self.labels)
        return {"x": self.x, "y": self.y, "numbers": np.array(numbers, np.float64)}

    @staticmethod
    def restored(arrays: Mapping[str, NDArray[np.generic]]) -> Calibrator:
        """From what `saved` gave.

        Raises:
            ValueError: it is no rising curve of chances.
            KeyError: an array is missing.
        """
        x, y = (np.asarray(arrays[name], np.float64) for name in ("x", "y"))
        slope, offset, error, noise, labels = (float(n) for n in arrays["numbers"])
        rising = (
            x.shape == y.shape and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all()
        )
        if not rising or ((y < 0) | (y > 1)).any() or not np.isfinite(slope + offset):
            raise ValueError("a calibration curve must rise from 0 to 1")
        return Calibrator(x, y, slope, offset, error, noise, int(labels))


def none() -> Calibrator:
    """Chances as they are, never held against labels."""
    return Calibrator(np.zeros(0), np.zeros(0))


def fitted(chance: F64, bad: Bools, seed: int = 0) -> Calibrator:
    """Learn the curve from labelled rows.

    Args:
        chance: float64[n] the model's, 0..1.
        bad: bool[n] what was found.
        seed: of the folds.
    """
    known = np.isfinite(chance)
    chance, bad = chance[known], bad[known]
    if len(chance) > MOST:
        chosen = np.linspace(0, len(chance) - 1, MOST).astype(np.int64)
        chance, bad = chance[chosen], bad[chosen]
    if min(np.count_nonzero(bad), np.count_nonzero(~bad)) < FEW:
        return none()
    fold = np.arange(len(chance)) % FOLDS
    np.random.default_rng(seed).shuffle(fold)
    kept: dict[str, F64] = {"none": chance}
    for name, fit in _KINDS.items():
        kept[name] = np.empty(len(chance))
        for place in range(FOLDS):
            out = fold == place
            kept[name][out] = fit(chance[~out], bad[~out])(chance[out])
    best = min(kept, key=lambda name: float(np.square(kept[name] - bad).mean()))
    found = _KINDS[best](chance, bad) if best in _KINDS else none()
    bins = bins_of(kept[best], bad)
    error, noise = float(calibration_error(bins)[0]), float(calibration_noise(bins)[0])
    return Calibrator(
        *(found.x, found.y, found.slope, found.offset), error, noise, len(chance)
    )


def isotonic(chance: F64, bad: Bools) -> Calibrator:
    """The rising steps nearest to the labels."""
    x, first, count = np.unique(np.sort(chance), return_index=True, return_counts=True)
    hits = np.add.reduceat(bad[np.argsort(chance, kind="stable")] * 1.0, first)
    weights: list[float] = []
    means: list[float] = []
    starts: list[int] = []
    for place, (n, mean) in enumerate(
        zip(count.tolist(), (hits / count).tolist(), strict=True)
    ):
        start, weight, level = place, float(n), mean
        while means and means[-1] >= level:
            before = weights.pop()
            level = (means.pop() * before + level * weight) / (before + weight)
            weight, start = weight + before, starts.pop()
        weights.append(weight)
        means.append(level)
        starts.append(start)
    ends = np.array([*starts[1:], len(x)]) - 1
    # each step at its first and its last chance, once where these are the same
    knot = np.stack([np.array(starts), ends], axis=1).ravel()
    level = np.repeat(means, 2)
    keep = np.append(True, np.diff(knot) > 0)
    return Calibrator(x[knot[keep]], np.clip(level[keep], 0.0, 1.0))


def platt(chance: F64, bad: Bools) -> Calibrator:
    """The likeliest curve of two numbers, by Newton's method; labels as Platt's."""
    hits = float(np.count_nonzero(bad))
    target = np.where(bad, (hits + 1) / (hits + 2), 1 / (len(bad) - hits + 2))
    columns = np.stack([_logit(chance), np.ones(len(chance))], axis=1)
    at = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = _sigmoid(columns @ at)
        slope = columns.T @ (p - target)
        curve = (columns * (p * (1 - p))[:, None]).T @ columns
        step = np.linalg.solve(curve + 1e-9 * np.eye(2), slope)
        at -= np.clip(step, -5.0, 5.0)
        if np.abs(step).max() < _NEAR:
            break
    return Calibrator(np.zeros(0), np.zeros(0), float(at[0]), float(at[1]))


_KINDS: dict[str, Callable[[F64, Bools], Calibrator]] = {
    "platt": platt,
    "isotonic": isotonic,
}


def _logit(chance: F64) -> F64:
    inside = np.clip(chance, _NEAR, 1 - _NEAR)
    return np.log(inside / (1 - inside))


def _sigmoid(number: F64) -> F64:
    found: F64 = 1.0 / (1.0 + np.exp(-np.clip(number, -40.0, 40.0)))
    return found
