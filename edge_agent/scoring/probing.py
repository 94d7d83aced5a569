"""How a model is run so that a row's bits do not depend on the rows beside it.

Most graphs keep that by themselves; some do not (a ReduceSum over 13 columns adds in
another order at another memory alignment; one row alone may take another matrix
kernel). So it is tried out when the model is loaded, and the way of running is chosen
by what was seen, see `bundle.batching`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.bundle.batching import BatchPlan
from edge_agent.bundle.golden import difference
from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from edge_agent.bundle.contents import Bundle
    from edge_agent.scoring.scorer import OnnxScorer

    Outputs = Mapping[str, NDArray[Any]]
    Run = Callable[[NDArray[np.float32], BatchPlan], Outputs]

_ROWS = 40
_BATCHES = (1, 2, 3, 5, 8, 17)
#: Seconds that loading may spend on runs: a graph that never ends is refused.
PATIENCE = 30.0


def settled(
    run: Run,
    golden: NDArray[np.float32],
    sizes: tuple[int, ...],
    *,
    stop_at_close: bool,
) -> tuple[BatchPlan, bool]:
    """How to run, and whether bits then do not depend on the batch.

    Args:
        run: the model.
        golden: float32[g, features], rows to try it with.
        sizes: batch sizes the graph takes, ascending; empty for any.
        stop_at_close: try the plain way only.
    """
    plain = BatchPlan(sizes)
    if stop_at_close:
        return plain, _bits_hold(run, golden, plain)
    others = BatchPlan(sizes, least=2), BatchPlan(sizes[:1], single=True)
    for plan in (plain, *others):
        if _bits_hold(run, golden, plan):
            return plan, True
    return plain, False


def _bits_hold(run: Run, golden: NDArray[np.float32], plan: BatchPlan) -> bool:
    """Give each golden row the same outputs in any batch and at any place in it."""
    rows = np.resize(golden, (_ROWS, golden.shape[1]))
    whole = run(rows, plan)
    return all(
        _same(run(rows[first : first + size], plan), whole, first, size)
        for size in _BATCHES
        for first in range(0, _ROWS - size + 1, size)
    )


def _same(part: Outputs, whole: Outputs, first: int, size: int) -> bool:
    """Whether some rows have the bits they had among all; a tenth of array_equal."""
    return all(
        array.tobytes() == whole[name][first : first + size].tobytes()
        for name, array in part.items()
    )


def verify_golden(scorer: OnnxScorer, bundle: Bundle) -> None:
    """Hold the golden rows against what the model gives here.

    Raises:
        ModelRejected: an output is further off than the passport allows; the text
            names row, output, expected and found.
    """
    scores = scorer.score(bundle.golden.inputs, within=PATIENCE)
    if scores.error:
        raise ModelRejected(f"{bundle.path}: golden rows cannot be run: {scores.error}")
    for name, expected in bundle.golden.outputs.items():
        problem = difference(name, expected, getattr(scores, name), bundle.passport)
        if problem:
            raise ModelRejected(f"{bundle.path}: {problem}")
