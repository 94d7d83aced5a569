"""What of a sample can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64

MOST = 1e100
"""No reading is further from 0; powers of what is nearer do not overflow."""


def finite(sample: F64) -> F64:
    """The numbers of a sample, sorted, in memory of their own.

    NaN, infinities and what is beyond `MOST` are left out, as Evidently leaves out NaN
    and infinities: whoever has to tell how many counts them (`answers`).
    """
    found = np.asarray(sample, np.float64)
    found = found[np.abs(found) <= MOST]
    found.sort()
    return found
