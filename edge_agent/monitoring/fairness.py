"""Does the model err or alarm more at one line, shift, product or supplier lot?

A difference between groups is a finding when it is large enough to matter and beyond
chance, after correction for the number of groups, rates and looks.

Groups are of the plant, not of people: fields declared personal never get here, and
so many groups that they must be ids of something are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.monitoring.accuracy.counting import Part
from edge_agent.monitoring.accuracy.measures import PLACE, Basis, Measure
from edge_agent.monitoring.accuracy.measuring import share
from edge_agent.monitoring.conditions import Condition, What
from edge_agent.monitoring.contrast import Counts, Rate, Table, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.monitoring.accuracy.counting import Sums
    from edge_agent.monitoring.accuracy.measures import Measures
    from edge_agent.samples import F64, I64

MOST_GROUPS = 200
LOOKS = 30
"""Looks that are corrected for: one a day for a month."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The groups of one field, compared.

    Attributes:
        by: field that makes the groups.
        tables: of each rate.
        refused: why there is none.
    """

    by: str
    tables: Mapping[Rate, Table] = field(default_factory=dict)
    refused: str = ""

    def condition(self, context: str = "") -> Condition | None:
        """The finding, of the group that differs most; None where none does."""
        found = [
            (float(table.strength[place]), rate, place)
            for rate, table in self.tables.items()
            for place in np.flatnonzero(table.differs & (table.value > table.rest))
        ] or [
            (float(table.strength[place]), rate, place)
            for rate, table in self.tables.items()
            for place in np.flatnonzero(table.differs)
        ]
        if not found:
            return None
        strength, rate, place = max(found, key=lambda each: each[0])
        table = self.tables[rate]
        name = table.names[place]
        evidence: dict[str, float | int | str] = {
            "group": name,
            "rate": rate.value,
            "found": float(table.value[place]),
            "low": float(table.low[place]),
            "high": float(table.high[place]),
            "others": float(table.rest[place]),
            "p": float(table.p[place]),
            "groups": len(table.names),
        }
        return Condition(
            *(What.PARITY, min(strength, 1e6)),
            self._sentence(rate, int(place)),
            _ACTIONS[rate].format(field=self.by, name=name),
            tag=self.by,
            context=context,
            evidence=evidence,
        )

    def _sentence(self, rate: Rate, place: int) -> str:
        table = self.tables[rate]
        ends = (table.value, table.low, table.high, table.rest)
        value, low, high, rest = (_shown(float(e[place]), rate) for e in ends)
        name = rate.value[:1].upper() + rate.value[1:]
        said = (
            f"{name} of {self.by} {table.names[place]} is {value} (95 %: {low} to "
            f"{high}), of the others {rest}: beyond chance (p = {table.p[place]:.2g}, "
            f"corrected)."
        )
        others = [
            f"{other.value} {_shown(float(each.value[at]), other)} against "
            f"{_shown(float(each.rest[at]), other)}"
            for other, each in self.tables.items()
            if other is not rate
            for at in np.flatnonzero(each.differs)
            if each.names[at] == table.names[place]
        ]
        return f"{said} Also: {'; '.join(others)}." if others else said


_ACTIONS = {
    Rate.ALARMS: (
        "Find out whether {field} {name} really has more or fewer faults; if not, "
        "check its sensors and whether the model was trained on it."
    ),
    Rate.ERRORS: (
        "Check the sensors and settings of {field} {name}, and whether the model was "
        "trained on enough of its rows."
    ),
}
_ACTIONS[Rate.WEEKLY] = _ACTIONS[Rate.ALARMS]
_ACTIONS[Rate.FALSE] = _ACTIONS[Rate.MISSED] = _ACTIONS[Rate.ERRORS]


def counts_of(
    sums: Sums, measures: Measures | None = None, made: I64 | None = None
) -> dict[Rate, Counts]:
    """Rates by group from labelled rows.

    Args:
        sums: by group.
        measures: from `coverage.corrected`; groups whose labels came selectively are
            not judged by what that spoils.
        made: int64[k, 2] predictions without and with an alarm, one a part; for rows by
            time give the alarms an asset and week (`weekly`) instead.
    """
    whole = (Part.TP, Part.FP, Part.FN, Part.TN)
    parts = {
        Rate.ERRORS: ((Part.RIGHT,), whole, Measure.ACCURACY),
        Rate.FALSE: ((Part.TP,), (Part.TP, Part.FP), Measure.PRECISION),
        Rate.MISSED: ((Part.TP,), (Part.TP, Part.FN), Measure.RECALL),
    }
    found = {}
    for rate, (right, over, measure) in parts.items():
        value, evidence = share(sums, right, over)
        if measures is not None:
            told = measures.basis[PLACE[measure]] == Basis.COUNTED
            evidence = np.where(told, evidence, 0.0)
        size = sums.total[:, list(over)].sum(axis=1)
        found[rate] = Counts(np.nan_to_num(1 - value) * size, size, evidence)
    if made is not None:
        size = made.sum(axis=1).astype(np.float64)
        found[Rate.ALARMS] = Counts(made[:, 1].astype(np.float64), size, size)
    return found


def weekly(alarms: I64, weeks: F64, bursts: float = 1.0) -> Counts:
    """Alarms an asset and week, by group.

    Args:
        alarms: int64[k], episodes.
        weeks: float64[k] asset-weeks observed.
        bursts: how many times more they vary than single events would.
    """
    events = alarms.astype(np.float64)
    # what is expected of a group tells whether it can be judged, also if it had none
    expected = weeks * events.sum() / max(float(weeks.sum()), 1e-12)
    sure = np.maximum(expected, events) / bursts
    return Counts(events, weeks, sure, weekly=True, bursts=bursts)


def compared(
    name: str, groups: Sequence[str], rates: Mapping[Rate, Counts], looks: int = LOOKS
) -> Parity:
    """Hold each group of a field against the others.

    Args:
        name: of the field.
        groups: names of its k groups.
        rates: counts of each rate.
        looks: how often it is looked, within what `LEVEL` is meant for.
    """
    if len(groups) > MOST_GROUPS:
        return Parity(
            name,
            refused=(
                f"{name} has {len(groups)} different values: more than {MOST_GROUPS} "
                "look like ids of parts or people, and are not compared"
            ),
        )
    tests = len(rates) * looks
    return Parity(name, {r: table(groups, c, tests) for r, c in rates.items()})


def _shown(value: float, rate: Rate) -> str:
    return f"{value:.2g}" if rate is Rate.WEEKLY else f"{100 * value:.3g} %"
