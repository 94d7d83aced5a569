"""What the agent says of itself: to whoever asks on the spot, and to the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent import __version__
from edge_agent.records import Fallback
from edge_agent.registry.listing import Observed
from edge_agent.status.monitoring import said_of
from edge_agent.status.report import report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.clock import Clock
    from edge_agent.config.loading import Loaded
    from edge_agent.evaluation.opening import Judgements
    from edge_agent.inbox import Inbox
    from edge_agent.instruments import Instruments
    from edge_agent.monitors.watch import Monitors
    from edge_agent.outlets import Outlets
    from edge_agent.sources.source import Source
    from edge_agent.status.findings import OpenFindings
    from edge_agent.store.journal import Journal
    from edge_agent.supply import Supply

_STATES = {
    Fallback.MODEL: "scoring",
    Fallback.LAST_KNOWN_GOOD: "last-known-good",
    Fallback.LIMITS: "limits",
    Fallback.NO_SCORE: "no model",
}
#: How an evaluation's word reads in the registry; see `listing.Observed`.
_STANDING = {
    "met": "met",
    "below but within chance": "met",
    "breached": "breached",
    "not yet": "waiting",
    "cannot be told": "waiting",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """The parts that say something; any thread may ask."""

    loaded: Loaded
    clock: Clock
    started: int
    complaint: str
    inbox: Inbox
    instruments: Instruments
    sources: Sequence[Source]
    outlets: Outlets
    supply: Supply
    journal: Journal
    monitors: Monitors
    findings: OpenFindings
    judges: Judgements

    def document(self, turns: int) -> dict[str, Any]:
        """The document of the status socket.

        Args:
            turns: so far.
        """
        return report(
            identity={
                "version": __version__,
                "gateway": self.loaded.config.gateway,
                "uptime_s": (self.clock.now() - self.started) / 1e9,
                "configuration_sha256": self.loaded.digest,
                "turns": turns,
                "inbox": len(self.inbox),
            },
            sources={source.name: source.status() for source in self.sources},
            pipelines={
                name: self._pipeline(name) for name in self.loaded.config.pipelines
            },
            registry=self.supply.adoption.status(),
            outputs={one.name: one.status() for one in self.outlets.forwarders},
            archives=self.outlets.archives(),
            store=self.journal.status(),
            counters=self.instruments.snapshot(),
            complaint=self.complaint,
            monitoring=said_of(self.findings.now(), self.clock.wall_offset()),
        )

    def observed(self) -> dict[str, Observed]:
        """What monitoring says of each pipeline, for the registry."""
        counts = self._findings_by_pipeline()
        return {
            name: self._observed(name, counts.get(name, 0))
            for name in self.loaded.config.pipelines
        }

    def vitals(self) -> list[dict[str, Any]]:
        """How each pipeline stands, a row each: the columns of `centre.tables`."""
        store, site = self.journal.status(), self.loaded.config.site
        counts = self._findings_by_pipeline()
        shared = {
            "agent_version": __version__,
            "area": site.area or "",
            "line": site.line or "",
            "uptime_s": (self.clock.now() - self.started) / 1e9,
            "promised_s": store["survive_s"],
            "kept_s": store["holds_for_s"],
            "backlog_rows": store["rows"],
            "lost_rows": store["rows_lost"],
        }
        return [
            {**shared, **self._vital(name), "findings": counts.get(name, 0)}
            for name in self.loaded.config.pipelines
        ]

    def _vital(self, name: str) -> dict[str, Any]:
        made = self.supply.floor.working[name].pipeline
        info, count = made.info, self.instruments.counter
        return {
            "pipeline": name,
            "model": info.model,
            "model_version": info.model_version,
            "model_digest": info.model_digest,
            "state": _STATES[made.fallback],
            "because": "" if made.fallback is Fallback.MODEL else made.because,
            "assets": len(info.assets),
            "rows_scored": count("rows_scored_total", pipeline=name),
            "rows_without_score": count("rows_without_score_total", pipeline=name),
        }

    def _findings_by_pipeline(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for one in self.findings.now():
            counts[one.pipeline] = counts.get(one.pipeline, 0) + 1
        return counts

    def _pipeline(self, name: str) -> dict[str, Any]:
        made = self.supply.floor.working[name].pipeline
        info, count = made.info, self.instruments.counter
        return {
            "state": _STATES[made.fallback],
            "model": f"{info.model}@{info.model_version}",
            "sha8": info.model_sha8,
            "assets": len(info.assets),
            "rows_scored": count("rows_scored_total", pipeline=name),
            "rows_without_score": count("rows_without_score_total", pipeline=name),
            "error": "" if made.fallback is Fallback.MODEL else made.because,
            "drift": self.monitors.status(name),
            **self.supply.pipeline(name),
            **self.judges.status(name),
        }

    def _observed(self, name: str, count: int) -> Observed:
        drift = self.monitors.status(name)
        strength = float(drift.get("strength", 0.0))
        worst = str(drift.get("worst", "")) if strength >= 1.0 else ""
        entries = self.judges.evaluation.status(name).get("accuracy", ())
        mine = next((one for one in entries if one["scores"]), None)
        if mine is None:
            return Observed(drift=worst, strength=strength, findings=count)
        figure = _figure(mine)
        state = _STANDING.get(mine["state"], "")
        return Observed(
            "estimated" if figure.get("estimated") else state,
            str(mine["days_of"]),
            figure.get("value"),
            figure.get("low"),
            figure.get("high"),
            mine["labels"],
            worst,
            strength,
            count,
        )


def _figure(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The measure that the requirement is about."""
    found: Sequence[Mapping[str, Any]] = entry["measures"]
    return next((one for one in found if one["name"] == entry["days_of"]), {})
