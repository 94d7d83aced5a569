"""What a feature is: one number made from one tag of an asset.

Every aggregate has one definition, executed by the same code in the notebook and
on the gateway; `aggregates` holds the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, get_args

Aggregate = Literal[
    "last",
    "age",
    "first",
    "delta",
    "mean",
    "std",
    "rms",
    "min",
    "max",
    "range",
    "slope",
    "count",
]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
INSTANT: frozenset[str] = frozenset({"last", "age"})
"""Aggregates of the newest value, which have no window."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One column of a feature row.

    Attributes:
        name: its name in the passport.
        tag: role of the asset type it is made from.
        aggregate: what is done with the samples.
        window: seconds; the window of a row at ``at`` is ``(at - window, at]``. None
            for ``last``, ``age`` and features over the cycle.
        cycle: the window is the part's cycle, for ``on: cycle``.
        hold: seconds a value stays usable: after its stamp for a tag that reports
            every value, after its source was last seen alive for a tag that reports
            changes only. A value is held over BAD ones this long too. Where the tag's
            own ``max_age`` is shorter it counts, for windows of all values as well.
        rate: values per second the tag is expected to report, or for a tag that
            reports changes only, is sampled at. Counts completeness, sizes the ring.
        min_completeness: share of ``window x rate`` samples (of the window's time, for
            a tag that reports changes only) below which the feature is missing.

    Raises:
        ValueError: the parts do not fit together; the text says which and why.
    """

    name: str
    tag: str
    aggregate: Aggregate
    window: float | None = None
    cycle: bool = False
    hold: float = 30.0
    rate: float = 1.0
    min_completeness: float = 0.5

    def __post_init__(self) -> None:
        where = f"feature {self.name!r}"
        if self.aggregate not in AGGREGATES:
            allowed = ", ".join(AGGREGATES)
            raise ValueError(
                f"{where}: aggregate {self.aggregate!r} is none of {allowed}"
            )
        if self.aggregate in INSTANT and (self.window is not None or self.cycle):
            raise ValueError(f"{where}: {self.aggregate} has no window; remove it")
        if self.aggregate not in INSTANT and (self.window is None) != self.cycle:
            raise ValueError(
                f"{where}: {self.aggregate} needs either a window or cycle: true"
            )
        if self.window is not None and not 0 < self.window < inf:
            raise ValueError(f"{where}: window must be above 0 s, not {self.window}")
        if not (self.rate > 0 and isfinite(self.rate)):
            raise ValueError(
                f"{where}: rate must be above 0 per second, not {self.rate}"
            )
        if not self.hold >= 0:
            raise ValueError(f"{where}: hold must not be below 0 s, not {self.hold}")
        if not 0 <= self.min_completeness <= 1:
            raise ValueError(
                f"{where}: min_completeness must be from 0 to 1, "
                f"not {self.min_completeness}"
            )
