"""Which rows are worth a message: those that say something new.

A row is sent when its score moved by more than the deadband since the asset's last
message, when anything else said of it changed, or after a long silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.rounds import rounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.samples import F64, I32, I64, U8


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of assets: of n rows, or last of each asset.

    Attributes:
        score: float64[n].
        at: int64[n].
        kind: int64[n] quality, reason and alarm, packed.
    """

    score: F64
    at: I64
    kind: I64


def packed(*codes: U8) -> I64:
    """Codes of each row as one number; usually all of them are zero."""
    kind = np.zeros(len(codes[0]), np.int64)
    if any(np.count_nonzero(code) for code in codes):
        for code in codes:
            kind <<= 8
            kind |= code
    return kind


def worth_sending(
    asset: I32, rows: Said, last: Said, deadband: float, max_interval: int
) -> NDArray[np.bool_]:
    """Rows that say something new, or come after a long silence.

    Args:
        asset: int32[n]; several rows of one in ascending order of time.
        rows: what the rows say.
        last: what the last message of each asset said; updated.
        deadband: 0 sends every row that has a score.
        max_interval: ns.
    """
    if deadband == 0 and not np.count_nonzero(np.isnan(rows.score)):
        # of several rows of an asset the last one is kept in mind
        last.score[asset], last.at[asset] = rows.score, rows.at
        last.kind[asset] = rows.kind
        return np.ones(len(asset), bool)
    send = np.zeros(len(asset), bool)
    for part in rounds(asset):
        who, at, score = asset[part], rows.at[part], rows.score[part]
        calm = np.abs(score - last.score[who]) <= deadband
        calm |= np.isnan(score)
        calm &= rows.kind[part] == last.kind[who]
        calm &= at - last.at[who] < max_interval
        new = ~calm
        if deadband == 0:
            new |= ~np.isnan(score)
        send[part] = new
        chosen = who[new]
        last.score[chosen], last.at[chosen] = score[new], at[new]
        last.kind[chosen] = rows.kind[part][new]
    return send
