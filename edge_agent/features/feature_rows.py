"""What a feature plan gives: rows of features, and how far each can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features import gates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.features.gates import Gates
    from edge_agent.features.window import Mask
    from edge_agent.samples import F64, I32, I64, U8


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """n rows of F features.

    Attributes:
        asset: int32[n] position in the asset type.
        at: int64[n] the time a row stands for, ns.
        values: float32[n, F], C-contiguous; NaN where missing.
        valid: bool[n] no feature is missing.
        missing: uint8[n, F] `records.NoScore`, 0 where the feature is there.
        quality: uint8[n] `samples.Quality`, the worst of the inputs; BAD if invalid.
        completeness: float64[n] mean over the features of the share of their samples
            that was there.
        age: float64[n] seconds, oldest input; NaN where there never was one.
        inputs_good: int16[n] features neither missing nor doubtful.
        cut_short: bool[n] a window reached further back than the ring.
        part: part ids, one a row, for `on: cycle`; empty otherwise.
        context: int32[n] position in the pipeline's list of contexts, `contexts.GATED`
            for a row that is not to be judged; None for a pipeline without contexts.
        gates: why rows are not judged; None where all of them are.
    """

    asset: I32
    at: I64
    values: NDArray[np.float32]
    valid: Mask
    missing: U8
    quality: U8
    completeness: F64
    age: F64
    inputs_good: NDArray[np.int16]
    cut_short: Mask
    part: tuple[str, ...] = ()
    context: I32 | None = None
    gates: Gates | None = None

    def __len__(self) -> int:
        """Count rows."""
        return len(self.asset)

    @property
    def reason(self) -> U8:
        """uint8[n] the first missing feature's `NoScore`, 0 for a valid row."""
        column = np.argmax(self.missing > 0, axis=1)
        first: U8 = self.missing[np.arange(len(self)), column]
        return first

    def rounds(self) -> list[NDArray[np.int64]]:
        """Positions of the rows in rounds: each asset once a round, in order."""
        order = np.argsort(self.asset, kind="stable").astype(np.int64)
        first = np.flatnonzero(np.diff(self.asset[order], prepend=-1))
        lengths = np.diff(first, append=len(self))
        rank = np.empty(len(self), np.int64)
        rank[order] = np.arange(len(self)) - np.repeat(first, lengths)
        return [
            np.flatnonzero(rank == turn).astype(np.int64)
            for turn in range(int(rank.max(initial=-1)) + 1)
        ]

    def take(self, select: NDArray[np.int64]) -> FeatureRows:
        """Rows by position."""
        return FeatureRows(
            self.asset[select],
            self.at[select],
            self.values[select],
            self.valid[select],
            self.missing[select],
            self.quality[select],
            self.completeness[select],
            self.age[select],
            self.inputs_good[select],
            self.cut_short[select],
            tuple(self.part[i] for i in select) if self.part else (),
            None if self.context is None else self.context[select],
            None if self.gates is None else self.gates.take(select),
        )


def joined(parts: Sequence[FeatureRows]) -> FeatureRows:
    """Several sets of rows of one plan as one, in order."""
    if len(parts) == 1:
        return parts[0]
    told = [p.context for p in parts if p.context is not None]
    return FeatureRows(
        np.concatenate([p.asset for p in parts]),
        np.concatenate([p.at for p in parts]),
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.valid for p in parts]),
        np.concatenate([p.missing for p in parts]),
        np.concatenate([p.quality for p in parts]),
        np.concatenate([p.completeness for p in parts]),
        np.concatenate([p.age for p in parts]),
        np.concatenate([p.inputs_good for p in parts]),
        np.concatenate([p.cut_short for p in parts]),
        tuple(part for p in parts for part in p.part),
        None if len(told) < len(parts) else np.concatenate(told),
        gates.joined([p.gates for p in parts], [len(p) for p in parts]),
    )
