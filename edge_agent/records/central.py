"""What only the centre and the evidence log take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.records.kinds import RecordClass

if TYPE_CHECKING:
    from edge_agent.samples import F64, I32, I64, U8


@dataclass(frozen=True, slots=True, eq=False)
class LabelRecord:
    """Labels that were joined to rows of one pipeline, n rows.

    A row said again, or corrected, is a row of a later record: the newest counts.

    Attributes:
        pipeline, model: names.
        at: agent time they were joined, ns.
        assets: ids by position.
        asset: int32[n] position in ``assets``.
        row_at: int64[n] agent time of the labelled row, ns.
        part: part ids, one a row; empty strings where rows are no parts.
        version: model version that scored, one a row.
        context: one a row, empty for none.
        score, threshold: float64[n].
        predicted: uint8[n] 1 where the row was called bad, 0 where not, 2 where the
            agent gave no answer.
        state: uint8[n] 1 bad, 0 good, 2 neither (a value, or a label taken back).
        value: float64[n] the measured value, NaN for none.
        label: class as told, one a row.
        delay: float64[n] seconds from the row to its label.
    """

    pipeline: str
    model: str
    at: int
    assets: tuple[str, ...]
    asset: I32
    row_at: I64
    part: tuple[str, ...]
    version: tuple[str, ...]
    context: tuple[str, ...]
    score: F64
    threshold: F64
    predicted: U8
    state: U8
    value: F64
    label: tuple[str, ...]
    delay: F64
    kind: RecordClass = RecordClass.AUDIT

    def __len__(self) -> int:
        """Count rows."""
        return len(self.asset)


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """What an alarm was computed from; the evidence log keeps it beside the alarm.

    Attributes:
        at, occurrence, pipeline, asset: as in the `AlarmRecord` of the same turn.
        body: a JSON object, UTF-8: input window, features, quality, scores, digests of
            model and configuration. Made by `captured`, read by `edge-agent replay`.
    """

    at: int
    occurrence: str
    pipeline: str
    asset: str
    body: bytes
    kind: RecordClass = RecordClass.ALARM


@dataclass(frozen=True, slots=True, eq=False)
class RawRecord:
    """Samples as they came, n of them, for those who train models; off by default.

    Attributes:
        at: agent time they were taken, ns.
        tags: ``asset.role`` by position.
        tag: int32[n] position in ``tags``.
        time: int64[n] agent time of each sample, ns.
        value: float64[n], NaN for a sample without a number.
        quality: uint8[n] `samples.Quality`.
    """

    at: int
    tags: tuple[str, ...]
    tag: I32
    time: I64
    value: F64
    quality: U8
    kind: RecordClass = RecordClass.RAW

    def __len__(self) -> int:
        """Count samples."""
        return len(self.tag)
