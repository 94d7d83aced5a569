"""Classes, states and reasons of records."""

from __future__ import annotations

from enum import IntEnum


class RecordClass(IntEnum):
    """What is kept longest when room runs out: lower is dropped later."""

    ALARM = 0
    AUDIT = 1
    DRIFT = 2
    SCORE = 3
    RAW = 4


class AlarmState(IntEnum):
    """State of one alarm (ISA-18.2 names; acknowledgement lives in SCADA)."""

    NORMAL = 0
    ACTIVE = 1


class Fallback(IntEnum):
    """Which rung of the ladder made a score."""

    MODEL = 0
    LAST_KNOWN_GOOD = 1
    LIMITS = 2
    NO_SCORE = 3


class NoScore(IntEnum):
    """Why a row has no score."""

    NONE = 0
    INPUT_MISSING = 1
    INPUT_BAD = 2
    WARMING_UP = 3
    MODEL_NAN = 4
    MODEL_ERROR = 5
    MODEL_MISSING = 6
    INPUT_STALE = 7
    AGENT_STOPPED = 8
    MODEL_SLOW = 9
    MODEL_EXPIRED = 10


#: Words of SCADA and of the archive; they are never changed.
FALLBACK_WORDS = {
    Fallback.MODEL: "model",
    Fallback.LAST_KNOWN_GOOD: "last-known-good",
    Fallback.LIMITS: "limits",
    Fallback.NO_SCORE: "none",
}
NO_SCORE_WORDS = {
    NoScore.NONE: "",
    NoScore.INPUT_MISSING: "input missing",
    NoScore.INPUT_BAD: "input bad",
    NoScore.WARMING_UP: "warming up",
    NoScore.MODEL_NAN: "model gave no number",
    NoScore.MODEL_ERROR: "model failed",
    NoScore.MODEL_MISSING: "no model",
    NoScore.INPUT_STALE: "input stale",
    NoScore.AGENT_STOPPED: "agent stopped",
    NoScore.MODEL_SLOW: "model too slow",
    NoScore.MODEL_EXPIRED: "model expired",
}


class FindingState(IntEnum):
    """Whether what monitoring found is still so."""

    CLOSED = 0
    OPEN = 1


#: What a row without a context has in ``ScoreRecord.context``.
NO_CONTEXT = 255
