"""Conditions that last become findings: one record when it begins, one when it is over.

A condition is told once ``persist`` looks in a row have seen it, and closed once as
many have not. A look says what it judged: what could not be judged (too few rows, the
machine idle) neither begins nor ends anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge_agent.monitoring.conditions import Condition

    Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Episode:
    """One condition over time.

    Attributes:
        condition: as last seen.
        since: agent time of the first look that saw it, ns.
        seen: looks in a row that saw it, at most as many as it takes.
        unseen: looks in a row that did not, since it was told.
        told: whether its beginning was.
    """

    condition: Condition
    since: int
    seen: int = 1
    unseen: int = 0
    told: bool = False


class Change(NamedTuple):
    """An episode that begins or ends."""

    episode: Episode
    opens: bool


@dataclass(frozen=True, slots=True)
class Episodes:
    """What goes on, by `Condition.key`."""

    running: Mapping[Key, Episode] = field(default_factory=dict)

    def looked(
        self,
        conditions: Iterable[Condition],
        judged: Callable[[Key], bool],
        now: int,
        persist: int,
    ) -> tuple[Episodes, list[Change]]:
        """Behind one look.

        Args:
            conditions: what it saw.
            judged: whether it could have seen a condition of this key.
            now: agent time, ns.
            persist: looks it takes to begin, and to end.
        """
        seen = {condition.key: condition for condition in conditions}
        after, changes = {}, []
        for key, condition in seen.items():
            episode = _going_on(self.running.get(key), condition, now, persist)
            if not episode.told and episode.seen >= persist:
                episode = replace(episode, told=True)
                changes.append(Change(episode, opens=True))
            after[key] = episode
        for key, episode in self.running.items():
            if key in seen:
                continue
            if not judged(key):
                after[key] = episode
            elif episode.told and episode.unseen + 1 < persist:
                after[key] = replace(episode, unseen=episode.unseen + 1)
            elif episode.told:
                changes.append(Change(episode, opens=False))
        return Episodes(after), changes

    def told(self) -> list[Episode]:
        """Those whose beginning was told."""
        return [episode for episode in self.running.values() if episode.told]


def _going_on(
    before: Episode | None, condition: Condition, now: int, persist: int
) -> Episode:
    if before is None:
        return Episode(condition, now)
    seen = min(before.seen + 1, persist)
    return replace(before, condition=condition, seen=seen, unseen=0)
