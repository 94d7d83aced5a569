"""The desk's columns as those accuracy is told from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.evaluation.active import chances
from edge_agent.monitoring.accuracy.joined import UNKNOWN
from edge_agent.monitoring.accuracy.joined import Joined as Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.evaluation.active import Active
    from edge_agent.labels.columns import Joined
    from edge_agent.samples import I64

#: Seconds within which rows by time count as one piece of evidence: a shift.
STRETCH = 28_800.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Converted:
    """Labelled rows of models.

    Attributes:
        rows: of accuracy; ``version`` in ``versions``, ``context`` in ``contexts``.
        versions: version and digest of each code.
        contexts: names.
        made: int64[versions, contexts + 1, 2] predictions that could have a label, the
            last context is none; without and with an alarm.
        hours: of one prediction.
        by_time: rows are buckets of time, no parts.
        active: code of the version that scores; -1 for none that has rows.
    """

    rows: Rows
    versions: tuple[tuple[str, str], ...]
    contexts: tuple[str, ...]
    made: I64
    hours: float
    by_time: bool
    active: int


def converted(joined: Joined, active: Active, bad: frozenset[str]) -> Converted:
    """Rows a model scored, with their labels as numbers.

    Args:
        joined: of the desk.
        active: the version that scores.
        bad: words that mean bad, folded.
    """
    kept = np.flatnonzero(joined.by_model & joined.scored)
    versions, of = _versions(joined.versions)
    rows = _rows(joined, kept, of, active, bad)
    if joined.bucket:
        rows = rows.in_stretches(STRETCH)
    names = joined.contexts[1:]
    digests = [digest for _, digest in versions]
    place = digests.index(active.digest) if active.digest in digests else -1
    made = np.zeros((len(versions), len(names) + 1, 2), np.int64)
    code, context = of[joined.made[:, 0]], joined.made[:, 1] - 1
    ours = code >= 0
    np.add.at(made, (code[ours], context[ours]), joined.made[ours, 2:])
    hours = joined.bucket / _HOUR
    return Converted(rows, versions, names, made, hours, bool(joined.bucket), place)


def _versions(
    known: tuple[tuple[str, str], ...],
) -> tuple[tuple[tuple[str, str], ...], NDArray[np.int32]]:
    """Versions by digest, and int32[words] the code of each word."""
    codes: dict[str, int] = {}
    found: list[tuple[str, str]] = []
    of = np.full(max(len(known), 1), UNKNOWN, np.int32)
    for place, (version, digest) in enumerate(known):
        if not digest:
            continue
        if digest not in codes:
            codes[digest] = len(found)
            found.append((version, digest))
        of[place] = codes[digest]
    return tuple(found), of


def _rows(
    joined: Joined,
    kept: NDArray[np.int64],
    of: NDArray[np.int32],
    active: Active,
    bad: frozenset[str],
) -> Rows:
    found = np.where(joined.bad, 1, np.where(joined.good, 0, UNKNOWN))[kept]
    value = joined.value[kept].astype(np.float64)
    if active.requirement is None or active.requirement.metric != "mae":
        value = np.where(found == UNKNOWN, value, np.nan)
    classes = _classes(joined.words, active.classes)
    chance = chances(
        *(active, bad, joined.words, joined.predicted[kept]),
        *(joined.probability[kept], joined.score[kept]),
    )
    asset, at, verdict = joined.asset[kept], joined.at[kept], joined.verdict[kept]
    groups = [column[kept].astype(np.int32) - 1 for column in joined.groups.values()]
    columns: dict[str, NDArray[Any]] = {
        "threshold": joined.threshold[kept],
        "value": value,
        "probability": chance,
        "predicted": classes[joined.predicted[kept]],
        "found": classes[joined.label[kept]],
        "asset": asset,
        "version": of[joined.version[kept]],
        "context": joined.context[kept].astype(np.int32) - 1,
        "at": at,
        "delay": joined.delay[kept],
        "hours": np.full(len(kept), joined.bucket / _HOUR),
    }
    if groups:
        columns["groups"] = np.stack(groups, axis=1)
    if joined.bucket:
        columns |= {"label": joined.piece[kept], "episode": joined.episode[kept]}
    return Rows.of(joined.score[kept].astype(np.float64), verdict, found, **columns)


def _classes(words: tuple[str, ...], classes: tuple[str, ...]) -> NDArray[np.int32]:
    """int32[words] class of a word, the same for a label written otherwise."""
    places = {name.casefold(): place for place, name in enumerate(classes)}
    return np.array([places.get(word.casefold(), UNKNOWN) for word in words], np.int32)
