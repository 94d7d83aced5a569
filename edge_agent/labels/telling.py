"""Labels as people and machines write them, to numbers. Pure.

A label is about a part, or about an asset and a stretch of time. What it says is a
text: it is *bad* when it is among the configured words, else a number is a number, and
any other text is good (``0`` too). Fields with names of people are never looked at.
"""

from __future__ import annotations

from math import isfinite, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.errors import EdgeAgentError
from edge_agent.labels.columns import ANY, NO_TIME, Columns, State
from edge_agent.labels.keys import keyed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.config.monitoring import Labels
    from edge_agent.labels.words import Lexicon

#: Characters of a part id, a label or a group that are taken.
LONGEST = 200
#: Ns of the longest stretch one label may name.
LONGEST_STRETCH = 366 * 86_400_000_000_000
_NO = frozenset({"0", "false", "no"})
_MOST = 3.4e38


class LabelRefused(EdgeAgentError):
    """A label cannot be used.

    Args:
        cause: a word or two, a label of the counter.
        field: which field is wrong; empty for none in particular.
        message: what is wrong and what to write; never repeats what stood there.
    """

    def __init__(self, cause: str, field: str, message: str) -> None:
        super().__init__(message)
        self.cause, self.field, self.message = cause, field, message


class Label(NamedTuple):
    """One label, read.

    Attributes:
        part: id, empty for none.
        asset: position, `columns.ANY` for none.
        since, until: wall time, ns; `columns.NO_TIME` for none.
        state: `State`.
        value: as a number, NaN for none.
        text: what it says; empty for a number.
        groups: in the order of the settings, empty for unknown.
    """

    part: str
    asset: int
    since: int
    until: int
    state: State
    value: float
    text: str
    groups: tuple[str, ...] = ()


class Reader:
    """Makes labels of texts.

    Args:
        settings: as configured.
        assets: ids of the pipeline's assets, by position.
        parts: predictions are of parts: a part id can be joined.
    """

    def __init__(self, settings: Labels, assets: Sequence[str], *, parts: bool) -> None:
        self.settings = settings
        self.parts = parts
        self._assets = {name: place for place, name in enumerate(assets)}
        self._bad = frozenset(word.strip().casefold() for word in settings.bad)

    def read(
        self, found: Mapping[str, str], since: int, until: int, asset: str = ""
    ) -> Label:
        """A label of its texts by field, blanks around them left out.

        Args:
            found: texts; a field that is not there is as one that is empty.
            since: time of that field, ns, `NO_TIME` for none.
            until: likewise.
            asset: where that is known otherwise.

        Raises:
            LabelRefused: which field is wrong, and what to write.
        """
        keys = self.settings
        part = found.get(keys.part, "") if self.parts else ""
        where = self._asset(asset or found.get(keys.asset, ""))
        if not part:
            since, until = self._stretch(where, since, until)
        self._check_lengths(found, part)
        state, value, text = self._said(found.get(keys.value, ""))
        groups = tuple(found.get(name, "") for name in keys.groups)
        return Label(part, where, since, until, state, value, text, groups)

    def _asset(self, name: str) -> int:
        if not name:
            return ANY
        try:
            return self._assets[name]
        except KeyError:
            raise LabelRefused(
                "asset", self.settings.asset, "this pipeline has no such asset"
            ) from None

    def _stretch(self, asset: int, since: int, until: int) -> tuple[int, int]:
        keys = self.settings
        if asset == ANY:
            wanted = f"{keys.part} or {keys.asset}" if self.parts else keys.asset
            raise LabelRefused("asset", keys.asset, f"{wanted} is missing")
        if since == NO_TIME:
            said = f"{keys.since} is missing: say which time is meant"
            raise LabelRefused("time", keys.since, said)
        until = since if until == NO_TIME else until
        if until < since:
            raise LabelRefused("time", keys.until, "it ends before it begins")
        if until - since > LONGEST_STRETCH:
            said = "the stretch is longer than a year"
            raise LabelRefused("time", keys.until, said)
        return since, until

    def _check_lengths(self, found: Mapping[str, str], part: str) -> None:
        keys = self.settings
        texts = {keys.part: part, keys.value: found.get(keys.value, "")}
        texts |= {name: found.get(name, "") for name in keys.groups}
        for name, text in texts.items():
            if len(text) > LONGEST:
                said = f"more than {LONGEST} characters"
                raise LabelRefused("length", name, said)

    def _said(self, text: str) -> tuple[State, float, str]:
        if not text:
            said = f"{self.settings.value} is missing: what was found?"
            raise LabelRefused("label", self.settings.value, said)
        folded = text.casefold()
        number = _number(text)
        if folded in self._bad:
            return State.BAD, number, text if number != number else ""  # noqa: PLR0124 - NaN
        if folded in _NO:
            return State.GOOD, number, "" if folded == "0" else text
        if number == number:  # noqa: PLR0124 - NaN
            return State.VALUE, number, ""
        return State.GOOD, nan, text


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return nan
    return number if isfinite(number) and abs(number) < _MOST else nan


def columns_of(labels: Sequence[Label], lexicon: Lexicon, at: int) -> Columns:
    """Columns of `columns.TOLD` and of the groups.

    Args:
        labels: in order of arrival.
        lexicon: takes their texts.
        at: agent time of arrival, ns.
    """
    parts, assets, sinces, untils, states, values, texts, groups = (
        zip(*labels, strict=True) if labels else ((),) * 8
    )
    key, check = keyed(parts)
    columns: Columns = {
        "part": np.array([bool(part) for part in parts], bool),
        "key": key,
        "check": check,
        "asset": np.array(assets, np.int32),
        "since": np.array(sinces, np.int64),
        "until": np.array(untils, np.int64),
        "state": np.array(states, np.uint8),
        "value": np.array(values, np.float32),
        "label": np.array(lexicon.classes.places(texts), np.int16),
        "at": np.full(len(labels), at, np.int64),
    }
    for place, words in enumerate(lexicon.groups.values()):
        of = [words.place(each[place] if each else "") for each in groups]
        columns[f"g{place}"] = np.array(of, np.uint16)
    return columns


def wanted(settings: Labels) -> Iterable[str]:
    """Fields that are read."""
    yield from (settings.part, settings.asset, settings.since, settings.until)
    yield from (settings.value, *settings.groups)
