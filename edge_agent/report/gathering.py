"""A model's report from what lies on the gateway, whether its agent runs or not.

Nothing is written, and no network is asked. Memory is bounded by the rings of the store
(`store.history`); of many pipelines those that moved most are told of.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from edge_agent import __version__
from edge_agent.dates import date_of
from edge_agent.monitoring import snapshots as kinds
from edge_agent.report import bodies, models, placing, standing
from edge_agent.report.alarming import alarms
from edge_agent.report.brief import sentences
from edge_agent.report.chronicle import rows_seen, versions
from edge_agent.report.document import Report
from edge_agent.report.drifting import Setting, drifts
from edge_agent.report.happenings import incidents
from edge_agent.report.placing import Standing
from edge_agent.report.unseen import names, unknown, unseen
from edge_agent.status.history import History, Kept
from edge_agent.store import drifts as drift_rows
from edge_agent.store.history import NEWEST, Of, Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.monitoring.drift.yardstick import Yardstick
    from edge_agent.report.document import Place
    from edge_agent.report.placing import Gateway
    from edge_agent.report.spans import Span
    from edge_agent.store.findings import Finding

#: Rows of a kind that are read: as many as a ring holds.
MOST = drift_rows.KEPT


@dataclass(slots=True)
class _Store:
    """Reads what is kept, and remembers what could not be seen."""

    gateway: Gateway
    span: Span
    told: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)
    """When what is kept begins, where that is later than the report."""
    missing: bool = False

    def read(self, query: Query, what: str) -> Kept:
        """Rows; none where there is no store.

        Raises:
            OSError: it cannot be read.
            StoreInUse: an agent has it that does not answer.
            StoreDamaged: it is none.
        """
        self.told(f"reading {what}")
        where = (self.gateway.state_dir, self.gateway.runtime_dir)
        if self.missing:
            return Kept([])
        try:
            found = History(*where, most=MOST).read(query)
        except FileNotFoundError as why:
            self.missing = True
            self.notes.append(f"Nothing is kept of what happened: {why}.")
            return Kept([])
        if found.damaged:
            self.notes.append(f"{found.damaged} rows of {what} are damaged.")
        if found.cut:
            self.notes.append(f"Of {what} only the newest {MOST} rows are read.")
        if self.span.since < found.oldest < NEWEST and not query.open:
            self.begun[query.of.value] = found.oldest
        return found

    def gaps(self) -> list[str]:
        """From when on the store can tell."""
        if not self.begun:
            return []
        since = ", ".join(f"{k} {date_of(v)[:10]}" for k, v in self.begun.items())
        said = "What was before is forgotten, or never was."
        return [f"What is kept begins with: {since}. {said}"]

    def within(self, of: Of, what: str, **more: Any) -> Kept:  # noqa: ANN401
        """Rows of the span."""
        times = (self.span.since, self.span.until)
        return self.read(Query(of, since=times[0], until=times[1], **more), what)


def gather(
    gateway: Gateway,
    model: str,
    span: Span,
    *,
    version: str = "",
    told: Callable[[str], None] = lambda _: None,
) -> Report:
    """Everything that is known of a model.

    Args:
        gateway: where to look.
        model: its name.
        span: of what happened.
        version: only this one's, as its passport calls it; empty for all.
        told: is told what is being done.

    Raises:
        ModelUnknown: nothing is known of it; the text has the names there are.
        OSError: the store cannot be read.
        StoreInUse: an agent has it that does not answer.
        StoreDamaged: it is none.
    """
    store = _Store(gateway, span, told)
    told("asking the agent")
    status = placing.asked(gateway)
    lives, damaged = models.lives(gateway.state_dir)
    now = Standing(lives, (status or {}).get("pipelines", {}), live=status is not None)
    told("reading passports")
    kept = models.kept_of(gateway.state_dir, model)
    traces = store.within(Of.ALARMS, "alarms", model=model)
    rows = store.within(Of.DRIFT, "drift", model=model)
    known = kept or traces.rows or rows.rows
    if not known and model not in names(gateway, now):
        raise unknown(gateway, now, model)
    store.notes += unseen(gateway, status, damaged)
    return _Gathered(store, model, version, now, kept).report(traces.rows, rows.rows)


@dataclass(slots=True)
class _Gathered:
    """A report being made."""

    store: _Store
    model: str
    version: str
    now: Standing
    kept: Sequence[models.Kept]
    _snapshots: dict[str, list[Any]] = field(default_factory=dict)

    def report(self, traces: list[Any], rows: list[Any]) -> Report:
        """All of it."""
        store, gateway, span = self.store, self.store.gateway, self.store.span
        if self.version:
            traces = [one for one in traces if one.model_version == self.version]
            rows = [one for one in rows if one.model_version == self.version]
        names = placing.pipelines_of(gateway, self.now, self.model)
        still: list[Finding] = store.read(
            Query(Of.FINDINGS, open=True), "findings"
        ).rows
        places = placing.places(gateway, self.now, names, still)
        everywhere = {*names, *(one.pipeline for one in (*traces, *rows))}
        findings = [
            one
            for one in store.within(Of.FINDINGS, "findings").rows
            if self._mine(one, everywhere)
        ]
        for row in store.within(Of.SNAPSHOTS, "snapshots").rows:
            self._snapshots.setdefault(row.name, []).append(row)
        lost = bodies.events_of(store.within(Of.LOSSES, "losses").rows)
        self._snapshots.setdefault(kinds.EVENT, []).extend(lost)
        found = drifts(
            rows,
            cache(self._yardstick),
            {name: _setting(gateway, name, places) for name in everywhere},
            _newest([*findings, *still]),
            span,
            lambda done, of: store.told(
                f"comparing with the reference: {done} of {of}"
            ),
        )
        self._note_drift(found.left_out, found.damaged)
        counts = {place.pipeline: place.assets for place in places}
        counts = {name: counts.get(name) for name in sorted(everywhere)}
        seen = rows_seen(found.seen, traces)
        happened, more = incidents(findings, self._events(everywhere))
        if more:
            store.notes.append(f"{more} older incidents are left out.")
        made = Report(
            self.model,
            *self._whose(traces, rows),
            *(date_of(span.until), date_of(span.since), date_of(span.until)),
            __version__,
            versions=versions(
                self.kept, self.now.lives, self.model, self.version, traces, rows
            ),
            places=places,
            drift=found.drift,
            accuracy=standing.accuracy(self._bodies(bodies.Accuracy, everywhere), span),
            alarms=alarms(
                traces, self._bodies(bodies.Alarms, everywhere), counts, seen, span
            ),
            fairness=standing.fairness(self._bodies(bodies.Fairness, everywhere)),
            incidents=happened,
        )
        made = replace(made, notes=tuple(dict.fromkeys((*store.notes, *store.gaps()))))
        return replace(made, summary=sentences(made))

    def _mine(self, one: Finding, pipelines: set[str]) -> bool:
        if self.version and one.model_version not in {"", self.version}:
            return False
        if one.pipeline:
            return one.pipeline in pipelines and one.model in {"", self.model}
        gateway = self.store.gateway
        if gateway.loaded is None:
            return True
        return any(
            one.asset in gateway.assets(gateway.pipelines[name].assets)
            for name in pipelines
            if name in gateway.pipelines
        )

    def _yardstick(self, digest: str) -> tuple[Yardstick | None, str]:
        one = next(
            (k for k in self.kept if digest and k.digest.startswith(digest)), None
        )
        if one is None:
            return None, "no passport of this version is kept"
        return models.reference_of(self.store.gateway.state_dir, self.model, one)

    def _bodies(self, kind: type[bodies.Body], pipelines: set[str]) -> Any:  # noqa: ANN401
        """Snapshots of this model, newest first."""
        name = _NAMES[kind]
        mine = [r for r in self._snapshots.get(name, ()) if r.pipeline in pipelines]
        read, wrong = bodies.read(mine, kind)
        if wrong:
            self.store.notes.append(f"{wrong} snapshots of {name} cannot be read.")
        return [
            (row, body)
            for row, body in read
            if getattr(body, "model", "") in {"", self.model}
            and (not self.version or getattr(body, "version", "") == self.version)
        ]

    def _events(self, pipelines: set[str]) -> Any:  # noqa: ANN401
        rows = self._snapshots.get(kinds.EVENT, [])
        mine = [row for row in rows if row.pipeline in {"", *pipelines}]
        if not rows:
            self.store.notes.append(
                "No events of models are kept here (activated, refused, returned): "
                "SCADA and the centre were told of them when they happened."
            )
        return bodies.read(mine, bodies.Event)[0]

    def _note_drift(self, left_out: int, damaged: int) -> None:
        if left_out:
            said = (
                "Drift of {} more pipelines and contexts that moved less is left out."
            )
            self.store.notes.append(said.format(left_out))
        if damaged:
            self.store.notes.append(f"{damaged} drift rows cannot be unpacked.")

    def _whose(self, traces: list[Any], rows: list[Any]) -> tuple[str, str]:
        loaded = self.store.gateway.loaded
        if loaded is not None:
            site = loaded.config.site
            levels = (site.enterprise, site.site, site.area, site.line, site.cell)
            return loaded.config.gateway, "/".join(filter(None, levels))
        known = (one.gateway for one in (*traces, *rows) if one.gateway)
        return next(known, "not known"), ""


_NAMES: dict[type, str] = {
    bodies.Accuracy: kinds.ACCURACY,
    bodies.Alarms: kinds.ALARMS,
    bodies.Fairness: kinds.FAIRNESS,
}


def _newest(findings: Iterable[Finding]) -> list[Finding]:
    newest: dict[str, Finding] = {}
    for one in sorted(findings, key=lambda one: one.id):
        newest[one.episode] = one
    return list(newest.values())


def _setting(gateway: Gateway, name: str, places: Sequence[Place]) -> Setting:
    assets = next((p.assets for p in places if p.pipeline == name), None) or 1
    settings = gateway.pipelines.get(name)
    budget = settings.monitor.findings_per_month if settings else 1.0
    return Setting(budget, assets)
