"""Whether a model errs or alarms more in some groups or contexts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_agent.evaluation.standing import by_context
from edge_agent.monitoring.accuracy.counting import summed
from edge_agent.monitoring.accuracy.measures import Measures
from edge_agent.monitoring.fairness import Parity, compared, counts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge_agent.evaluation.active import Active
    from edge_agent.evaluation.rows import Converted
    from edge_agent.evaluation.standing import Told
    from edge_agent.monitoring.contrast import Counts, Rate, Table
    from edge_agent.samples import I32


class Compared(NamedTuple):
    """One field's groups, and what they were compared by."""

    parity: Parity
    counts: Mapping[Rate, Counts]
    names: Sequence[str]

    @property
    def judged(self) -> bool:
        """Some rate could be told of at least two groups."""
        return any(len(t.names) > 1 for t in self.parity.tables.values())


def parities(
    found: Converted, told: Told, active: Active, groups: Mapping[str, Sequence[str]]
) -> Iterator[Compared]:
    """Each field of the labels, and the contexts, of the version that scores.

    Args:
        found: labelled rows.
        told: of the versions.
        active: scores now.
        groups: names of each field's groups, by their code + 1.
    """
    if found.active < 0:
        return
    mine = found.rows.version == found.active
    for place, (field, words) in enumerate(groups.items()):
        code = np.where(mine, found.rows.groups[:, place], -1)
        names, code = _present(code.astype(np.int32), words[1:])
        sums = summed(found.rows, code, len(names))
        # how selectively labels come is known of all rows: a group comes with its label
        basis = told.measures.basis[:, found.active]
        measures = Measures.none(len(names))
        measures.basis[:] = basis[:, None]
        yield _compared(field, names, counts_of(sums, measures))
    if found.contexts:
        context = by_context(found, active)
        made = None if found.by_time else found.made[found.active, :-1]
        rates = counts_of(context.sums, context.measures, made)
        yield _compared("context", found.contexts, rates)


def _compared(by: str, names: Sequence[str], rates: dict[Rate, Counts]) -> Compared:
    told = {rate: c for rate, c in rates.items() if (c.evidence > 0).any()}
    return Compared(compared(by, names, told), told, names)


def _present(code: I32, words: Sequence[str]) -> tuple[Sequence[str], I32]:
    """Groups that have rows, and int32[n] codes among them."""
    there = np.unique(code[code >= 0])
    places = np.full(len(words) + 1, -1, np.int32)
    places[there] = np.arange(len(there))
    return [words[k] for k in there.tolist()], places[code]


def entries(pipeline: str, one: Compared) -> list[dict[str, Any]]:
    """A document of each rate of a field."""
    condition = one.parity.condition()
    found = [
        {
            "pipeline": pipeline,
            "by": one.parity.by,
            "rate": rate.value,
            "groups": _groups(table, one.counts[rate], one.names),
            "finding": condition.sentence
            if condition is not None and condition.evidence["rate"] == rate.value
            else "",
        }
        for rate, table in one.parity.tables.items()
    ]
    if one.parity.refused:
        found.append(
            {
                "pipeline": pipeline,
                "by": one.parity.by,
                "rate": "",
                "groups": [],
                "finding": one.parity.refused,
            }
        )
    return found


def _groups(table: Table, counts: Counts, names: Sequence[str]) -> list[dict[str, Any]]:
    sizes = dict(zip(names, counts.size.tolist(), strict=True))
    pooled = sum(sizes[name] for name in table.pooled)
    return [
        {
            "name": name,
            "count": round(sizes.get(name, pooled)),
            **{
                key: None if np.isnan(column[place]) else float(column[place])
                for key, column in (
                    ("rate", table.value),
                    ("low", table.low),
                    ("high", table.high),
                )
            },
        }
        for place, name in enumerate(table.names)
    ]
