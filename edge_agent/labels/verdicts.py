"""Alarms that operators may judge, and what they said of them. Pure.

An operator's *confirm* labels the stretch of the alarm bad, a *reject* good; both count
for the alarm budget. An alarm that still stands is labelled up to now, and again in
full when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from edge_agent.errors import EdgeAgentError
from edge_agent.records import AlarmState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.records import AlarmRecord

#: Alarms of a pipeline remembered; the oldest go first.
MOST = 2_000
_LONGEST_REASON = 500

Short = Annotated[str, msgspec.Meta(max_length=200)]


class VerdictRefused(EdgeAgentError):
    """A verdict cannot be used; the text says why, and what to send instead."""


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What an operator says of an alarm.

    Attributes:
        occurrence: as the alarm's messages have it.
        verdict: right, or false.
        reason: in words.
        by: who; kept only as a keyed hash.
    """

    occurrence: Short
    verdict: Literal["confirm", "reject"]
    reason: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    by: Short = ""


class Episode(msgspec.Struct, array_like=True):
    """One alarm from its beginning to its end.

    Attributes:
        occurrence: its id.
        asset: name.
        since: agent time it began, ns.
        offset: ns to the wall clock then.
        until: agent time it ended, 0 while it stands; ``offset_until`` likewise.
        score, threshold: when it began.
        version: of the model, as among the words.
        verdict: empty, ``confirm`` or ``reject``.
        judged: agent time of the verdict.
        reason: what was said.
        by: keyed hash of who said it.
    """

    occurrence: str
    asset: str
    since: int
    offset: int
    until: int = 0
    offset_until: int = 0
    score: float = 0.0
    threshold: float = 0.0
    version: str = ""
    verdict: str = ""
    judged: int = 0
    reason: str = ""
    by: str = ""


_decode = msgspec.json.Decoder(Verdict).decode
_FORM = '{"occurrence": "...", "verdict": "confirm" or "reject"}'


def read(payload: bytes) -> Verdict:
    """A verdict from its JSON.

    Raises:
        VerdictRefused: it is none; the text repeats nothing of the payload.
    """
    try:
        return _decode(payload)
    except msgspec.ValidationError as error:
        # the error names the key and what is wanted, not what stood there
        raise VerdictRefused(f"{_key(str(error))}; send {_FORM}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise VerdictRefused(f"the payload is not JSON; send {_FORM}") from None


def _key(said: str) -> str:
    if "Invalid enum value" in said:
        return "verdict must be confirm or reject"
    return said


class Alarms:
    """The newest alarms of a pipeline, in order of their beginning.

    Args:
        known: from the disk; of one occurrence the last entry counts.
    """

    def __init__(self, known: Iterable[Episode] = ()) -> None:
        self._known: dict[str, Episode] = {}
        self.changed: dict[str, Episode] = {}
        """Since they were last written to the disk."""
        self.learn(known)

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, episodes: Iterable[Episode]) -> None:
        """Take over what was on disk."""
        for episode in episodes:
            self._known[episode.occurrence] = episode
        self._bounded()

    def all(self) -> list[Episode]:
        """Those remembered, oldest first."""
        return list(self._known.values())

    def asset_of(self, occurrence: str) -> str:
        """Whose alarm it is; empty for one that is not remembered."""
        known = self._known.get(occurrence)
        return "" if known is None else known.asset

    def saw(self, record: AlarmRecord, offset: int) -> Episode | None:
        """A transition; gives the alarm when it ended and had been judged before."""
        known = self._known.get(record.occurrence)
        if record.state is AlarmState.ACTIVE:
            if known is None:
                self._keep(_begun(record, offset))
            return None
        if known is None or known.until:
            return None
        known.until, known.offset_until = record.at, offset
        self._keep(known)
        return known if known.verdict else None

    def judged(self, verdict: Verdict, by: str, now: int) -> tuple[Episode, bool]:
        """Take a verdict; gives the alarm, and whether the verdict is news.

        Args:
            verdict: of an operator.
            by: who, hashed.
            now: agent time.

        Raises:
            VerdictRefused: no such alarm is remembered.
        """
        known = self._known.get(verdict.occurrence)
        if known is None:
            raise VerdictRefused(
                "no alarm with this occurrence is remembered: send the occurrence of"
                f" the alarm's message; the newest {MOST} alarms can be judged"
            )
        if known.verdict == verdict.verdict:
            return known, False
        known.verdict, known.judged, known.by = verdict.verdict, now, by
        known.reason = printable(verdict.reason)[:_LONGEST_REASON]
        self._keep(known)
        return known, True

    def _keep(self, episode: Episode) -> None:
        self._known[episode.occurrence] = episode
        self.changed[episode.occurrence] = episode
        self._bounded()

    def _bounded(self) -> None:
        while len(self._known) > MOST:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self.changed.pop(oldest, None)


def _begun(record: AlarmRecord, offset: int) -> Episode:
    info = record.info
    return Episode(
        record.occurrence,
        info.assets[record.asset],
        record.since,
        offset,
        score=record.score,
        threshold=record.threshold,
        version=f"{info.model_version} {info.model_digest or info.model_sha8}",
    )


def printable(text: str) -> str:
    """Text from outside without what a terminal would take for a command."""
    return "".join(c if c.isprintable() else " " for c in text).strip()
