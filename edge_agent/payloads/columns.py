"""Samples of many messages, gathered as lists and turned into columns once.

Appending a tuple to a list costs less than any array of its own; NumPy converts
the whole read at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_agent.samples import Quality

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.samples import F64, I32, I64, U8

MISSING: Final = inf
"""A field that was not there: no JSON number is infinite, so nothing else is."""

Value = float | bool | None
"""None is JSON's null: there is a sample, and it has no value."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Columns of one read, ready for the inbox.

    Attributes:
        tag: int32[n].
        time: int64[n], ns.
        value: float64[n]; NaN where the payload said null.
        quality: uint8[n]; BAD for null, UNCERTAIN for a message of unknown age.
        texts: strings that values of text tags index.
        missing: fields that were not there.
    """

    tag: I32
    time: I64
    value: F64
    quality: U8
    texts: tuple[str, ...]
    missing: int


class Columns:
    """Takes the values of messages one after the other."""

    def __init__(self) -> None:
        self._tags: list[I32] = []
        self._times: list[int] = []
        self._values: list[Value] = []
        self._doubtful: list[int] = []
        self.texts: list[str] = []
        self.refusals: list[tuple[str, str]] = []
        """Reason and detail of fields that were left out."""

    def add(
        self, tags: I32, values: Iterable[Value], time: int, doubtful: bool = False
    ) -> None:
        """One message: as many values as tags.

        Args:
            tags: tag indices.
            values: numbers, `MISSING`, or positions in ``texts``.
            time: of all of them, ns.
            doubtful: their age is not known.
        """
        if doubtful:
            self._doubtful.append(len(self._tags))
        self._tags.append(tags)
        self._values.extend(values)
        self._times.append(time)

    def refuse(self, reason: str, detail: str) -> None:
        """A field was there and could not be used."""
        self.refusals.append((reason, detail))

    def gathered(self) -> Gathered:
        """All of it as columns, without what was missing."""
        if not self._tags:
            return _NOTHING
        tag = np.concatenate(self._tags)
        counts = [len(tags) for tags in self._tags]
        time = np.repeat(np.array(self._times, np.int64), counts)
        value = np.array(self._values, np.float64)  # null becomes NaN
        quality = self._quality(counts)
        texts = tuple(self.texts)
        odd = ~np.isfinite(value)
        if not odd.any():
            return Gathered(tag, time, value, quality, texts, 0)
        quality[np.isnan(value)] = Quality.BAD
        keep = value != MISSING
        tag, time, value, quality = (c[keep] for c in (tag, time, value, quality))
        missing = len(keep) - len(value)
        return Gathered(tag, time, value, quality, texts, missing)

    def _quality(self, counts: list[int]) -> U8:
        if not self._doubtful:
            return np.zeros(sum(counts), np.uint8)  # Quality.GOOD
        blocks = np.zeros(len(counts), np.uint8)
        blocks[self._doubtful] = Quality.UNCERTAIN
        return np.repeat(blocks, counts)


_NOTHING = Gathered(
    np.zeros(0, np.int32),
    np.zeros(0, np.int64),
    np.zeros(0, np.float64),
    np.zeros(0, np.uint8),
    (),
    0,
)
