"""An OPC UA server as a source of samples."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.config.schema import Security
from edge_agent.errors import ConfigError, SourceLost
from edge_agent.sources.opcua.intake import Gap
from edge_agent.sources.opcua.item import Pace, wanted
from edge_agent.sources.opcua.link import Credentials, opened
from edge_agent.sources.opcua.pki import expiry_warning
from edge_agent.sources.opcua.session import Session, Setting, state_name, subscribed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.plant import Binding
    from edge_agent.config.schema import OpcUaSource as Settings
    from edge_agent.inbox import Inbox
    from edge_agent.instruments import Instruments
    from edge_agent.sources.opcua.items import Items
    from edge_agent.sources.opcua.link import Link
    from edge_agent.sources.opcua.session import Granted

log = structlog.get_logger()

_SHOWN = 50  # parked nodes in `status`
AWAY = "the link was down: what changed meanwhile, and changed again, was not seen"
_SLOWER = 1.01  # a granted interval within a percent is the one asked for


class OpcUaSource:
    """Samples of one OPC UA server; see `sources.source.Source` for the contract.

    Args:
        name: of the source in the configuration.
        index: of the source in the tag table.
        settings: its part of the configuration.
        bindings: the tags it feeds and their node addresses.
        clock: agent time.
        instruments: counters, all labelled with the source's name.
        pki_dir: folder of certificates, see `pki`.
        application_uri: who this gateway is in the world of OPC UA.
        password: of the settings' user.
        pace: how often wanted and actual are compared.
        keepalive: seconds; asked for where the settings say longer. Half of the time
            for which a silent tag's value is used: an idle machine says nothing but
            keep-alives, and by them its values are known to hold.

    Raises:
        ConfigError: an address has none of the known forms.
    """

    def __init__(
        self,
        name: str,
        index: int,
        settings: Settings,
        bindings: Sequence[Binding],
        *,
        clock: Clock,
        instruments: Instruments,
        pki_dir: Path,
        application_uri: str,
        password: str | None,
        pace: Pace | None = None,
        keepalive: float | None = None,
    ) -> None:
        self.name, self.index, self.settings = name, index, settings
        self.bindings = tuple(bindings)
        self._clock, self._instruments = clock, instruments
        self._credentials = Credentials(pki_dir, application_uri, password)
        self._pace = pace or Pace()
        self._keepalive = keepalive
        self._state, self._since = "down", clock.now()
        self._last_error = ""
        self._connects = 0
        self._lost_at: int | None = None
        self._heard_at = 0
        self._session: Session | None = None
        self._told: set[object] = set()
        self._unavailable: set[int] = set()
        try:
            wanted(self.bindings)
        except ValueError as error:
            raise ConfigError(f"source {name}: {error}") from error

    async def run(self, inbox: Inbox) -> None:
        """Connect, subscribe and push samples until cancelled.

        Raises:
            SourceLost: the link failed or went quiet; the text is for the operator.
            ConfigError: our own certificate's files are wrong.
        """
        self._enter("connecting")
        try:
            await self._run(inbox)
        except SourceLost as error:
            self._last_error = str(error)
            raise
        except BaseExceptionGroup as group:
            lost = _lost(group)
            self._last_error = str(lost)
            raise lost from group
        finally:
            if self._session is not None:
                # an attempt that never came up leaves no new gap
                self._lost_at = self._clock.now()
                self._heard_at = self._session.heard_at
                inbox.lost(self.index, self._lost_at)
            self._session = None
            self._enter("down")

    def status(self) -> dict[str, Any]:
        """What a technician wants to know of the link, the server and the nodes."""
        settings, session = self.settings, self._session
        report: dict[str, Any] = {
            "type": "opcua",
            "endpoint": settings.endpoint,
            "security": _security(settings),
            "state": self._state,
            "since": self._since,
            "last_error": self._last_error,
            "connects": self._connects,
            "tags": len(self.bindings),
            "notes": [],
        }
        if session is not None:
            report |= _session_status(session, self._clock)
            report["notes"] += self._rare(session.granted)
        if settings.security is Security.NONE:
            report["notes"].append(
                "security: None: anyone on the network can interfere"
            )
        return report

    async def _run(self, inbox: Inbox) -> None:
        setting = Setting(
            self.name,
            self.index,
            self.settings,
            self.bindings,
            self._clock,
            self._instruments,
            inbox,
            self._pace,
            self._unavailable,
            self._tell_certificate,
            self._gap(),
        )
        async with opened(
            self.name, self.settings, self._credentials, self._clock
        ) as link:
            granted = await subscribed(link, self.settings, self._keepalive)
            self._session = Session(setting, link, granted)
            self._connects += 1
            self._instruments.count("opcua_connects_total", source=self.name)
            self._enter("up")
            self._tell(link, granted)
            self._tell_gap()
            await self._session.run()

    def _gap(self) -> Gap | None:
        if self._lost_at is None:
            return None
        return Gap(self._lost_at, self._clock.now())

    def _tell_gap(self) -> None:
        """A new subscription knows nothing of what changed since the last one."""
        if self._lost_at is not None:
            self._instruments.losses.add(
                "samples", self.name, AWAY, 0, first=self._heard_at
            )

    def _enter(self, state: str) -> None:
        if state != self._state:
            self._state, self._since = state, self._clock.now()

    def _tell(self, link: Link, granted: Granted) -> None:
        """Log what is new about this link; what was said before is not repeated."""
        asked = self.settings.publishing
        if granted.publishing > asked * _SLOWER:
            self._once(
                ("publishing", granted.publishing),
                "server publishes slower than asked",
                asked=asked,
                granted=granted.publishing,
            )
        for note in self._rare(granted):
            self._once("rare", "keep-alives too rare", note=note)
        for note in link.notes:
            self._once(("note", note), "server certificate", note=note)
        if self.settings.security is Security.NONE:
            self._once(
                "insecure",
                "source is not secured",
                remedy="security: SignAndEncrypt",
            )

    def _rare(self, granted: Granted) -> list[str]:
        """What is wrong when an idle machine's values end between two keep-alives."""
        if self._keepalive is None or granted.keepalive <= 2 * self._keepalive:
            return []
        said = (
            f"a keep-alive comes every {granted.keepalive:g} s, but a silent value is "
            f"used for {2 * self._keepalive:g} s: an idle machine flaps to input stale;"
            " shorten publishing, or lengthen hold (model) or max_age (tag)"
        )
        return [said]

    def _tell_certificate(self, link: Link) -> None:
        """Warn 90, 30 and 7 days before our certificate ends, once each."""
        days = link.certificate_days(self._clock)
        limit = None if days is None else expiry_warning(days)
        if limit is not None:
            self._once(
                ("certificate", limit),
                "our certificate ends soon",
                days=days,
                remedy="move pki/own away for a new one, and trust it on every server",
            )

    def _once(self, key: object, event: str, **details: object) -> None:
        if key not in self._told:
            self._told.add(key)
            log.warning(event, source=self.name, **details)


def _lost(group: BaseExceptionGroup[BaseException]) -> SourceLost:
    """The failure that ended the session's tasks.

    Raises:
        BaseExceptionGroup: one of them has a bug; that must not look like a bad link.
    """
    found, others = group.split(SourceLost)
    if others is not None or found is None:
        raise group
    first = found.exceptions[0]
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if not isinstance(first, SourceLost):
        raise group
    return first


def _security(settings: Settings) -> str:
    if settings.security is Security.NONE:
        return "None"
    return f"{settings.policy}/{settings.security}"


def _session_status(session: Session, clock: Clock) -> dict[str, Any]:
    report: dict[str, Any] = {
        "subscription": asdict(session.granted),
        "server_state": state_name(session.intake.state),
        "samples": session.intake.samples,
        "overflows": session.intake.overflows,
        "notes": list(session.link.notes),
        "certificate_days_left": session.link.certificate_days(clock),
    }
    if session.reconcile is not None:
        report["clock_skew"] = session.reconcile.skew
    if session.items is not None:
        report |= _items_status(session.items)
    return report


def _items_status(items: Items) -> dict[str, Any]:
    tags = [i for i in items.all if i.binding is not None and i.address is not None]
    running, parked = [i for i in tags if i.running], [i for i in tags if i.problem]
    return {
        "running": len(running),
        "parked": len(tags) - len(running),
        "sampling": _span(i.sampling for i in running),
        "queue": _span(i.queue for i in running),
        "refused_filters": sum(i.unfiltered for i in tags),
        "nodes": [
            {"tag": i.name, "node": i.address.text, "problem": i.problem}
            for i in parked[:_SHOWN]
            if i.address is not None
        ],
    }


def _span(values: Iterable[float]) -> list[float]:
    """Smallest and largest, empty when there is none."""
    found = list(values)
    return [min(found), max(found)] if found else []
