"""How many alarms other thresholds would have given, of one version. Pure.

Kept by days, so that old ones can go; peaks of alarms that ended are kept beside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.monitoring.exceedances import Candidates, Exceedances, Levels, advance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.alarms import Limits, Rows
    from edge_agent.labels.operators import Judged
    from edge_agent.monitoring.exceedances import Ended
    from edge_agent.samples import F64

#: Days that are counted, and peaks that are kept.
DAYS, PEAKS = 28, 4_000
_DAY = 86_400_000_000_000


@dataclass(slots=True)
class Seen:
    """One version at one pipeline.

    Attributes:
        digest: of the version.
        assets: ids by position.
        base, at_most: what the candidates are made of.
        began: agent time of the first row, ns.
    """

    digest: str
    assets: tuple[str, ...]
    base: float
    at_most: float
    began: int = 0
    candidates: Candidates = field(init=False)
    _levels: Levels = field(init=False)
    _days: dict[int, Exceedances] = field(default_factory=dict)
    _ended: list[tuple[int, int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.candidates = Candidates.around(self.base, self.at_most)
        self._levels = Levels.fresh(len(self.assets), self.candidates)

    @property
    def since(self) -> int:
        """Agent time from which on everything was counted, ns."""
        return max(min(self._days, default=0) * _DAY, self.began)

    def take(self, rows: Rows, limits: Limits) -> None:
        """Count rows that a verdict was given on, in order of time."""
        if not len(rows.at):
            return
        self.began = self.began or int(rows.at.min())
        live = self.candidates.place(limits.threshold)
        self._levels, more, ended = advance(
            self._levels, rows, limits, self.candidates, live
        )
        day = int(rows.at.max()) // _DAY
        none = Exceedances.none(self.candidates)
        self._days[day] = self._days.get(day, none).plus(more)
        for old in [d for d in self._days if d <= day - DAYS]:
            del self._days[old]
        self._note(ended)

    def _note(self, ended: Ended) -> None:
        columns = (ended.asset, ended.at, ended.peak)
        self._ended += zip(*(c.tolist() for c in columns), strict=True)
        del self._ended[:-PEAKS]

    def exceedances(self, since: int = 0) -> Exceedances:
        """Counted from a day on."""
        total = Exceedances.none(self.candidates)
        for day, each in self._days.items():
            if day >= since // _DAY:
                total = total.plus(each)
        return total

    def peaks_of(self, judged: Judged) -> F64:
        """float64[n] the highest threshold at which each alarm would have come too."""
        of: dict[int, list[tuple[int, float]]] = {}
        for asset, at, peak in self._ended:
            of.setdefault(asset, []).append((at, peak))
        found = np.full(len(judged.since), np.nan)
        columns = (judged.asset, judged.since, judged.until)
        rows = zip(*(c.tolist() for c in columns), strict=True)
        for place, (asset, since, until) in enumerate(rows):
            tops = [
                p
                for at, p in of.get(asset, ())
                if since <= at and (not until or at <= until)
            ]
            if not until and 0 <= asset < len(self.assets):
                stands = int(self._levels.peak[asset])
                if stands:
                    tops.append(float(self.candidates.thresholds[stands - 1]))
            found[place] = max(tops, default=np.nan)
        return found

    def saved(self) -> dict[str, Any]:
        """For the disk, in plain values."""
        return {
            "digest": self.digest,
            "assets": list(self.assets),
            "base": self.base,
            "at_most": self.at_most,
            "began": self.began,
            "active": self._levels.active.tolist(),
            "peak": self._levels.peak.tolist(),
            "days": {d: (e.alarms.tolist(), e.watched) for d, e in self._days.items()},
            "ended": self._ended,
        }

    @staticmethod
    def restored(kept: Mapping[str, Any], assets: Sequence[str]) -> Seen:
        """From what `saved` gave; delays that ran begin anew.

        Raises:
            ValueError: it is of other assets.
            KeyError: something is missing.
            TypeError: something is of another kind.
        """
        if kept["assets"] != list(assets):
            raise ValueError("it is of other assets")
        names = ("digest", "base", "at_most", "began")
        digest, base, at_most, began = (kept[name] for name in names)
        seen = Seen(digest, tuple(assets), float(base), float(at_most), int(began))
        for name in ("active", "peak"):
            column = np.array(kept[name], np.int64)
            if ((column < 0) | (column > len(seen.candidates))).any():
                raise ValueError(f"{name} is of other thresholds")
            getattr(seen._levels, name)[:] = column
        for day, (alarms, watched) in kept["days"].items():
            arrays = {"alarms": np.array(alarms), "watched": np.array([watched])}
            seen._days[int(day)] = Exceedances.restored(arrays, seen.candidates)
        ended = [(int(a), int(t), float(p)) for a, t, p in kept["ended"]]
        seen._ended = ended[-PEAKS:]
        return seen
