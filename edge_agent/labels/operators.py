"""An operator's verdict on an alarm becomes the label of its stretch of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from edge_agent.labels.columns import State
from edge_agent.labels.joining import TOLERANCE
from edge_agent.labels.telling import Label, columns_of
from edge_agent.labels.verdicts import MOST, Episode, Verdict, VerdictRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.labels.book import Book, Moment
    from edge_agent.records import AlarmRecord

_STATES = {"confirm": State.BAD, "reject": State.GOOD}
_SAID = {"confirm": "the alarm was right", "reject": "it was a false alarm"}


class Taken(NamedTuple):
    """What became of a verdict.

    Attributes:
        message: in a sentence.
        asset: which alarm's.
        details: for the record.
    """

    message: str
    asset: str
    details: dict[str, str]


def saw(book: Book, record: AlarmRecord, moment: Moment) -> None:
    """Remember an alarm; one that was judged while it stood is now labelled whole."""
    ended = book.alarms.saw(record, moment.offset)
    if ended is not None:
        _label(book, ended, moment)


def judge(
    book: Book, verdict: Verdict, by: str, moment: Moment, asset: str = ""
) -> Taken:
    """Take a verdict.

    Args:
        book: of the pipeline.
        verdict: on one of its alarms.
        by: who says so, hashed.
        moment: now.
        asset: whose alarm it must be; empty for any.

    Raises:
        VerdictRefused: no such alarm of the asset is remembered.
    """
    of = book.alarms.asset_of(verdict.occurrence)
    if asset and of not in {"", asset}:
        raise VerdictRefused("the occurrence is of an alarm of another asset")
    if "reason" in book.settings.personal:
        verdict = msgspec.structs.replace(verdict, reason="")
    episode, news = book.alarms.judged(verdict, by, moment.now)
    if news:
        _label(book, episode, moment)
        book.news = True
    again = "" if news else ", as was said before"
    message = f"alarm {episode.occurrence}: {_SAID[verdict.verdict]}{again}"
    if episode.reason:
        message += f" ({episode.reason})"
    details = {
        "occurrence": episode.occurrence,
        "verdict": episode.verdict,
        "reason": episode.reason,
        "by": episode.by,
    }
    return Taken(message, episode.asset, details)


def _label(book: Book, episode: Episode, moment: Moment) -> None:
    """Label the rows from the alarm's first to the last before it was over."""
    try:
        asset = book.assets.index(episode.asset)
    except ValueError:
        return
    since = episode.since + episode.offset
    until = (
        episode.until + episode.offset_until
        if episode.until
        else moment.now + moment.offset
    )
    # two clocks tell times of labels; here it is one, and the row that ended the
    # alarm is no part of it
    margin = 0 if book.ring.span else TOLERANCE
    state = _STATES[episode.verdict]
    label = Label(
        *("", asset, since + margin, until - 1 - margin, state, float("nan"), ""),
        ("",) * len(book.settings.groups),
    )
    book.told(columns_of([label], book.lexicon, moment.now), moment)


class Judged(NamedTuple):
    """Alarms of a pipeline and what operators said of them, n, oldest first.

    Attributes:
        asset: position in the pipeline's assets, -1 for one that is gone.
        since, until: int64[n] agent time, ns; ``until`` 0 while it stands.
        score, threshold: float64[n] when it began.
        verdict: int8[n] 1 for right, -1 for false, 0 for not judged.
        version: of the model, and its digest.
    """

    asset: NDArray[np.int32]
    since: NDArray[np.int64]
    until: NDArray[np.int64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    verdict: NDArray[np.int8]
    version: tuple[tuple[str, str], ...]


def alarms_of(book: Book) -> Judged:
    """The newest alarms (`verdicts.MOST` at most) for the alarm budget."""
    known = book.alarms.all()[-MOST:]
    places = {name: place for place, name in enumerate(book.assets)}
    signs = {"confirm": 1, "reject": -1}
    return Judged(
        np.array([places.get(e.asset, -1) for e in known], np.int32),
        np.array([e.since for e in known], np.int64),
        np.array([e.until for e in known], np.int64),
        np.array([e.score for e in known], np.float64),
        np.array([e.threshold for e in known], np.float64),
        np.array([signs.get(e.verdict, 0) for e in known], np.int8),
        tuple(parted(e.version) for e in known),
    )


def parted(word: str) -> tuple[str, str]:
    """Version and digest of a version's word."""
    version, _, digest = word.rpartition(" ")
    return version, digest
