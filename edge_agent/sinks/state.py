"""Score rows to flat JSON: the hot path of the way out, about 2 µs a row.

Pure. What all rows of a pipeline share is made once: topics, and a template with
a gap for each value. Values are rendered a column at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.records import (
    FALLBACK_WORDS,
    NO_SCORE_WORDS,
    AlarmState,
    Fallback,
    NoScore,
)
from edge_agent.samples import Quality
from edge_agent.sinks import jsontext
from edge_agent.sinks.contextual import contexts
from edge_agent.sinks.ranges import usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.phrases import Phrases
    from edge_agent.records import PipelineInfo, ScoreRecord
    from edge_agent.samples import F64, U8
    from edge_agent.sinks.sink import Frame
    from edge_agent.sinks.topics import Place
    from edge_agent.store.outbox import Stored

TOPS = 3
QUALITY_CODES = {Quality.GOOD: 192, Quality.UNCERTAIN: 64, Quality.BAD: 0}
_QUALITY = [
    b'"%b","quality_code":%d' % (q.name.encode(), QUALITY_CODES[q]) for q in Quality
]
_ALARM = [jsontext.text(state.name) for state in AlarmState]
_WHY = [jsontext.text(NO_SCORE_WORDS[code]) for code in NoScore]
_FALLBACK = [jsontext.text(FALLBACK_WORDS[rung]) for rung in Fallback]
_SCORED = int(NoScore.NONE)  # comparing an array with an enum costs five times as much
_EMPTY = b'""'
_KEYS = (
    *("ts", "ts_ms", "score", "score_valid", "threshold", "severity", "alarm"),
    *("quality", "completeness", "age", "reason", "no_score"),
    *(
        f"top{place}_{what}"
        for place in range(1, TOPS + 1)
        for what in ("tag", "value", "usual", "share")
    ),
    *("part", "label", "context", "model", "model_version", "model_sha8", "fallback"),
    *("inputs_good", "inputs_total", "boot", "seq", "hist"),
)
#: What every row says of an asset that is well.
_CALM = {
    "score_valid": b"true",
    "severity": b"0",
    "alarm": _ALARM[AlarmState.NORMAL],
    "quality": _QUALITY[Quality.GOOD],
    "completeness": b"1.0",
    "no_score": _WHY[NoScore.NONE],
}
#: Kept at most; few differ in practice.
_TEMPLATES, _RANGES = 100, 10_000
#: Fewer rows are written as fast as it is found out that all is well with them.
_WORTH_LOOKING = 4
_TRUE, _FALSE = b"true", b"false"


class StateWriter:
    """Writes the rows of one pipeline.

    Args:
        info: what its rows share.
        place: where the gateway stands.
        phrases: in the language of who reads SCADA.
    """

    def __init__(self, info: PipelineInfo, place: Place, phrases: Phrases) -> None:
        folders = [place.of_pipeline(asset, info.pipeline) for asset in info.assets]
        self.state = [f"{folder}/state".encode() for folder in folders]
        self.history = [f"{folder}/history".encode() for folder in folders]
        self._roles = [*map(jsontext.text, info.roles), _EMPTY]
        self._units, self._phrases = info.units, phrases
        self._usual: dict[tuple[int, float, float], bytes] = {}
        self._info = info
        self._templates: dict[tuple[object, ...], tuple[bytes, list[str]]] = {}

    def frames(
        self, stored: Stored, record: ScoreRecord, rows: slice, *, old: bool
    ) -> list[Frame]:
        """One message a row: live ones retained, old ones on their own topic."""
        start, stop, _ = rows.indices(len(record))
        topics = self.history if old else self.state
        payloads = self._payloads(stored, record, slice(start, stop), old=old)
        return [
            (topics[asset], payload, 1, not old)
            for asset, payload in zip(
                record.asset[start:stop].tolist(), payloads, strict=True
            )
        ]

    def _payloads(
        self, stored: Stored, record: ScoreRecord, rows: slice, *, old: bool
    ) -> list[bytes]:
        score, start = record.score[rows], stored.seq + rows.start
        valid = (record.no_score[rows] == _SCORED) & np.isfinite(score)
        quality = record.quality[rows]
        if np.count_nonzero(valid) < len(valid):
            quality = np.where(valid, quality, np.uint8(Quality.BAD))
            score = np.where(valid, score, np.nan)
        ms = jsontext.milliseconds(record.at[rows], stored.offset)
        columns = {
            "ts": jsontext.dates(ms),
            "ts_ms": jsontext.whole(ms),
            "score": jsontext.floats(score),
            "age": jsontext.floats(jsontext.rounded(record.age[rows], 3)),
            "seq": [b"%d" % seq for seq in range(start, start + len(ms))],
            **_texts("part", record.part, rows),
            **_texts("label", record.label, rows),
            **self._tops(record, rows),
        }
        # what is the same in every row goes into the template, which is kept
        same = {
            "inputs_total": b"%d" % record.inputs_total,
            "boot": b"%d" % stored.boot,
            "hist": _TRUE if old else _FALSE,
        }
        varying, constant = contexts(record, rows)
        columns, same = columns | varying, same | constant
        calm = _calm(record, rows, valid) if len(ms) >= _WORTH_LOOKING else None
        if calm is None:
            columns |= _judgements(record, rows, valid, quality)
        else:
            same |= calm
        template, order = self._template(tuple(columns), same)
        return list(
            map(template.__mod__, zip(*(columns[key] for key in order), strict=True))
        )

    def _template(
        self, varying: tuple[str, ...], same: dict[str, bytes]
    ) -> tuple[bytes, list[str]]:
        """A row with a gap for each varying value, and the order of the gaps."""
        key = (varying, *same.values())
        made = self._templates.get(key)
        if made is None:
            if len(self._templates) > _TEMPLATES:
                self._templates.clear()
            made = self._templates[key] = _template(self._info, set(varying), same)
        return made

    def _tops(self, record: ScoreRecord, rows: slice) -> dict[str, list[bytes]]:
        """Columns of the contributors; none where no row has any."""
        roles = record.top_role[rows].ravel()
        if roles.max(initial=-1) < 0:
            return {}
        values, shares = record.top_value[rows].ravel(), record.top_share[rows].ravel()
        # a contributor without a number is left out: 0.0 would look like one
        shown = (roles >= 0) & np.isfinite(values)
        if not shown.all():
            roles = np.where(shown, roles, -1)
            values, shares = np.where(shown, values, 0.0), np.where(shown, shares, 0.0)
        low, high = record.top_low[rows].ravel(), record.top_high[rows].ravel()
        columns = (
            ("tag", _picked(self._roles, roles)),
            ("value", jsontext.floats(jsontext.significant(values), 0.0)),
            ("usual", self._usuals(roles, low, high)),
            ("share", jsontext.floats(jsontext.rounded(shares, 4), 0.0)),
        )
        return {
            f"top{place + 1}_{what}": column[place::TOPS]
            for what, column in columns
            for place in range(TOPS)
        }

    def _usuals(self, roles: NDArray[np.int16], low: F64, high: F64) -> list[bytes]:
        known, made = self._usual, []
        for key in zip(roles.tolist(), low.tolist(), high.tolist(), strict=True):
            found = known.get(key)
            if found is None:
                if len(known) > _RANGES:
                    known.clear()
                role, bottom, top = key
                unit = self._units[role] if 0 <= role < len(self._units) else ""
                words = usual(bottom, top, unit, self._phrases) if role >= 0 else ""
                found = known[key] = jsontext.text(words)
            made.append(found)
        return made


def _calm(
    record: ScoreRecord, rows: slice, valid: np.ndarray
) -> dict[str, bytes] | None:
    """What the rows have in common when all is well with each; None when it is not."""
    reasons = set(record.reason[rows])
    threshold, rung = record.threshold[rows], record.fallback[rows]
    if len(reasons) > 1 or not len(rung):
        return None
    good = valid & (record.completeness[rows] == 1.0)
    good &= record.inputs_good[rows] == record.inputs_total
    good &= threshold == threshold[0]
    good &= rung == rung[0]
    flawed = (record.severity[rows], record.alarm[rows], record.quality[rows])
    if np.count_nonzero(good) < len(good) or any(c.any() for c in flawed):
        return None
    reason = "".join(reasons)
    return _CALM | {
        "threshold": jsontext.floats(threshold[:1])[0],
        "fallback": _FALLBACK[int(rung[0])],
        "inputs_good": b"%d" % record.inputs_total,
        "reason": jsontext.text(reason) if reason else _EMPTY,
    }


def _judgements(
    record: ScoreRecord, rows: slice, valid: np.ndarray, quality: np.ndarray
) -> dict[str, list[bytes]]:
    """Columns that are the same in all calm rows."""
    return {
        "score_valid": [_TRUE if good else _FALSE for good in valid.tolist()],
        "threshold": jsontext.floats(record.threshold[rows]),
        "severity": jsontext.whole(record.severity[rows]),
        "alarm": _picked(_ALARM, record.alarm[rows]),
        "quality": _picked(_QUALITY, quality),
        "completeness": jsontext.floats(record.completeness[rows], 0.0),
        "no_score": _why(record.no_score[rows], valid),
        "fallback": _picked(_FALLBACK, record.fallback[rows]),
        "inputs_good": jsontext.whole(record.inputs_good[rows]),
        **_texts("reason", record.reason, rows),
    }


def _template(
    info: PipelineInfo, varying: set[str], same: dict[str, bytes]
) -> tuple[bytes, list[str]]:
    known = same | {key: jsontext.text(value) for key, value in model_of(info)}
    fields: list[bytes] = []
    order: list[str] = []
    for key in _KEYS:
        if key in varying:
            order.append(key)
            value = b'"%b"' if key == "ts" else b"%b"
        else:
            absent = b"0.0" if key.endswith(("_value", "_share")) else _EMPTY
            value = known.get(key, absent).replace(b"%", b"%%")
        fields.append(b'"%b":%b' % (key.encode(), value))
    return b"{" + b",".join(fields) + b"}", order


def model_of(info: PipelineInfo) -> list[tuple[str, str]]:
    """The keys that say which model spoke."""
    return [
        ("model", info.model),
        ("model_version", info.model_version),
        ("model_sha8", info.model_sha8),
    ]


def _picked(names: Sequence[bytes], which: np.ndarray) -> list[bytes]:
    return [names[position] for position in which.tolist()]


def _texts(key: str, texts: tuple[str, ...], rows: slice) -> dict[str, list[bytes]]:
    """A column of texts; none where all are empty: the template says so."""
    part = texts[rows]
    if not any(part):
        return {}
    return {key: [jsontext.text(x) if x else _EMPTY for x in part]}


def _why(codes: U8, valid: np.ndarray) -> list[bytes]:
    """A score that is no number without a reason is the model's fault."""
    if valid.all():
        return _picked(_WHY, codes)
    unnamed = ~valid & (codes == _SCORED)
    return _picked(_WHY, np.where(unnamed, NoScore.MODEL_NAN, codes))
