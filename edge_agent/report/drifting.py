"""Kept drift rows, added up exactly and held against the reference. Pure.

Of each pipeline, context and version all rows of the span are one stretch: its shares
and distances are what counting its rows at once would have given. A column has drifted
when that stretch says so, or its newest days one by one, or a finding that is open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.dates import date_of
from edge_agent.monitoring.conditions import What
from edge_agent.monitoring.drift.verdicts import (
    Stretch,
    Unjudged,
    alpha_of,
    looked,
)
from edge_agent.monitoring.statistics.answers import of_tallies
from edge_agent.report.adding import (
    Key,
    Sum,
    begin_of,
    by_day,
    key_of,
    paces,
    tallies_of,
    whole,
)
from edge_agent.report.columns import WHY, alone, column
from edge_agent.report.document import Column, Day, Drift
from edge_agent.report.spans import name_of
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edge_agent.monitoring.drift.verdicts import Look
    from edge_agent.monitoring.drift.yardstick import Profile, Yardstick
    from edge_agent.monitoring.tallies import Tallies
    from edge_agent.report.spans import Span
    from edge_agent.samples import F64
    from edge_agent.store.blocks import Block
    from edge_agent.store.drifts import Drift as Row
    from edge_agent.store.findings import Finding


#: Stretches of which a report tells, those that moved most; and day by day.
MOST, MOST_DAILY = 400, 60
#: Days in a row at the end that must all be beyond the limit.
_LATELY = 3
_STEP = 10
_DRIFTS = (What.INPUT_DRIFT.value, What.SCORE_DRIFT.value)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a pipeline's columns are judged by.

    Attributes:
        findings: of drift that may be false, a month.
        assets: how many make its rows.
    """

    findings: float = 1.0
    assets: int = 1


class Found(NamedTuple):
    """Drift of all pipelines.

    Attributes:
        drift: those that moved most first.
        left_out: stretches that are not in it.
        damaged: rows that could not be read.
        seen: when each pipeline's first row was made, ns of the wall clock.
    """

    drift: tuple[Drift, ...]
    left_out: int
    damaged: int
    seen: Mapping[str, int]


def drifts(
    rows: Iterable[Row],
    yardsticks: Callable[[str], tuple[Yardstick | None, str]],
    settings: Mapping[str, Setting],
    findings: Sequence[Finding],
    span: Span,
    told: Callable[[int, int], None] = lambda _, __: None,
) -> Found:
    """Drift by pipeline, context and version.

    Args:
        rows: of one model, in any order.
        yardsticks: by digest of the bundle; or why there is none.
        settings: by pipeline.
        findings: newest transition of each, of the span.
        span: of the report.
        told: is told how many of how many stretches are done.
    """
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of(row), []).append(row)
    pace = paces(groups)
    made, damaged = [], 0
    for done, (key, some) in enumerate(groups.items()):
        if done % _STEP == 0:
            told(done, len(groups))
        days, bad = by_day(some)
        damaged += bad
        if days:
            one = _Stretch(key, settings.get(key.pipeline, Setting()), pace)
            drift = one.drift(days, *yardsticks(key.digest), findings)
            made.append((drift, one, some))
    made.sort(key=lambda each: (-len(each[0].drifted), -each[0].strength, each[1].key))
    drawn = [
        replace(drift, days=span.days(one.daily(by_day(some)[0], yardsticks)))
        for drift, one, some in made[:MOST_DAILY]
    ]
    drawn += [drift for drift, _, _ in made[MOST_DAILY:MOST]]
    return Found(tuple(drawn), max(len(made) - MOST, 0), damaged, _seen(groups))


def _seen(groups: Mapping[Key, Sequence[Row]]) -> dict[str, int]:
    """When each pipeline's first row was made."""
    found: dict[str, int] = {}
    for key, some in groups.items():
        first = min(map(begin_of, some))
        found[key.pipeline] = min(found.get(key.pipeline, first), first)
    return found


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One pipeline, context and version."""

    key: Key
    setting: Setting
    pace: Mapping[str, float]

    def drift(
        self,
        days: Mapping[int, Sum],
        yardstick: Yardstick | None,
        why: str,
        findings: Sequence[Finding],
    ) -> Drift:
        """All of it against the reference."""
        every = whole(days)
        profile, why = _profile(self.key, every.block, yardstick, why)
        if profile is None or yardstick is None:
            columns = alone(every.block, why)
        else:
            columns = self._columns(days, yardstick, profile, findings)
        return Drift(
            *(self.key.pipeline, self.key.context),
            *(date_of(every.since), date_of(every.until)),
            *(every.rows, columns),
            version=self.key.version,
            gated=every.gated,
            reference=why,
        )

    def daily(
        self,
        days: Mapping[int, Sum],
        yardsticks: Callable[[str], tuple[Yardstick | None, str]],
    ) -> dict[int, Day]:
        """The strength of the column that moved most, day by day."""
        yardstick, why = yardsticks(self.key.digest)
        found = {}
        for day, one in days.items():
            profile, _ = _profile(self.key, one.block, yardstick, why)
            if profile is None:
                return {}
            look, _ = self._look(one, profile)
            strength = np.where(look.judged, look.strength, np.nan)
            worst = float(np.nanmax(strength)) if look.judged.any() else None
            found[day] = Day(name_of(day), worst, count=one.rows)
        return found

    def _look(self, one: Sum, profile: Profile) -> tuple[Look, Tallies]:
        live = tallies_of(one, profile.grid)
        seconds = one.rows / max(self.pace.get(self.key.pipeline, 0.0), 1e-9)
        nominal = max((one.until - one.since) / NANOSECONDS, 1.0)
        columns = len(profile.grid.names)
        alpha = alpha_of(self.setting.findings, columns, nominal)
        stretch = Stretch(seconds, max(self.setting.assets, 1), max(one.blocks, 1))
        return looked(profile, live, stretch, alpha), live

    def _columns(
        self,
        days: Mapping[int, Sum],
        yardstick: Yardstick,
        profile: Profile,
        findings: Sequence[Finding],
    ) -> tuple[Column, ...]:
        look, live = self._look(whole(days), profile)
        lately = self._lately(days, profile)
        apart = of_tallies(profile.grid, profile.tallies, live)
        told = _told(self.key, findings)
        return tuple(
            column(
                *(place, yardstick, profile, live, look, apart),
                *(float(lately[place]), told.get(name)),
            )
            for place, name in enumerate(profile.grid.names)
        )

    def _lately(self, days: Mapping[int, Sum], profile: Profile) -> F64:
        """float64[columns], least strength of the newest days: a month dilutes them."""
        newest = sorted(days)[-_LATELY:]
        looks = [self._look(days[day], profile)[0] for day in newest]
        strength = [np.where(look.judged, look.strength, 0.0) for look in looks]
        if len(newest) < _LATELY:
            return np.zeros(len(profile.grid.names))
        found: F64 = np.min(strength, axis=0)
        return found


def _told(key: Key, findings: Sequence[Finding]) -> dict[str, bool]:
    """Columns of which drift was found, and whether it still is so."""
    found: dict[str, bool] = {}
    for one in findings:
        mine = (one.pipeline, one.context) == (key.pipeline, key.context)
        if mine and one.what in _DRIFTS and one.model_version in {"", key.version}:
            found[one.tag] = found.get(one.tag, False) or bool(one.state)
    return found


def _profile(
    key: Key, block: Block, yardstick: Yardstick | None, why: str
) -> tuple[Profile | None, str]:
    """What it is held against, or why nothing is."""
    if yardstick is None:
        return None, why
    grid = yardstick.grid
    same = (grid.baseline_id, grid.names) == (key.baseline, block.columns)
    if not same or not np.array_equal(grid.bins, block.bins):
        return None, "it was counted over other bins than those of the reference"
    profile = yardstick.profile(key.context)
    return profile, "" if profile else WHY[Unjudged.NO_PROFILE]
