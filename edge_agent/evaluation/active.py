"""The version that scores a pipeline, as far as labels are held against it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.alarms import Limits
    from edge_agent.bundle.passport import Passport


@dataclass(frozen=True, slots=True)
class Active:
    """What scores now.

    Attributes:
        model, version, digest: of it; the digest is empty where no model scores.
        limits: when its alarms come.
        base: its threshold as the passport, or the operator, has it.
        requirement: what its passport promises; None for nothing.
        classes: it tells apart.
        good, bad: classes, folded, of which its score is one minus the chance, or the
            chance itself; empty where the score is no chance.
    """

    model: str
    version: str
    digest: str
    limits: Limits
    base: float
    requirement: Requirement | None = None
    classes: tuple[str, ...] = ()
    good: str = ""
    bad: str = ""

    def scores_chance(self, words: Iterable[str]) -> bool:
        """Whether the score is the chance of bad.

        Args:
            words: that mean bad, folded.
        """
        bad = {c.casefold() for c in self.classes} & set(words)
        every = {c.casefold() for c in self.classes}
        if self.bad:
            return bad == {self.bad}
        return bool(self.good) and bad == every - {self.good}


def active_of(passport: Passport, digest: str, limits: Limits, base: float) -> Active:
    """From the passport of what scores.

    Args:
        passport: of the version.
        digest: of its bundle; empty where limits judge.
        limits: in use.
        base: threshold before any suggestion was applied.
    """
    wanted, outputs = passport.accuracy, passport.model.outputs
    promise = None
    if wanted is not None:
        promise = Requirement(wanted.metric, wanted.level, wanted.min_labels)
    named = outputs.score.class_name
    chance = (
        named is not None
        and outputs.probabilities is not None
        and outputs.score.output == outputs.probabilities.output
    )
    word = (named or "").casefold() if chance else ""
    return Active(
        passport.name,
        passport.version,
        digest,
        limits,
        base,
        promise,
        outputs.probabilities.classes if outputs.probabilities else (),
        good=word if outputs.score.complement else "",
        bad="" if outputs.score.complement else word,
    )


def chances(
    active: Active,
    bad: frozenset[str],
    words: tuple[str, ...],
    predicted: np.typing.NDArray[np.int16],
    probability: np.typing.NDArray[np.float32],
    score: np.typing.NDArray[np.float32],
) -> np.typing.NDArray[np.float64]:
    """float64[n] the model's chance of bad; NaN where it does not tell.

    Args:
        active: the model.
        bad: words that mean bad, folded.
        words: by number.
        predicted: int16[n] likeliest class.
        probability: float32[n] of that class.
        score: float32[n].
    """
    if active.scores_chance(bad):
        return np.clip(score.astype(np.float64), 0.0, 1.0)
    of = {c.casefold() for c in active.classes}
    if len(of) != 2 or len(of & bad) != 1:  # noqa: PLR2004 - good and bad
        return np.full(len(score), np.nan)
    is_bad = np.array([word.casefold() in bad for word in words])
    sure = probability.astype(np.float64)
    return np.where(predicted > 0, np.where(is_bad[predicted], sure, 1 - sure), np.nan)
