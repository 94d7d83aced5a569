"""An alarm's row and score computed anew, and compared with what was kept.

Bit for bit on the machine and with the libraries that made it; elsewhere within 1e-6 of
the number, or of 1 where it is smaller. Pure: the scorer is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.captured import reading
from edge_agent.captured.reading import NotEvidence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.captured.form import Evidence, Surroundings
    from edge_agent.features.feature_rows import FeatureRows
    from edge_agent.pipeline import Scorer
    from edge_agent.scores import Scores

TOLERANCE = 1e-6
_SOFTWARE = ("agent", "numpy", "onnxruntime")
_HARDWARE = ("machine", "processor")


class Sameness(StrEnum):
    """How numbers made anew compare with those that were kept."""

    SAME = "same"
    """Every bit."""
    CLOSE = "close"
    """Within the tolerance."""
    DIFFERENT = "different"
    NOT_MADE = "not made"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same bit for bit.

    Attributes:
        what: in words.
        kept, made: as text.
        away: how far, as a share; None for what is no number.
    """

    what: str
    kept: str
    made: str
    away: float | None = None


@dataclass(frozen=True, slots=True)
class Retraced:
    """What came of it.

    Attributes:
        features: of the row; ``features_why`` says why it was not made.
        score: of the score, contributions and probabilities; ``score_why`` likewise.
        made: the score made anew; None where there is none.
        alarm: whether the made score, or the kept where none was made, is beyond the
            threshold for as long as the on-delay asks.
        differences: what is not the same.
        reasons: why that may be.
    """

    features: Sameness
    score: Sameness
    features_why: str = ""
    score_why: str = ""
    made: float | None = None
    alarm: bool = False
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()

    def holds(self, *, alike: bool, close: bool = False) -> bool:
        """Whether the alarm has been made again.

        Args:
            alike: the surroundings are those that made it: then every bit must be.
            close: the model itself does not promise every bit.
        """
        exact = alike and not close
        enough = {Sameness.SAME} if exact else {Sameness.SAME, Sameness.CLOSE}
        rows = {Sameness.SAME} if alike else enough
        return self.features in rows and self.score in enough and self.alarm


def retrace(
    evidence: Evidence, here: Surroundings, scorer: Scorer | None, without: str = ""
) -> Retraced:
    """Compute an alarm anew.

    Args:
        evidence: of it.
        here: where that is done.
        scorer: its model; None where it is not there. A row judged by limits needs
            none.
        without: why there is no scorer.

    Raises:
        NotEvidence: the evidence does not fit together.
    """
    values = reading.numbers(evidence.row.values, "<f4", len(evidence.features))
    rows = _rows(evidence)
    differences = [] if rows is None else list(_of_row(evidence, values, rows))
    features = Sameness.NOT_MADE if rows is None else _worst(differences)
    rule = reading.rule_of(evidence)
    judge = scorer if rule is None else rule
    made = values if rows is None else rows.values[0]
    valid = evidence.row.valid if rows is None else bool(rows.valid[0])
    scored = None if judge is None else _scored(judge, made, valid=valid)
    apart = [] if scored is None else list(_of_score(evidence, scored))
    told = Sameness.NOT_MADE if scored is None else _worst(apart)
    number = None if scored is None else float(scored.score[0])
    everything = (*differences, *apart)
    return Retraced(
        features,
        told,
        features_why=evidence.window_gone if rows is None else "",
        score_why=without if scored is None else scored.error,
        made=number,
        alarm=_alarmed(evidence, number),
        differences=everything,
        reasons=tuple(_reasons(evidence, here, differences)) if everything else (),
    )


def _scored(judge: Scorer, row: NDArray[np.float32], *, valid: bool) -> Scores:
    """What the judge says of one row; of one that is not whole there is no score."""
    scored = judge.score(np.ascontiguousarray(row[None, :]))
    return scored if valid else replace(scored, score=np.full(1, np.nan))


def alike(evidence: Evidence, here: Surroundings) -> bool:
    """Whether bits must be the same: the same libraries on the same architecture."""
    kept, names = evidence.surroundings, (*_SOFTWARE[1:], "machine")
    return all(getattr(kept, name) == getattr(here, name) for name in names)


def _rows(evidence: Evidence) -> FeatureRows | None:
    """The row made anew; None where its window was not kept."""
    if evidence.window is None:
        return None
    window, plan, alive = reading.rings_of(evidence, evidence.window)
    start = evidence.row.start
    try:
        began = None if start is None else np.array([start], np.int64)
        at = np.array([evidence.alarm.at], np.int64)
        return plan.compute(window, np.zeros(1, np.int32), at, began, alive)
    except (ValueError, OverflowError) as why:
        raise NotEvidence(f"no row can be made of it: {why}") from why


def _of_row(
    evidence: Evidence, values: NDArray[np.float32], rows: FeatureRows
) -> Iterator[Difference]:
    """What of a row differs: its features, and what is said of them."""
    kept, names = evidence.row, [one.name for one in evidence.features]
    yield from _apart([f"feature {name}" for name in names], values, rows.values[0])
    missing = reading.numbers(kept.missing, "u1", len(names))
    for place in np.flatnonzero(missing != rows.missing[0]).tolist():
        yield Difference(
            f"why feature {names[place]} is missing",
            str(int(missing[place])),
            str(int(rows.missing[0, place])),
        )
    age = np.nan if kept.age is None else kept.age
    pairs = {
        "validity of the row": (kept.valid, bool(rows.valid[0])),
        "quality of the input": (kept.quality, int(rows.quality[0])),
        "features that are good": (kept.inputs_good, int(rows.inputs_good[0])),
        "whether a window is cut short": (kept.cut_short, bool(rows.cut_short[0])),
    }
    for what, (was, now) in pairs.items():
        if was != now:
            yield Difference(what, str(was), str(now))
    kept_two, made_two = np.array([kept.completeness, age]), _two(rows)
    yield from _apart(("completeness", "age of the oldest input"), kept_two, made_two)


def _two(rows: FeatureRows) -> NDArray[np.float64]:
    return np.array([rows.completeness[0], rows.age[0]])


def _of_score(evidence: Evidence, scored: Scores) -> Iterator[Difference]:
    """What of a score differs."""
    kept = evidence.score
    was = np.array([np.nan if kept.value is None else kept.value])
    yield from _apart(("score",), was, scored.score[:1])
    tables = (
        ("contribution of", kept.contributions, "<f4", scored.contributions),
        ("probability of", kept.probabilities, "<f8", scored.probabilities),
    )
    features = [one.name for one in evidence.features]
    for (what, said, kind, table), names in zip(
        tables, (features, list(kept.classes)), strict=True
    ):
        if said is None and table is None:
            continue
        if said is None or table is None or table.shape[1] != len(names):
            yield Difference(f"{what} each", "other", "kinds")
            continue
        was = reading.numbers(said, kind, len(names))
        yield from _apart([f"{what} {name}" for name in names], was, table[0])


def _apart(
    names: list[str] | tuple[str, ...], kept: NDArray[Any], made: NDArray[Any]
) -> Iterator[Difference]:
    """Numbers whose bits differ; any NaN is like any other."""
    none = np.isnan(kept) & np.isnan(made)
    same = _bits(kept) == _bits(made)
    for place in np.flatnonzero(~(same | none)).tolist():
        was, now = float(kept[place]), float(made[place])
        away = abs(now - was) / max(abs(was), 1.0)
        yield Difference(
            names[place], repr(was), repr(now), away if np.isfinite(away) else np.inf
        )


def _bits(numbers: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(numbers).view(f"u{numbers.dtype.itemsize}")


def _worst(differences: list[Difference]) -> Sameness:
    if not differences:
        return Sameness.SAME
    close = all(d.away is not None and d.away <= TOLERANCE for d in differences)
    return Sameness.CLOSE if close else Sameness.DIFFERENT


def _alarmed(evidence: Evidence, made: float | None) -> bool:
    verdict = evidence.verdict
    score = evidence.score.value if made is None else made
    waited = evidence.alarm.at - verdict.leaning
    beyond = score is not None and score > verdict.threshold
    return beyond and waited >= verdict.on_delay


def _reasons(
    evidence: Evidence, here: Surroundings, of_row: list[Difference]
) -> Iterator[str]:
    """Why something may differ, the likeliest first."""
    kept = evidence.surroundings
    if of_row:
        if kept.agent != here.agent or kept.numpy != here.numpy:
            yield (
                f"features were computed by agent {kept.agent} with NumPy "
                f"{kept.numpy}, here by agent {here.agent} with NumPy {here.numpy}"
            )
        else:
            yield "the kept window is not what the row was made from"
        if evidence.row.cut_short:
            yield "a window reached further back than the ring"
    for name in ("onnxruntime", *_HARDWARE):
        was, now = getattr(kept, name), getattr(here, name)
        if was != now:
            yield f"{name} was {was or 'not known'}, here it is {now or 'not known'}"
    if not of_row:
        yield (
            "the model does not give the same bits for a row in another batch, or "
            "another run of it"
        )
