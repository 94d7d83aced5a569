"""How often the transmitter that is wrong comes first in an alarm's explanation.

``python -m tests.monitoring.explanation_bench`` builds a model of every family on the
demo's pump hall and on the gas turbine's public data, makes one transmitter wrong at a
time (offset, scale, stuck, drift; several strengths) and looks at the rows on which the
alarm comes. Rows whose healthy twin is above the limit too are left out: there the
transmitter is not the reason. *Plain* are those whose twin is not even half way there.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from math import factorial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.contents import open_bundle
from edge_agent.bundle.usual import ordinary
from edge_agent.config.languages import english
from edge_agent.demo.equipment import ROLES
from edge_agent.explain import explain
from edge_agent.occlusion import Occlusion, occluded
from edge_agent.scoring import OnnxScorer
from edge_agent.wording import sentence
from models.pump_hall import SPECS
from tests.monitoring import explained_models as models
from tests.monitoring.faulty import (
    BEGIN,
    TURBINE,
    faults,
    pump_trials,
    turbine_rows,
    turbine_trials,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.samples import F64, I64
    from tests.monitoring.faulty import Trial

    F32 = NDArray[np.float32]

SHIPPED = Path(__file__).parents[2] / "models" / "pump-anomaly" / "1.0.0"
ON_DELAY = 3
_SETTLED = 20.0
_MIDDLE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Alarms:
    """Rows on which an alarm came because one transmitter is wrong.

    Attributes:
        tag: int64[n] which one.
        values: float32[n, features].
        score: float64[n].
        plain: bool[n] the row would have been far from its limit without the fault.
    """

    tag: I64
    values: F32
    score: F64
    plain: NDArray[np.bool_]


class Asked:
    """A model with all that explains it.

    Args:
        bundle: the model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.scorer = OnnxScorer(bundle)
        self.limit = bundle.passport.thresholds[0].value
        self.ordinary = ordinary(bundle.reference)
        self.roles = tuple(bundle.passport.tags)
        self.columns = [f.name for f in bundle.passport.features]
        self.usual = bundle.usual(self.roles, {})
        self.how = Occlusion(partial(self.scorer.score, within=0.25), bundle.normal())

    def alarms(self, trials: Iterable[Trial], delay: int) -> Alarms:
        """The row of each trial on which its alarm comes, where it does."""
        found = [one for t in trials if (one := self._alarm(t, delay)) is not None]
        tag, values, score, twin = zip(*found, strict=True)
        half = self.ordinary + (self.limit - self.ordinary) / 2
        return Alarms(
            np.array(tag),
            np.array(values, np.float32),
            np.array(score),
            np.array(twin) < half,
        )

    def _alarm(
        self, trial: Trial, delay: int
    ) -> tuple[int, NDArray[np.float32], float, float] | None:
        twin = self.scorer.score(trial.healthy).score
        if (twin[trial.seconds > _SETTLED - BEGIN] > self.limit).any():
            return None
        score, above = self.scorer.score(trial.values).score, 0
        for row in np.flatnonzero(trial.seconds >= 0):
            above = above + 1 if score[row] > self.limit else 0
            if above > delay:
                at = float(score[row]), float(twin[row])
                return trial.tag, trial.values[row], *at
        return None

    def usual_ways(self, alarms: Alarms) -> dict[str, F64]:
        """Parts of the tags, float64[n, tags]: as the agent does and as it did."""
        found = {"agent": self._by_tag(self.told(alarms.values, alarms.score))}
        parts = self.scorer.score(alarms.values).contributions
        if parts is not None:
            found["own word"] = self._by_tag(np.maximum(parts, 0))
        spread = np.maximum(self.usual.std, 1e-12)
        found["distance"] = self._by_tag(
            np.square((alarms.values - self.usual.mean) / spread)
        )
        return found

    def ways(self, alarms: Alarms) -> dict[str, F64]:
        """The same, and by other ways of asking the model."""
        found = self.usual_ways(alarms)
        necessary = alarms.score - self._variants(alarms.values, self.how.normal[0])
        middle = self.how.normal[0, _MIDDLE]
        alone = np.array(
            [self._only((tag,), alarms.values, middle) for tag in self._tags]
        ).T
        alone -= self._only((), alarms.values, middle)[:, None]
        found["median"] = necessary[_MIDDLE].T
        found["mean"] = necessary.mean(axis=0).T
        found["best"] = necessary.max(axis=0).T
        found["alone"] = alone
        found["best+alone"] = np.maximum(found["best"], 0) + np.maximum(alone, 0)
        found["Shapley"] = self._shapley(alarms.values, middle)
        return found

    def told(self, values: F32, score: F64) -> F64:
        """As the agent explains: by asking, else by the model's word or distance."""
        own = self.scorer.score(values).contributions
        place = self.usual.places(None, len(values))
        parts = occluded(self.how, values, score, own, self.usual, place)
        return np.where(np.isfinite(parts), parts, 0.0)

    def sentence(self, values: F32, score: F64) -> str:
        """The first row's."""
        parts = self.told(values, score)
        top = explain(values, parts, self.usual)
        return sentence(
            float(score[0]), self.limit, top, 0, values, self.usual, english()
        )

    @property
    def _tags(self) -> range:
        return range(len(self.roles))

    def _by_tag(self, parts: F64 | F32) -> F64:
        return np.stack(
            [parts[:, self.usual.role == tag].sum(axis=1) for tag in self._tags], axis=1
        ).astype(np.float64)

    def _variants(self, values: F32, normal: F32) -> F64:
        """float64[quantiles, tags, n] scores with one tag at one quantile."""
        return np.array(
            [
                [
                    self._score(np.where(self.usual.role == tag, q, values))
                    for tag in self._tags
                ]
                for q in normal
            ]
        )

    def _only(self, tags: Sequence[int], values: F32, middle: F32) -> F64:
        """Scores of a median row with only these tags as they are."""
        return self._score(np.where(np.isin(self.usual.role, tags), values, middle))

    def _shapley(self, values: F32, middle: F32) -> F64:
        """Exact for few tags: every coalition against a median row."""
        tags = [*self._tags]
        worth = {
            tuple(held): self._only(held, values, middle)
            for size in range(len(tags) + 1)
            for held in itertools.combinations(tags, size)
        }
        found = np.zeros((len(values), len(tags)))
        for held, value in worth.items():
            for tag in set(tags) - set(held):
                size = len(held)
                weight = factorial(size) * factorial(len(tags) - size - 1)
                more = worth[tuple(sorted((*held, tag)))] - value
                found[:, tag] += weight / factorial(len(tags)) * more
        return found

    def _score(self, values: NDArray[np.floating]) -> F64:
        return self.scorer.score(np.ascontiguousarray(values, np.float32)).score


def hits(parts: F64, tag: I64) -> tuple[NDArray[np.bool_], float]:
    """Where the tag comes first, and how often among the first three."""
    first = parts.argmax(axis=1) == tag
    best = np.argsort(-parts, axis=1, kind="stable")[:, :3]
    return first, float((best == tag[:, None]).any(axis=1).mean())


def families(out: Path) -> Iterator[tuple[str, Bundle, str]]:
    """Name, model, and whose trials it is held against."""
    learning, aside = (models.healthy(range(s, s + 4), 0.5) for s in (100, 200))
    yield "pump autoencoder (shipped)", open_bundle(SHIPPED), "pump"
    yield "pump PCA", models.pump_pca(out, learning, aside), "pump"
    yield "pump IsolationForest", models.pump_forest(out, learning, aside), "pump"
    faulty = models.labelled(range(600, 608))
    yield "pump GradientBoosting", models.pump_boost(out, faulty, hist=False), "pump"
    yield "pump HistGradientBoosting", models.pump_boost(out, faulty, hist=True), "pump"
    if not TURBINE.is_dir():
        print(f"{TURBINE} is not here: no gas turbine")
        return
    values, emission = turbine_rows()
    mine, other, high = values[:7000], values[7000:11000], emission[:11000]
    names = np.where(high > np.quantile(high, 0.75), "high", "good")
    for family in ("autoencoder", "pca", "forest"):
        made = models.turbine(out, family, mine, other)
        yield f"turbine {family}", made, "turbine"
    for family in ("boost", "hist", "random-forest"):
        made = models.turbine_quality(out, family, (values[:11000], names))
        yield f"turbine {family}", made, "turbine"


def milliseconds(asked: Asked, alarms: Alarms) -> float:
    """Median time of one alarm's explanation, alone in its turn."""
    took = []
    for row in range(min(len(alarms.tag), 100)):
        one = slice(row, row + 1)
        began = time.perf_counter()
        asked.sentence(alarms.values[one], alarms.score[one])
        took.append(time.perf_counter() - began)
    return float(np.median(took)) * 1000


def main() -> None:
    """Print the table."""
    trials = [*pump_trials(faults() * 12)]
    hours = []
    if TURBINE.is_dir():
        values, _ = turbine_rows()
        std = values[:7000].std(axis=0, dtype=np.float64)
        hours = [*turbine_trials(values[11000:], std)]
    with tempfile.TemporaryDirectory(prefix="explained-") as folder:
        for name, bundle, plant in families(Path(folder)):
            asked = Asked(bundle)
            mine = [as_seen(t, asked) for t in trials] if plant == "pump" else hours
            alarms = asked.alarms(mine, ON_DELAY if plant == "pump" else 0)
            took = milliseconds(asked, alarms)
            print(f"{name}: {len(alarms.tag)} alarms, {took:.2f} ms an alarm")
            for way, parts in asked.ways(alarms).items():
                first, three = hits(parts, alarms.tag)
                plain = first[alarms.plain].mean() if alarms.plain.any() else np.nan
                print(
                    f"  {way:11s} first {first.mean():.3f}  plain {plain:.3f}"
                    f"  among three {three:.3f}"
                )


def as_seen(trial: Trial, asked: Asked) -> Trial:
    """A pump's trial by a model's own features and tags."""
    names = [spec.name for spec in SPECS]
    columns = [names.index(name) for name in asked.columns]
    role = ROLES[trial.tag]
    return replace(
        trial,
        tag=asked.roles.index(role) if role in asked.roles else -1,
        values=np.ascontiguousarray(trial.values[:, columns]),
        healthy=np.ascontiguousarray(trial.healthy[:, columns]),
    )


if __name__ == "__main__":
    main()
