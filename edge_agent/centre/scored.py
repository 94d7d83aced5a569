"""Scores and alarms as rows of the archive. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge_agent.centre.rows import Rows, microseconds, moment, of_one, texts
from edge_agent.records import (
    FALLBACK_WORDS,
    NO_CONTEXT,
    NO_SCORE_WORDS,
    AlarmState,
    Fallback,
    NoScore,
)

if TYPE_CHECKING:
    from edge_agent.centre.rows import Values
    from edge_agent.records import AlarmRecord, PipelineInfo, ScoreRecord
    from edge_agent.store.outbox import Stored


def predictions(stored: Stored, record: ScoreRecord) -> Rows:
    """A row for each score."""
    count, info = len(record), record.info
    asset = _named(info.assets, record.asset.tolist())
    top = record.top_role[:, 0].tolist()
    told = np.asarray(record.top_role[:, 0] >= 0)
    score = np.where(record.no_score == NoScore.NONE, record.score, np.nan)
    columns: dict[str, Values] = {
        "ts": microseconds(record.at, stored.offset),
        **_order(stored, count),
        "asset": asset,
        "part": _or_empty(record.part, count),
        **_model(info, count),
        "score": score,
        "threshold": record.threshold,
        "alarm": record.alarm == AlarmState.ACTIVE,
        "severity": record.severity,
        "quality": record.quality.astype(np.int32),
        "completeness": record.completeness,
        "age_s": record.age,
        "no_score": [
            NO_SCORE_WORDS[NoScore(code)] for code in record.no_score.tolist()
        ],
        "fallback": [
            FALLBACK_WORDS[Fallback(code)] for code in record.fallback.tolist()
        ],
        "context": _contexts(record),
        "label": _or_empty(record.label, count),
        "top1_tag": _named((*info.roles, ""), top),
        "top1_value": np.where(told, record.top_value[:, 0], np.nan),
        "top1_share": np.where(told, record.top_share[:, 0], np.nan),
    }
    return Rows("predictions", columns)


def alarms(stored: Stored, record: AlarmRecord) -> Rows:
    """One transition."""
    keys = ("role", "value", "low", "high", "share")
    top = [dict(zip(keys, one, strict=True)) for one in record.top]
    return of_one(
        "alarms",
        {
            "ts": moment(record.at, stored.offset),
            "boot": stored.boot,
            "seq": stored.seq,
            "occurrence": record.occurrence,
            "asset": record.info.assets[record.asset],
            "part": record.part,
            "state": record.state.name.lower(),
            "since": moment(record.since, stored.offset),
            "score": record.score,
            "threshold": record.threshold,
            "severity": record.severity,
            "reason": record.reason,
            "context": record.context,
            **{name: value[0] for name, value in _model(record.info, 1).items()},
            "fallback": FALLBACK_WORDS[record.fallback],
            "top": msgspec.json.encode(top).decode(),
        },
    )


def _order(stored: Stored, count: int) -> dict[str, Values]:
    return {
        "boot": np.full(count, stored.boot, np.int64),
        "seq": stored.seq + np.arange(count, dtype=np.int64),
    }


def _model(info: PipelineInfo, count: int) -> dict[str, list[str]]:
    """What says which model it was."""
    return {
        "pipeline": [info.pipeline] * count,
        "model": [info.model] * count,
        "model_version": [info.model_version] * count,
        "model_digest": [info.model_digest] * count,
    }


def _named(names: tuple[str, ...], places: list[int]) -> list[str]:
    """Names by position; -1 is the last."""
    return [names[place] for place in places]


def _or_empty(values: tuple[str, ...], count: int) -> list[str]:
    return texts(values) if values else [""] * count


def _contexts(record: ScoreRecord) -> list[str]:
    if record.context is None:
        return [""] * len(record)
    names = dict(enumerate(record.contexts)) | {NO_CONTEXT: ""}
    return [names[code] for code in record.context.tolist()]
