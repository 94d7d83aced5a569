"""Which findings are open, and what SCADA shows of them. Pure.

A retained message tells of the worst finding that is open at its topic, and how many
there are; one that closes never hides another that is still open. It is made of what is
known when it is sent, not of the record it is sent for: so a backlog cannot move it
back, whatever order records are sent in.

`Diagnoses.note` is called by the journal's threads, as records come, and the rest on
the event loop; both only make calls that the interpreter does not interrupt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge_agent.records import FindingRecord, FindingState
from edge_agent.sinks.happenings import finding_payload
from edge_agent.sinks.topics import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.sinks.sink import Frame
    from edge_agent.sinks.topics import Place
    from edge_agent.store.outbox import Stored

#: Episodes remembered as over: an opening told behind its own closing opens nothing.
_OVER = 10_000


class Diagnoses:
    """The findings of one gateway.

    Args:
        place: where the gateway stands.
        known: those open at the start, see `store.work.Recovered`.
    """

    def __init__(self, place: Place, known: Iterable[Stored] = ()) -> None:
        self._place = place
        self._open: dict[str, dict[str, Stored]] = {}
        self._closed: dict[str, Stored] = {}
        self._over: dict[str, None] = {}
        for stored in known:
            self.note(stored)

    def note(self, stored: Stored) -> None:
        """A finding began or ended; any other record is none."""
        record = stored.record
        if not isinstance(record, FindingRecord):
            return
        topic = self._topic(record)
        here = self._open.setdefault(topic, {})
        # each side first leaves its mark, then looks for the other's
        if record.state is FindingState.OPEN:
            here[record.id] = stored
            if record.id in self._over:
                here.pop(record.id, None)
            return
        self._over[record.id] = None
        here.pop(record.id, None)
        newest = self._closed.get(topic)
        if newest is None or newest.id < stored.id:
            self._closed[topic] = stored

    def frame(self, stored: Stored, record: FindingRecord, *, old: bool) -> Frame:
        """What is so at the topic of a finding.

        Args:
            stored: the finding that is sent.
            record: the same.
            old: it could not be sent when it was made.
        """
        if record.state is FindingState.CLOSED:
            self.note(stored)
        for key in list(self._over)[:-_OVER]:
            self._over.pop(key, None)
        return self._frame(self._topic(record), stored, old=old)

    def frames(self) -> list[Frame]:
        """What is so at every topic: for a broker that forgot."""
        known = dict(self._closed)
        for topic, here in list(self._open.items()):
            known.update((topic, stored) for stored in list(here.values()))
        return [self._frame(*one, old=False) for one in sorted(known.items())]

    def _frame(self, topic: str, instead: Stored, *, old: bool) -> Frame:
        """The worst that is open, else the newest that is over, else the given one."""
        here = list(self._open.get(topic, {}).values())
        count = len(here)
        if here:
            shown = max(here, key=_weight)
        else:
            shown = self._closed.get(topic, instead)
            count = int(_record(shown).state)
        late = old and shown.id == instead.id
        payload = finding_payload(
            shown, _record(shown), self._place.gateway, count, old=late
        )
        return topic.encode(), payload, 1, True

    def _topic(self, record: FindingRecord) -> str:
        """A leaf that is never a folder, and no pipeline's."""
        place = self._place
        if record.pipeline and record.asset:
            return f"{place.of_pipeline(record.asset, record.pipeline)}/diagnostic"
        if record.pipeline:
            return f"{place.of_agent()}/diagnostics/{clean(record.pipeline)}"
        if record.asset:
            return f"{place.prefix}/{clean(record.asset)}/sensors/diagnostic"
        return f"{place.of_agent()}/sensors"


def _weight(stored: Stored) -> tuple[float, int]:
    strength = _record(stored).strength
    return (0.0 if math.isnan(strength) else strength, -stored.id)


def _record(stored: Stored) -> FindingRecord:
    assert isinstance(stored.record, FindingRecord)  # noqa: S101 - only those are noted
    return stored.record
