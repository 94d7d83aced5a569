"""Why rows are not judged, in words."""

from __future__ import annotations

import datetime as dt
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.features.gates import Why
from edge_agent.features.window import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.gates import Gates
    from edge_agent.features.shifts import Offset
    from edge_agent.features.words import Words
    from edge_agent.samples import I64

_SECOND, _MINUTE = 1_000_000_000, 60_000_000_000
_KEPT = 4_096
"""Sentences at most; few differ within a minute."""


class Teller:
    """Sentences for a technician, each made once while it stays the same.

    Args:
        roles: of the contexts.
        words: the values of each.
        offset: from UTC to local time.
    """

    def __init__(
        self, roles: Sequence[str], words: Sequence[Words], offset: Offset
    ) -> None:
        self._labels = [role.replace("_", " ") for role in roles]
        self._words, self._offset = words, offset
        self._said: dict[tuple[int, ...], str] = {}

    def sentences(self, found: Gates, at: I64) -> list[str]:
        """Why rows are not judged; empty for one that is.

        Args:
            found: of n rows.
            at: int64[n] their times.
        """
        columns = (found.why, found.role, found.word, found.since, found.until, at)
        said = []
        for *reason, moment in zip(*(c.tolist() for c in columns), strict=True):
            # a machine that stands says the same every second, for a minute at least
            lasting = reason[0] != Why.WARMING_UP
            key = (*reason, moment // (_MINUTE if lasting else _SECOND))
            if key not in self._said:
                if len(self._said) >= _KEPT:
                    self._said.clear()
                self._said[key] = self._sentence(Reason(*reason), moment)
            said.append(self._said[key])
        return said

    def _sentence(self, reason: Reason, at: int) -> str:
        if reason.role < 0:
            return sentence(reason, at, "", "", self._offset)
        word = self._words[reason.role].texts[reason.word]
        return sentence(reason, at, self._labels[reason.role], word, self._offset)


class Reason(NamedTuple):
    """Why one row is not judged; the fields are those of `Gates`."""

    why: int
    role: int
    word: int
    since: int
    until: int


def sentence(reason: Reason, at: int, label: str, word: str, offset: Offset) -> str:
    """Why one row is not judged, for a technician; empty where it is.

    Args:
        reason: of the row.
        at: its time, ns.
        label: of the role it is about.
        word: the role's value.
        offset: from UTC to local time.
    """
    why, since = Why(reason.why), _since(reason.since, at, offset)
    if why is Why.JUDGED:
        return ""
    if why is Why.STOPPED:
        return f"not judged: {label} is {word}{since}"
    if why is Why.WARMING_UP:
        return f"not judged: warming up for another {_left(reason.until - at)}"
    if why is Why.STALE:
        return f"not judged: no new value of {label}{since}"
    return f"not judged: {label} is not known{since}"


def _left(span: int) -> str:
    """A span of time as people say it: never less than is left."""
    if span > _MINUTE:
        return f"{ceil(span / _MINUTE)} min"
    return f"{max(ceil(span / _SECOND), 1)} s"


def _since(since: int, at: int, offset: Offset) -> str:
    """Local time of a moment, with the date where it is not the row's."""
    if since == NEVER:
        return ""
    began, here = _local(since // _SECOND, offset), _local(at // _SECOND, offset)
    same_day = began.date() == here.date()
    return f" since {began:%H:%M}" if same_day else f" since {began:%Y-%m-%d %H:%M}"


def _local(seconds: int, offset: Offset) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds + offset(seconds), dt.UTC)
