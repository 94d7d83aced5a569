"""Labels that were joined, as records for the centre. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.labels.columns import Columns, Flag, State, wall
from edge_agent.labels.operators import parted
from edge_agent.records import LabelRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.labels.book import Book
    from edge_agent.samples import I64, U8

#: Rows of one record.
MOST = 5_000
#: Ns: a smaller offset of the wall clock is slew, and is left off (`store.tray`).
_STEP = 1_000_000_000
_NEITHER = 2


def records(book: Book, now: int, offset: int) -> Iterator[LabelRecord]:
    """The rows whose label changed since the last call.

    Args:
        book: of a pipeline.
        now: agent time, ns.
        offset: ns from it to the wall clock.
    """
    changed = book.take_changed()
    for begin in range(0, len(changed), MOST):
        rows = changed[begin : begin + MOST]
        yield _record(book, rows, now, offset if abs(offset) > _STEP else 0)


def _record(book: Book, numbers: I64, now: int, offset: int) -> LabelRecord:
    rows = {name: book.ring.column(name, numbers) for name in book.ring.kinds}
    lexicon, count = book.lexicon, len(numbers)
    versions = [parted(word)[0] for word in lexicon.versions.listed()]
    return LabelRecord(
        pipeline=book.pipeline,
        model=book.model,
        at=now,
        assets=book.assets,
        asset=rows["asset"].astype(np.int32),
        row_at=_moments(rows, offset),
        # the ring has no ids of parts, only their hashes
        part=("",) * count,
        version=_words(versions, rows["version"].tolist()),
        context=_words(lexicon.contexts.listed(), rows["context"].tolist()),
        score=rows["score"].astype(np.float64),
        threshold=rows["threshold"].astype(np.float64),
        predicted=_predicted(rows, parts=book.parts),
        state=_states(rows),
        value=rows["value"].astype(np.float64),
        label=_words(lexicon.classes.listed(), rows["label"].tolist()),
        delay=rows["delay"].astype(np.float64),
    )


def _moments(rows: Columns, offset: int) -> I64:
    """Agent times that come to the wall time each row was sent with."""
    steps = wall(rows) - rows["at"]
    steps = np.where(np.abs(steps) > _STEP, steps, 0)
    found: I64 = rows["at"] + steps - offset
    return found


def _predicted(rows: Columns, *, parts: bool) -> U8:
    """1 bad, 0 good, 2 where no model answered: a part by its score, else the alarm."""
    flags = rows["flags"]
    bad = (flags & np.uint8(Flag.OVER if parts else Flag.ALARM)) > 0
    none = (flags & np.uint8(Flag.NO_SCORE | Flag.STAND_IN)) > 0
    found: U8 = np.where(none, _NEITHER, bad).astype(np.uint8)
    return found


def _states(rows: Columns) -> U8:
    state = rows["state"]
    either = np.where(state == State.GOOD, 0, _NEITHER)
    found: U8 = np.where(state == State.BAD, 1, either).astype(np.uint8)
    return found


def _words(words: Sequence[str], places: Sequence[int]) -> tuple[str, ...]:
    return tuple(words[place] for place in places)
