"""What changed between two bundles, for whoever must approve the newer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.bundle import graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge_agent.bundle.contents import Bundle
    from edge_agent.bundle.profile import Bins, Tally
    from edge_agent.samples import F64

_NAMED = {"features": "name"}
"""Lists whose entries have a name: compared by it, not by place."""
_UNSAID = frozenset({"passport", "version", "files"})
_SMOOTH = 0.5
"""Added to every count, so that an empty bin does not make a shift endless."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is said otherwise; None where it is not said at all."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a feature's training data moved.

    Attributes:
        feature: its name.
        measure: ``psi`` over equal bins (0.1 is little, 0.25 much), else ``std``: the
            difference of the means in standard deviations of the older one.
        value: not negative for psi.
    """

    feature: str
    measure: str
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Golden rows of both bundles under both models.

    Attributes:
        before, after: float64[rows] scores.
        alarm_before, alarm_after: bool[rows] above each model's own first threshold.
    """

    before: F64
    after: F64
    alarm_before: np.ndarray[tuple[int], np.dtype[np.bool_]]
    alarm_after: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def other(self) -> int:
        """Rows that are an alarm for one and not for the other."""
        return int((self.alarm_before != self.alarm_after).sum())


def changes(old: Bundle, new: Bundle) -> list[Change]:
    """Everything the newer passport and graph say otherwise, in their order."""
    before, after = _facts(old), _facts(new)
    names = dict.fromkeys([*before, *after])
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def shifts(old: Bundle, new: Bundle) -> list[Shift]:
    """How far the training data of the features both have moved, the most first."""
    found = [
        _shift(name, old, new)
        for name in old.reference.whole.features
        if name in new.reference.whole.features
    ]
    return sorted(found, key=lambda shift: -abs(shift.value))


def same_rows(old: Bundle, new: Bundle) -> bool:
    """Whether one row of features can be given to both models."""
    return old.passport.specs() == new.passport.specs()


def golden_of_both(old: Bundle, new: Bundle) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32[rows, features], each row once."""
    rows = np.concatenate([old.golden.inputs, new.golden.inputs])
    return np.unique(rows, axis=0)


def psi(one: Tally, other: Tally) -> float:
    """Population stability index of two tallies over the same bins."""
    p, q = (np.array(t.counts) + _SMOOTH for t in (one, other))
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _shift(name: str, old: Bundle, new: Bundle) -> Shift:
    bins = old.reference.baseline.features[name], new.reference.baseline.features[name]
    counted = old.reference.whole.features[name], new.reference.whole.features[name]
    if bins[0].edges == bins[1].edges:
        return Shift(name, "psi", psi(*counted))
    return Shift(name, "std", _standardised(bins, counted))


def _standardised(bins: tuple[Bins, Bins], counted: tuple[Tally, Tally]) -> float:
    means = [t.mean(b) for t, b in zip(counted, bins, strict=True)]
    spread = counted[0].std()
    if not spread:
        return 0.0 if means[0] == means[1] else float("inf")
    return (means[1] - means[0]) / spread


def _facts(bundle: Bundle) -> dict[str, Any]:
    """The passport and what the graph is made of, one value a dotted name."""
    said = bundle.passport.model_dump(mode="json")
    facts = dict(_flat({k: v for k, v in said.items() if k not in _UNSAID}))
    operators = graph.inspect(bundle.model).operators
    facts |= {f"graph.{name}": count for name, count in sorted(operators.items())}
    facts["graph.bytes"] = len(bundle.model)
    facts["graph.sha256"] = bundle.passport.files[bundle.passport.model.file]
    return facts


def _flat(part: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from _flat(value, where)
        elif key in _NAMED:
            yield f"{where}", [entry[_NAMED[key]] for entry in value]
            for entry in value:
                named = {k: v for k, v in entry.items() if k != _NAMED[key]}
                yield from _flat(named, f"{where}.{entry[_NAMED[key]]}")
        else:
            yield where, value
