"""In which recipe, product, shift and machine state every row was made.

A row's context is a number: a position in a list of names (``recipeA/early``) that
grows as contexts are met, up to `naming.MAX_NAMES`; those beyond are ``other``. Rows
that are not to be judged are `GATED`, and `gates.Gates` says why: the first of

* a gate says that the machine does not run;
* a state or recipe tag is unknown, BAD, or silent for longer than its ``max_age``;
* the machine began to run, or its context changed, less than the warm-up ago (a
  shift that begins warms up nothing).

Like the window it is a function of the stream alone: a row sees of each tag the newest
value with a stamp not after its own, of those that had arrived when it closed. So a
part's context is the one it ended in, whatever the next part's recipe was by the time
its results came. The usual row costs two look-ups by its asset: what an asset's newest
values mean is found out when they change, and holds from a moment on (``_settled``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.features.ages import FOREVER, Ages
from edge_agent.features.gates import Gates, Rule, Why
from edge_agent.features.naming import Names
from edge_agent.features.recalling import Saved, recall
from edge_agent.features.shifts import Shifts, utc
from edge_agent.features.signals import Signals
from edge_agent.features.telling import Teller
from edge_agent.features.window import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.arrivals import Arrivals
    from edge_agent.features.heard import Heard
    from edge_agent.features.shifts import Offset
    from edge_agent.features.triggers import Due
    from edge_agent.features.window import Mask
    from edge_agent.samples import I32, I64, AssetType

GATED = -1
_UNNAMED = -2
_JUDGED, _WARMING = np.uint8(Why.JUDGED), np.uint8(Why.WARMING_UP)


@dataclass(frozen=True, slots=True)
class ContextSpec:
    """What makes contexts; the operator's `context` section.

    Attributes:
        running: role of a state tag, and the values in which the machine runs.
        by: roles whose values make the context, four at most.
        warm_up: ns.
        shifts: name, first minute of the day, minute behind the last.
    """

    running: tuple[tuple[str, tuple[str, ...]], ...] = ()
    by: tuple[str, ...] = ()
    warm_up: int = 0
    shifts: tuple[tuple[str, int, int], ...] = ()

    def __bool__(self) -> bool:
        """Whether it asks for anything."""
        return bool(self.running or self.by or self.shifts)


class Contexts:
    """The contexts of one pipeline's rows.

    Args:
        kind: the asset type.
        spec: what makes them.
        offset: from UTC to local time.
        held: bool[columns of the window] tags that report changes only.

    Raises:
        KeyError: a role that the asset type lacks.
    """

    def __init__(
        self,
        kind: AssetType,
        spec: ContextSpec,
        offset: Offset = utc,
        held: Mask | None = None,
    ) -> None:
        running = dict(spec.running)
        self.roles = tuple(dict.fromkeys([*running, *spec.by]))
        self.kind, self.spec = kind, spec
        place = np.array([kind.role_index(role) for role in self.roles], np.int64)
        self._signals = Signals(kind, place, [running.get(r) for r in self.roles])
        self._teller = Teller(self.roles, self._signals.words, offset)
        anew = np.array([role in spec.by for role in self.roles], bool)
        self._rule = Rule(len(running), anew, spec.warm_up)
        self._by = np.array([self.roles.index(role) for role in spec.by], np.int64)
        self._shifts = Shifts(spec.shifts, offset) if spec.shifts else None
        self._names = Names(
            [self._signals.words[i] for i in self._by],
            self._shifts.names if self._shifts is not None else (),
        )
        assets = len(kind.assets)
        self._ages = Ages(kind, place, held)
        self._shift = 0
        self._key: I64 = np.zeros(assets, np.int64)
        self._index: I32 = np.full(assets, _UNNAMED, np.int32)
        self._settled: I64 = np.full(assets, NEVER, np.int64)
        self._expires: I64 = np.full(assets, FOREVER, np.int64)
        self._gate = Gates.of(assets)
        self._refresh(np.arange(assets))

    @property
    def names(self) -> Sequence[str]:
        """Names of the contexts by number; only ever appended to."""
        return self._names.known

    @property
    def beyond(self) -> int:
        """Contexts and values so far that found no room and count as ``other``."""
        return self._names.beyond + sum(w.beyond for w in self._signals.words)

    @property
    def late(self) -> int:
        """Values so far that were older than the newest of their tag."""
        return self._signals.late

    def saved(self) -> Saved:
        """What must survive a restart."""
        words = tuple(tuple(one.texts) for one in self._signals.words)
        columns = self._signals.saved()
        names = tuple(self.names)
        return Saved(self.kind.assets, self.roles, words, names, columns)

    def restore(self, saved: Saved, latest: int) -> None:
        """Go on with the values and names of before a restart.

        Args:
            saved: of these contexts, or of those of an earlier configuration.
            latest: stamps beyond it are of another time axis and are not taken.

        Raises:
            ValueError: it does not fit together.
        """
        recall(saved, self._signals, self.kind.assets, self.roles, latest)
        if saved.roles == self.roles:
            self._names.restore(saved.names)
        self._refresh(np.arange(len(self.kind.assets)))

    def told(self, arrivals: Arrivals, due: Due, vouched: I64 | None = None) -> Due:
        """A turn's due rows with their contexts.

        Args:
            arrivals: the turn's samples.
            due: rows; which of the arrivals each sees is theirs to say.
            vouched: int64[columns of the window] when the source of each was last seen
                alive; None vouches for all of them.
        """
        heard = self._signals.heard(arrivals)
        events = None if heard is None else self._signals.changes(heard)
        if heard is not None and self._ages.bounded and self._silent(heard, due):
            events = heard  # here it counts that a value came, too
        if events is None or not len(events):
            found = self._rows(due.asset, due.at, vouched) if len(due) else None
        else:
            found = self._in_rounds(events, len(arrivals) + 1, due, vouched)
        if heard is not None:
            self._signals.confirm(heard)
            if self._ages.bounded:
                again = np.unique(heard.column // len(self.roles))
                self._expires[again] = self._ages.expiry(self._signals, again)
        if found is None:
            return due
        return replace(due, context=found[0], gates=found[1])

    def sentences(self, found: Gates, at: I64) -> list[str]:
        """Why rows are not judged, for a technician; empty for one that is.

        Args:
            found: of n rows.
            at: int64[n] their times.
        """
        return self._teller.sentences(found, at)

    # --- rows -------------------------------------------------------------------

    def _in_rounds(
        self, events: Heard, radix: int, due: Due, vouched: I64 | None
    ) -> tuple[I32, Gates | None] | None:
        """Each row between the values it saw and those it did not."""
        key = events.column // len(self.roles) * radix + events.sample
        order = np.argsort(key, kind="stable")
        events, key = events.take(order), key[order]
        asset = events.column // len(self.roles)
        rank = np.arange(len(events)) - np.searchsorted(key, asset * radix)
        mine = due.asset.astype(np.int64) * radix
        before = np.searchsorted(key, mine + due.seen) - np.searchsorted(key, mine)
        context, found = np.zeros(len(due), np.int32), Gates.of(len(due))
        for number in range(int(rank.max()) + 2):
            rows = np.flatnonzero(before == number)
            if len(rows):
                each = self._rows(due.asset[rows], due.at[rows], vouched)
                context[rows] = each[0]
                if each[1] is not None:
                    found.put(rows, each[1])
            now = np.flatnonzero(rank == number)
            if len(now):
                self._signals.note(events.take(now))
                self._refresh(asset[now])
        if not len(due):
            return None
        return context, found if np.count_nonzero(found.why) else None

    def _rows(
        self, asset: I32, at: I64, vouched: I64 | None
    ) -> tuple[I32, Gates | None]:
        """Contexts of n rows, by all that is known now."""
        shift = 0 if self._shifts is None else self._shifts.of(at)
        if not isinstance(shift, int):
            context, found = self._looked_up(asset, at, shift, vouched)
            return context, found if np.count_nonzero(found.why) else None
        if shift != self._shift:
            self._shift = shift
            self._index[self._index != GATED] = _UNNAMED
        unsettled = at < self._settled[asset]
        if self._ages.bounded:
            unsettled |= at > self._expires[asset]
        if not np.count_nonzero(unsettled):
            return self._usual(asset)
        context, found = np.zeros(len(asset), np.int32), Gates.of(len(asset))
        odd, rest = np.flatnonzero(unsettled), np.flatnonzero(~unsettled)
        context[odd], part = self._looked_up(asset[odd], at[odd], shift, vouched)
        found.put(odd, part)
        context[rest], other = self._usual(asset[rest])
        if other is not None:
            found.put(rest, other)
        return context, found if np.count_nonzero(found.why) else None

    def _usual(self, asset: I32) -> tuple[I32, Gates | None]:
        """Contexts of rows that the newest values decide."""
        context: I32 = self._index[asset]
        low = context.min(initial=0)
        if low == _UNNAMED:
            fresh = np.unique(asset[context == _UNNAMED])
            self._index[fresh] = self._names.numbers(self._key[fresh], self._shift)
            context = self._index[asset]
            low = context.min(initial=0)
        if low == GATED:
            return context, self._gate.take(asset.astype(np.int64))
        return context, None

    def _looked_up(
        self, asset: I32, at: I64, shift: int | I64, vouched: I64 | None
    ) -> tuple[I32, Gates]:
        """Contexts of rows that earlier values decide, or how old they are."""
        wide = asset.astype(np.int64)
        held = self._signals.held(wide, at)
        stale = self._ages.stale(self._signals, wide, at, vouched)
        found = self._rule.judged(held, self._signals.opened(held), at, stale)
        context = np.full(len(asset), GATED, np.int32)
        judged = np.flatnonzero(found.why == _JUDGED)
        if len(judged):
            key = self._names.keys(held.code[judged][:, self._by])
            number = shift if isinstance(shift, int) else shift[judged]
            context[judged] = self._names.numbers(key, number)
        return context, found

    def _silent(self, heard: Heard, due: Due) -> bool:
        """Whether some row may be stale by what it saw, though not by this turn."""
        if np.count_nonzero(self._signals.seen[heard.column] == NEVER):
            return True
        return bool(np.count_nonzero(due.at > self._expires[due.asset]))

    # --- what newest values mean ---------------------------------------------------

    def _refresh(self, asset: I64) -> None:
        """Work out what the newest values of some assets mean, and from when on."""
        held = self._signals.newest(asset)
        newest = held.time.max(axis=1, initial=NEVER)
        found = self._rule.judged(held, self._signals.opened(held), newest, None)
        warming = found.why == _WARMING
        self._settled[asset] = np.where(warming, found.until, newest)
        found.why[warming] = _JUDGED
        self._key[asset] = self._names.keys(held.code[:, self._by])
        self._index[asset] = np.where(found.why == _JUDGED, _UNNAMED, GATED)
        self._gate.put(asset, found)
        if self._ages.bounded:
            self._expires[asset] = self._ages.expiry(self._signals, asset)
