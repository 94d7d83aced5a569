"""A pipeline: an asset type, what scores it, and what is remembered between turns.

Frozen: a new model is a new `Pipeline`, swapped between turns. What must survive a
crash is `PipelineState`: arrays, replaced each turn, saved with the turn's records.
`judging` makes a turn of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edge_agent.alarms import NEVER, AlarmStates
from edge_agent.occlusion import Spent
from edge_agent.phrases import Phrases
from edge_agent.records import Fallback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.alarms import Limits
    from edge_agent.explain import Usual
    from edge_agent.levels import ContextLevels
    from edge_agent.monitoring.drift.yardstick import Yardstick
    from edge_agent.occlusion import Occlusion
    from edge_agent.records import PipelineInfo
    from edge_agent.samples import F64, I64
    from edge_agent.scores import Scores


#: Share of the way from an ordinary score to the limit that is worth an explanation.
NEAR = 0.7
#: Rungs on which a model scores.
MODELS = (Fallback.MODEL, Fallback.LAST_KNOWN_GOOD)


class Scorer(Protocol):
    """What makes scores of feature rows.

    ``score`` takes float32[n, features] without missing numbers, changes nothing and
    never raises: a failure is a score that says why it is none.
    """

    def score(self, values: NDArray[np.float32]) -> Scores:
        """Verdicts on n rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """An asset type, its model, its alarms, and what of it is worth a message.

    Attributes:
        info: what all its records share.
        scorer: the model.
        usual: what the passport says is usual, for explanations.
        limits: when alarms come and go.
        levels: ascending scores that raise the severity; the first is the limit.
        severities: int32[levels], 1..1000.
        alarmed: False scores without alarms.
        deadband: change of the score that is worth a message; 0 sends every row.
        max_interval: ns after which a row is sent anyway.
        fallback: which rung of the ladder the scorer is.
        because: why it is not the model itself, in words; empty when it is.
        normal: the score of an ordinary row; what is near the limit is seen from here.
        occlusion: how to ask the model which tags made a score; None not to.
        phrases: what is said of its rows, in the language of who reads it.
        yardstick: what its rows are held against; None where no model is.
        levels_in: levels and severities of contexts that have their own; None where
            none has.
        known_contexts: names of those that ``usual`` and ``occlusion`` tell apart.
    """

    info: PipelineInfo
    scorer: Scorer
    usual: Usual
    limits: Limits
    levels: F64
    severities: NDArray[np.int32]
    alarmed: bool = True
    deadband: float = 0.0
    max_interval: int = 60_000_000_000
    fallback: Fallback = Fallback.MODEL
    because: str = ""
    normal: float = 0.0
    occlusion: Occlusion | None = None
    phrases: Phrases = field(default_factory=Phrases)
    yardstick: Yardstick | None = None
    levels_in: ContextLevels | None = None
    known_contexts: tuple[str, ...] = ()

    def near(self, limit: F64) -> F64:
        """Scores above this are worth an explanation: 70 % of the way to the limit.

        Args:
            limit: float64[n] of each row.
        """
        way = np.where(self.normal < limit, limit - self.normal, np.abs(limit))
        found: F64 = limit - (1 - NEAR) * way
        return found

    def at_threshold(self, threshold: float) -> Pipeline:
        """The same with its alarms at another threshold; the levels give way."""
        levels = np.maximum(self.levels, threshold)
        levels[0] = threshold
        limits = replace(self.limits, threshold=threshold)
        return replace(self, limits=limits, levels=levels)


@dataclass(frozen=True, slots=True, eq=False)
class PipelineState:
    """What a pipeline remembers between turns; arrays over its assets.

    Attributes:
        alarms: the state of each asset's alarm.
        sent_score: float64[assets] score of the last row that was sent.
        sent_at: int64[assets] its time, `alarms.NEVER` before the first.
        sent_as: int64[assets] its quality, reason and alarm, packed.
        spent: what explanations have cost.
    """

    alarms: AlarmStates
    sent_score: F64
    sent_at: I64
    sent_as: I64
    spent: Spent = field(default_factory=Spent)

    @staticmethod
    def fresh(assets: int) -> PipelineState:
        """Nothing known."""
        return PipelineState(
            AlarmStates.fresh(assets),
            np.full(assets, np.nan),
            np.full(assets, NEVER, np.int64),
            np.full(assets, -1, np.int64),
        )

    @staticmethod
    def restored(
        arrays: Mapping[str, NDArray[np.int64]], then: Sequence[str], now: Sequence[str]
    ) -> PipelineState:
        """From a checkpoint: alarms go on, every asset is reported anew.

        Raises:
            ValueError: the arrays do not fit the assets ``then``.
        """
        fresh = PipelineState.fresh(len(now))
        return replace(fresh, alarms=AlarmStates.from_arrays(arrays, then, now))
