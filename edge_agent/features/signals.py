"""The newest values of state, recipe and product tags of every asset.

Each column (asset and role) has its last changes in a small ring, newest first. What
is heard goes in as it arrives: a sample whose stamp is not newer than the newest of
its tag changes nothing (`late` counts those that are older). BAD, or a value that is
none, makes the tag unknown; when it comes back with the value it had, it has had it
all along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.heard import Heard, Held, in_order
from edge_agent.features.window import NEVER
from edge_agent.features.words import MAX_WORDS, UNKNOWN, Words
from edge_agent.samples import Quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.features.arrivals import Arrivals
    from edge_agent.features.window import Mask
    from edge_agent.samples import F64, I64, AssetType, SampleBatch

_DEPTH = 16
_BAD = np.uint8(Quality.BAD)


class Signals:
    """The rings.

    Args:
        kind: the asset type.
        roles: int64[r] positions of the roles.
        running: of each role, the values in which the machine runs; None for a role
            that makes contexts (what it is begins anew with every value).

    Attributes:
        words: of each role.
        opens: bool[r, codes] values in which the machine runs.
        seen: int64[columns] newest stamp; column = asset * roles + role.
        late: samples older than the newest of their tag, so far.
    """

    def __init__(
        self,
        kind: AssetType,
        roles: I64,
        running: Sequence[Sequence[str] | None],
    ) -> None:
        self.roles = len(roles)
        self.words = [Words() for _ in running]
        self.opens = np.ones((self.roles, MAX_WORDS + 2), bool)
        for place, values in enumerate(running):
            if values is not None:
                self.opens[place] = False
                self.opens[place, [self.words[place][text] for text in values]] = True
        self._gate = np.array([values is not None for values in running], bool)
        self._text = [kind.tags[role].text for role in roles.tolist()]
        self._place = np.full(len(kind.tags), -1, np.int64)
        self._place[roles] = np.arange(self.roles)
        columns = len(kind.assets) * self.roles
        self._times = np.full((columns, _DEPTH), NEVER, np.int64)
        self._codes = np.zeros((columns, _DEPTH), np.int64)
        self._since = np.full((columns, _DEPTH), NEVER, np.int64)
        self._begun = np.full((columns, _DEPTH), NEVER, np.int64)
        self.seen: I64 = np.full(columns, NEVER, np.int64)
        # the last value that was known, whatever came after it
        self.known: I64 = np.zeros(columns, np.int64)
        self.known_since: I64 = np.full(columns, NEVER, np.int64)
        self.known_begun: I64 = np.full(columns, NEVER, np.int64)
        self._raw: F64 = np.full(columns, np.nan)
        self._order: I64 = np.zeros(columns, np.int64)
        self.late = 0

    def heard(self, arrivals: Arrivals) -> Heard | None:
        """The values among a turn's samples that are newer than what was there.

        Most of them say again what is known; see `changes`.
        """
        if not self.roles:
            return None
        place = self._place[arrivals.role]
        mine = np.flatnonzero(place >= 0)
        if not len(mine):
            return None
        place = place[mine]
        column = arrivals.asset[mine] * self.roles + place
        code = self._coded(arrivals.batch, mine, place, column)
        time, raw = arrivals.time[mine], arrivals.batch.value[mine]
        found = Heard(mine, column, time, code, raw)
        newer = self._newer(found)
        return found if newer is None else found.take(newer)

    def changes(self, heard: Heard) -> Heard:
        """Those that say something else than the one before."""
        before = self._codes[heard.column, 0]
        if self._once(heard.column):
            return heard.take(np.flatnonzero(heard.code != before))
        order = np.argsort(heard.column, kind="stable")
        code, column = heard.code[order], heard.column[order]
        same = column[1:] == column[:-1]
        before = before[order]
        before[1:][same] = code[:-1][same]
        return heard.take(np.sort(order[code != before]))

    def note(self, heard: Heard) -> None:
        """Enter values of different columns."""
        column, time, code = heard.column, heard.time, heard.code
        self.seen[column] = time
        new = code != self._codes[column, 0]
        column, time, code = column[new], time[new], code[new]
        place, last = column % self.roles, self.known[column]
        again, there = code == last, last != UNKNOWN
        since = np.where(again & there, self.known_since[column], time)
        opens = self.opens[place, code] == self.opens[place, last]
        alike = there & opens & self._gate[place]
        begun = np.where(alike, self.known_begun[column], time)
        for ring, value in (
            (self._times, time),
            (self._codes, code),
            (self._since, since),
            (self._begun, begun),
        ):
            ring[column, 1:] = ring[column, :-1]
            ring[column, 0] = value
        real = code != UNKNOWN
        known = column[real]
        self.known[known], self._raw[known] = code[real], heard.raw[new][real]
        self.known_since[known], self.known_begun[known] = since[real], begun[real]

    def confirm(self, heard: Heard) -> None:
        """Note only that values came; of one column the last is the newest."""
        self.seen[heard.column] = heard.time

    def newest(self, asset: I64) -> Held:
        """What the roles of some assets are now."""
        column = self.columns(asset)
        rings = (self._codes, self._times, self._since, self._begun)
        return Held(*(ring[column, 0] for ring in rings))

    def held(self, asset: I64, at: I64) -> Held:
        """What the roles of n assets were at n times, as far as the rings reach."""
        column, moment = self.columns(asset), at[:, None]
        past = self._times[column] <= moment[:, :, None]
        place = past.argmax(axis=2)
        reached = past.any(axis=2)
        rings = (self._codes, self._times, self._since, self._begun)
        code, time, since, begun = (ring[column, place] for ring in rings)
        never = np.int64(NEVER)
        return Held(
            np.where(reached, code, UNKNOWN),
            np.where(reached, time, never),
            since,
            begun,
        )

    def opened(self, held: Held) -> Mask:
        """bool[n, roles] the machine runs in what a role is; true without a gate."""
        found: Mask = self.opens[np.arange(self.roles), held.code]
        return found

    def columns(self, asset: I64) -> I64:
        """int64[n, roles] columns of n assets."""
        columns: I64 = asset[:, None] * self.roles + np.arange(self.roles)
        return columns

    def saved(self) -> dict[str, I64]:
        """What must survive a restart: arrays over the columns, by name."""
        rings = {name: ring[:, 0].copy() for name, ring in self._rings().items()}
        return rings | {name: kept.copy() for name, kept in self._kept().items()}

    def restore(self, column: I64, saved: Mapping[str, I64]) -> None:
        """Go on with the newest values of some columns.

        Args:
            column: int64[m] different ones.
            saved: what `saved` gave, int64[m] each.

        Raises:
            KeyError: an array is missing.
        """
        for name, ring in self._rings().items():
            ring[column, 0] = saved[name]
        for name, kept in self._kept().items():
            kept[column] = saved[name]
        self.seen[column] = saved["time"]

    def _rings(self) -> dict[str, I64]:
        return {
            "code": self._codes,
            "time": self._times,
            "since": self._since,
            "begun": self._begun,
        }

    def _kept(self) -> dict[str, I64]:
        return {
            "known": self.known,
            "known_since": self.known_since,
            "known_begun": self.known_begun,
        }

    def _once(self, column: I64) -> bool:
        """Whether each column comes at most once."""
        order = np.arange(len(column))
        self._order[column] = order
        first = np.count_nonzero(self._order[column] == order)
        return bool(first == len(column))

    def _newer(self, heard: Heard) -> I64 | None:
        """Positions of those newer than what came before; None for all."""
        column, time = heard.column, heard.time
        seen = self.seen[column]
        if not self._once(column):
            newer, late = in_order(column, time, seen)
            self.late += late
            return newer
        fresh = time > seen
        if np.count_nonzero(fresh) == len(fresh):
            return None
        self.late += int(np.count_nonzero(time < seen))
        return np.flatnonzero(fresh)

    def _coded(self, batch: SampleBatch, mine: I64, place: I64, column: I64) -> I64:
        """Codes of samples' values; 0 for none and for a BAD one."""
        value = batch.value[mine]
        code = np.zeros(len(mine), np.int64)
        good = np.isfinite(value) & (batch.quality[mine] < _BAD)
        for role, words in enumerate(self.words):
            which = np.flatnonzero(good & (place == role))
            if not len(which):
                continue
            if self._text[role]:
                texts = batch.texts
                said = [texts[k] for k in value[which].astype(np.int64).tolist()]
                code[which] = list(map(words.__getitem__, said))
            else:
                code[which] = self._numbered(words, value[which], column[which])
        return code

    def _numbered(self, words: Words, value: F64, column: I64) -> I64:
        code = self.known[column]
        other = np.flatnonzero(value != self._raw[column])
        if len(other):
            distinct, first, place = np.unique(
                value[other], return_index=True, return_inverse=True
            )
            found = np.zeros(len(distinct), np.int64)
            for one in np.argsort(first).tolist():  # words are met as they came
                found[one] = words.number(float(distinct[one]))
            code[other] = found[place]
        return code
