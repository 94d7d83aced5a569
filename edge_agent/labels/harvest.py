"""What a book gives: joined columns for those who judge, and its status."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.labels.columns import (
    Columns,
    Flag,
    Joined,
    Silent,
    State,
    stacked,
    taken,
    wall,
)
from edge_agent.labels.operators import parted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.labels.book import Book

_NS = 1_000_000_000
#: Predictions without a label that are given.
SILENT = 20_000


def joined(book: Book, now: int = 2**62) -> Joined:
    """Every prediction that has a label, oldest first: a copy.

    Args:
        book: of the pipeline.
        now: agent time, ns: tells which predictions are old enough for a label.
    """
    pages = [page.columns() for page in book.ring.pages]
    versions = book.lexicon.versions.listed()
    held = np.zeros(len(versions), np.int64)
    parts = []
    for page in pages:
        held += np.bincount(page["version"], minlength=len(versions))
        labelled = np.flatnonzero(page["state"] != State.NONE)
        if len(labelled):
            parts.append(taken(page, labelled))
    rows = stacked(parts, book.ring.kinds)
    late = float(np.quantile(rows["delay"], 0.95)) if len(rows["at"]) else 0.0
    found = _shaped(book, rows, held)
    made = _made(book, pages, now - round(max(late, 0.0) * _NS))
    return replace(found, made=made, silent=_silent(book, pages))


def _own(book: Book, page: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows that a model scored, and its verdicts."""
    model = ~_has(page, Flag.STAND_IN | Flag.NO_SCORE)
    return model, _has(page, Flag.OVER if book.parts else Flag.ALARM)


def _made(book: Book, pages: list[Columns], until: int) -> NDArray[np.int64]:
    """By version and context: predictions old enough, without and with an alarm."""
    keys = []
    for page in pages:
        which, alarm = _own(book, page)
        which &= (page["at"] <= until) | (page["state"] != State.NONE)
        key = page["version"].astype(np.int64) << 17
        keys.append((key | page["context"].astype(np.int64) << 1 | alarm)[which])
    if not keys:
        return np.zeros((0, 4), np.int64)
    kind, count = np.unique(np.concatenate(keys), return_counts=True)
    group, place = np.unique(kind >> 1, return_inverse=True)
    found = np.zeros((len(group), 4), np.int64)
    found[:, 0], found[:, 1] = group >> 16, group & 0xFFFF
    found[place, 2 + (kind & 1)] = count
    return found


def _silent(book: Book, pages: list[Columns]) -> Silent:
    names = ("version", "word", "probability", "score", "flags")
    parts: list[Columns] = []
    left = SILENT
    for page in reversed(pages):
        which, _ = _own(book, page)
        rows = np.flatnonzero(which & (page["state"] == State.NONE))[-left:]
        parts.append({name: page[name][rows] for name in names})
        left -= len(rows)
        if left <= 0:
            break
    kinds = {name: book.ring.kinds[name] for name in names}
    found = stacked(parts, kinds)
    _, alarm = _own(book, found)
    word, chance = found["word"], found["probability"]
    return Silent(found["version"], word, chance, found["score"], alarm)


def _shaped(book: Book, rows: Columns, held: NDArray[np.int64]) -> Joined:
    lexicon, count = book.lexicon, len(rows["at"])
    return Joined(
        assets=book.assets,
        asset=rows["asset"],
        at=rows["at"],
        wall=wall(rows),
        score=rows["score"],
        threshold=rows["threshold"],
        over=_has(rows, Flag.OVER),
        alarm=_has(rows, Flag.ALARM),
        scored=~_has(rows, Flag.NO_SCORE),
        by_model=~_has(rows, Flag.STAND_IN),
        bad=rows["state"] == State.BAD,
        good=rows["state"] == State.GOOD,
        value=np.where(rows["state"] == State.NONE, np.nan, rows["value"]),
        label=rows["label"],
        predicted=rows["word"],
        probability=rows["probability"],
        context=rows["context"],
        version=rows["version"],
        groups={name: rows[f"g{k}"] for k, name in enumerate(lexicon.groups)},
        delay=rows["delay"].astype(np.float64),
        piece=_pieces(rows, book.seconds * _NS),
        episode=_episodes(rows, book.seconds * _NS),
        rows=rows.get("rows", np.ones(count, np.uint16)),
        words=lexicon.classes.listed(),
        contexts=lexicon.contexts.listed(),
        versions=tuple(parted(word) for word in lexicon.versions.listed()),
        group_words={n: words.listed() for n, words in lexicon.groups.items()},
        predictions=held,
        bucket=float(book.seconds),
    )


def _pieces(rows: Columns, bucket: int) -> NDArray[np.int64]:
    """A number for each run of buckets that one label made, as far as can be told."""
    if not bucket:
        return np.full(len(rows["at"]), -1, np.int64)
    # labels that come together and say the same of neighbours count as one
    came = rows["at"] // _NS + rows["delay"]
    same = (rows["state"], rows["value"].view(np.uint32), rows["label"])
    return _runs(rows, bucket, came, same)


def _episodes(rows: Columns, bucket: int) -> NDArray[np.int64]:
    alarm = _has(rows, Flag.ALARM)
    if not bucket:
        return np.full(len(alarm), -1, np.int64)
    found = _runs(rows, bucket, np.zeros(len(alarm), np.int64), (alarm,))
    return np.where(alarm, found, -1)


def _runs(
    rows: Columns,
    bucket: int,
    near: NDArray[np.int64],
    same: Sequence[NDArray[Any]],
) -> NDArray[np.int64]:
    """Number the runs of neighbouring buckets of an asset that are alike.

    Args:
        rows: ``asset`` and ``at``.
        bucket: ns from one to the next.
        near: may differ by 1 within a run.
        same: may not differ at all.
    """
    order = np.lexsort((rows["at"], rows["asset"]))
    begins = np.ones(len(order), bool)
    asset, at = rows["asset"][order], rows["at"][order]
    begins[1:] = (asset[1:] != asset[:-1]) | (np.diff(at) > bucket)
    begins[1:] |= np.abs(np.diff(near[order])) > 1
    for column in same:
        ordered = column[order]
        begins[1:] |= ordered[1:] != ordered[:-1]
    found = np.empty(len(order), np.int64)
    found[order] = np.cumsum(begins) - 1
    return found


def _has(rows: Columns, flag: Flag) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (rows["flags"] & np.uint8(flag)) > 0
    return found


def status(book: Book, now: int) -> dict[str, Any]:
    """For the status document: counts, and how late a label may still come."""
    ring, segments = book.ring, book.keeping.segments
    return {
        **book.accounts.status(),
        "predictions": len(ring),
        "capacity": book.capacity,
        "waiting": len(book.waiting),
        "alarms": len(book.alarms),
        "bucket_s": book.seconds,
        "held_s": _held(book, now),
        "horizon_s": book.settings.horizon,
        "memory_bytes": ring.bytes,
        "disk_bytes": segments.bytes,
        "disk_error": segments.failure,
        "note": _note(book, now),
    }


def _held(book: Book, now: int) -> float:
    """Seconds from the oldest prediction until now: the largest delay kept."""
    pages = book.ring.pages
    if not pages or not pages[0].rows:
        return 0.0
    oldest = int(pages[0].columns()["at"].min())
    return max(now - oldest, 0) / _NS


def _note(book: Book, now: int) -> str:
    """What the operator should know: labels may come too late for the memory."""
    held, wanted = _held(book, now), book.settings.horizon
    if not book.accounts.dropped_rows or held >= wanted / 2:
        return ""
    if book.accounts.total("predictions_unlabelled_dropped_total") == 0:
        return ""
    return (
        f"labels may come {held / 3600:.0f} h late, horizon is {wanted / 3600:.0f} h:"
        " raise labels.memory"
    )
