"""Asks a registry what it wants here, and reports what is here. Blocks: a worker's.

One call a model and poll while nothing changes. When the registry does not answer, what
is known stays: silence is a status, never a reason to stop; it is asked ever less.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.records import EventRecord
from edge_agent.registry.choosing import Reference, choose
from edge_agent.registry.patience import LONGEST, Patience
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.clock import Clock
    from edge_agent.registry.listing import Gateway, Listing, Offer, Report
    from edge_agent.registry.registry import Registry

log = structlog.get_logger()

#: Ns after which an unchanged state is reported again: silence must mean something.
REPORT_EVERY = 3600 * NANOSECONDS
#: Models in a row that fail before the rest is left for the next poll: one alone may be
#: its own fault, as where the user may not read it.
_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll brought.

    Attributes:
        listings: of the models that there are.
        offers: the versions chosen, by model and id.
        missing: why a model, or a version of it, cannot be had, by model and id (empty
            id for the model itself).
        failed: why the registry did not answer, for one model at least; empty when it
            did.
        retry_after: seconds that it asks to be left alone for, where it says so.
    """

    listings: Mapping[str, Listing] = field(default_factory=dict)
    offers: Mapping[tuple[str, str], Offer] = field(default_factory=dict)
    missing: Mapping[tuple[str, str], str] = field(default_factory=dict)
    failed: str = ""
    retry_after: float | None = None


class Inquiry:
    """The link to one registry.

    Args:
        registry: it.
        gateway: who asks.
        clock: agent time.
        poll: seconds between two polls.
        stale_after: seconds without an answer after which the status says so.
    """

    def __init__(
        self,
        registry: Registry,
        gateway: Gateway,
        clock: Clock,
        *,
        poll: float,
        stale_after: float,
    ) -> None:
        self.gateway = gateway
        self._registry = registry
        self._clock = clock
        self._poll = poll
        self._stale_after = stale_after
        self._offers: dict[tuple[str, str], tuple[str, Offer]] = {}
        self._answered = clock.now()
        self._failed = ""
        self._stale = False
        self._reported: tuple[object, int] | None = None
        self._report_failed = ""
        self._polls, self._reports = Patience(), Patience()
        self._report_from = clock.now()

    def pause(self) -> int:
        """Ns between two polls that are answered."""
        return self._pause(Patience())

    def respite(self) -> int:
        """Ns for which the registry is left alone after a poll that failed."""
        return self._pause(self._polls)

    def _pause(self, patience: Patience) -> int:
        # nothing secret: gateways must only not all come at once
        share = random.uniform(-1, 1)  # noqa: S311
        # a stick that is put back must not be waited for
        return patience.pause(self._poll, share, LONGEST if self._remote else 1.0)

    def ask(self, wanted: Iterable[Reference]) -> Answer:
        """What the registry says of the models, and the versions chosen for us.

        Args:
            wanted: what the pipelines name.
        """
        listings: dict[str, Listing] = {}
        offers: dict[tuple[str, str], Offer] = {}
        missing: dict[tuple[str, str], str] = {}
        first: RegistryUnavailable | None = None
        failures = 0
        for reference in wanted:
            try:
                self._ask_one(reference, listings, offers, missing)
                failures = 0
            except RegistryUnavailable as why:
                first, failures = first or why, failures + 1
                if failures == _FAILURES or why.retry_after:
                    break
        if first is None:
            held = self._offers.items()
            self._offers = {key: known for key, known in held if key in offers}
            return Answer(listings, offers, missing)
        return Answer(listings, offers, missing, str(first), first.retry_after)

    def _ask_one(
        self,
        reference: Reference,
        listings: dict[str, Listing],
        offers: dict[tuple[str, str], Offer],
        missing: dict[tuple[str, str], str],
    ) -> None:
        name = reference.name
        if name not in listings and (name, "") not in missing:
            try:
                listings[name] = self._registry.listing(name)
            except ModelRejected as why:
                missing[name, ""] = str(why)
        if name not in listings:
            return
        choice = choose(listings[name], reference, self.gateway)
        for version in (choice.version, choice.challenger):
            if version and (name, version) not in offers:
                try:
                    offer = self._offer(listings[name], version)
                except ModelRejected as why:
                    missing[name, version] = str(why)
                    continue
                # a version named by its passport's number is known only now
                halt = listings[name].halted.get(offer.version)
                if halt is None:
                    offers[name, version] = offer
                else:
                    missing[name, version] = f"{name}@{version} is halted: {halt}"

    def _offer(self, listing: Listing, version: str) -> Offer:
        """The offer; asked for again only when the model's listing has changed."""
        key = (listing.name, version)
        known = self._offers.get(key)
        if known is not None and known[0] == listing.fingerprint and self._remote:
            return known[1]
        offer = self._registry.offer(listing.name, version)
        self._offers[key] = (listing.fingerprint, offer)
        return offer

    @property
    def _remote(self) -> bool:
        """A call costs the server something; a folder is looked at anew each time."""
        return self._registry.status().get("type") != "directory"

    def heard(self, answer: Answer) -> list[EventRecord]:
        """Note an answer; events where the link's state changed."""
        now, where = self._clock.now(), str(self._registry.status().get("where", ""))
        before = Patience() if answer.listings or answer.missing else self._polls
        self._polls = before.failed(answer.retry_after) if answer.failed else Patience()
        events = []
        if answer.failed and not self._failed:
            log.warning("registry lost", where=where, why=answer.failed)
            events.append(EventRecord(now, "registry lost", where, answer.failed))
        if not answer.failed:
            if self._failed:
                log.info("registry is back", where=where)
                events.append(EventRecord(now, "registry is back", where, "it answers"))
            self._answered, self._stale = now, False
        self._failed = answer.failed
        silent = (now - self._answered) / NANOSECONDS
        if silent > self._stale_after and not self._stale:
            self._stale = True
            days = silent / 86_400
            said = f"no answer for {days:.1f} days: newer models cannot be known of"
            log.warning("registry silent", where=where, days=round(days, 1))
            events.append(EventRecord(now, "registry silent", where, said))
        return events

    def report(self, report: Report) -> None:
        """Show the centre our state, when it changed or an hour has passed."""
        now, state = self._clock.now(), report.news
        if self._reported is not None:
            before, at = self._reported
            if before == state and now - at < REPORT_EVERY:
                return
        try:
            self._registry.report(report)
        except (RegistryUnavailable, ModelRejected) as why:
            if str(why) != self._report_failed:
                log.warning("state not reported", why=str(why))
            self._report_failed = str(why)
            asked = why.retry_after if isinstance(why, RegistryUnavailable) else None
            self._reports = self._reports.failed(asked)
            self._report_from = self._clock.now() + self._pause(self._reports)
            return
        self._reported, self._report_failed = (state, now), ""
        self._reports = Patience()

    def due(self, state: object) -> bool:
        """Whether a report would say something new, and may be tried now."""
        if self._clock.now() < self._report_from:
            return False
        if self._reported is None:
            return True
        before, at = self._reported
        return before != state or self._clock.now() - at >= REPORT_EVERY

    def status(self) -> dict[str, object]:
        """For `edge-agent status`."""
        silent = (self._clock.now() - self._answered) / NANOSECONDS
        state = "stale" if self._stale else "lost" if self._failed else "up"
        return {
            **self._registry.status(),
            "state": state,
            "answered_s_ago": round(silent, 1),
            "last_error": self._failed,
            "report_error": self._report_failed,
        }
