"""The newest score row of every asset: what a broker that forgot is told again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import ScoreRecord
from edge_agent.store.codec import take

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.records import PipelineInfo
    from edge_agent.store.outbox import Stored


class Newest:
    """Remembers where the newest row of each asset is.

    `note` is called by the submitting thread and `rows` on the event loop; both
    only make calls that the interpreter does not interrupt.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[Stored, int]] = {}
        self._keys: dict[PipelineInfo, list[tuple[str, int]]] = {}

    def note(self, stored: Stored) -> None:
        """Take the rows of a score record as the newest of their assets."""
        record = stored.record
        if not isinstance(record, ScoreRecord):
            return
        keys = self._keys.get(record.info)
        if keys is None:
            name, count = record.info.pipeline, len(record.info.assets)
            keys = self._keys[record.info] = [(name, i) for i in range(count)]
        self._known.update(
            (keys[asset], (stored, row))
            for row, asset in enumerate(record.asset.tolist())
        )

    def is_newest(self, stored: Stored, row: int) -> bool:
        """Whether no newer row of its asset was noted; of other records always."""
        record = stored.record
        if not isinstance(record, ScoreRecord):
            return True
        key = record.info.pipeline, int(record.asset[row])
        newest = self._known.get(key)
        return newest is None or (newest[0].id, newest[1]) <= (stored.id, row)

    def rows(self) -> Iterator[tuple[Stored, Sequence[int]]]:
        """Records with the rows that are still the newest of their asset."""
        found: dict[int, tuple[Stored, list[int]]] = {}
        for stored, row in list(self._known.values()):
            found.setdefault(stored.id, (stored, []))[1].append(row)
        for id_ in sorted(found):
            stored, rows = found[id_]
            yield stored, sorted(rows)


def newest_at(stored: Stored) -> int:
    """Agent time of the newest row of a stored score record."""
    assert isinstance(stored.record, ScoreRecord)  # noqa: S101 - only those are noted
    return int(stored.record.at.max())


def part_of(stored: Stored, rows: Sequence[int]) -> ScoreRecord:
    """Some rows of a stored score record."""
    assert isinstance(stored.record, ScoreRecord)  # noqa: S101 - only those are noted
    return take(stored.record, rows)
