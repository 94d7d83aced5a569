"""The agent's state in one document, and in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.status.monitoring import advice, breaches
from edge_agent.store.promise import Promise

if TYPE_CHECKING:
    from collections.abc import Mapping


#: States of a link that works.
UP = frozenset({"up", "connected", "running", "ok", "opening"})


def report(
    *,
    identity: Mapping[str, Any],
    sources: Mapping[str, Mapping[str, Any]],
    pipelines: Mapping[str, Mapping[str, Any]],
    outputs: Mapping[str, Mapping[str, Any]],
    archives: Mapping[str, Mapping[str, Any]],
    store: Mapping[str, Any],
    registry: Mapping[str, Any],
    counters: Mapping[str, float],
    complaint: str,
    monitoring: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Everything a technician may ask, as plain data.

    Args:
        identity: version, gateway, start, configuration digest, turns.
        sources: state of each by name.
        pipelines: state of each by name.
        outputs: state of each by name.
        archives: of the evidence log, and of the centre where there is one.
        store: what `Journal.status` says.
        registry: the link to where models come from.
        counters: every instrument.
        complaint: what is wrong with the newest configuration; empty for nothing.
        monitoring: what was found, by pipeline, see `status.monitoring.said_of`;
            more keys (accuracy …) are shown as they are. Under the empty name what
            concerns no pipeline.
    """
    found = monitoring or {}
    nothing = {"findings": [], "findings_open": 0}
    document: dict[str, Any] = {
        **identity,
        "sources": dict(sources),
        "pipelines": {
            name: {**of, **nothing, **found.get(name, {})}
            for name, of in pipelines.items()
        },
        "tags": {**nothing, **found.get("", {})},
        "outputs": dict(outputs),
        "archives": dict(archives),
        "store": dict(store),
        "registry": dict(registry),
        "configuration": {"state": "refused" if complaint else "ok", "why": complaint},
        "counters": dict(counters),
    }
    troubles = [*_troubles(document), *breaches(found)]
    said = [*(troubles or [_all_well(document)]), *advice(found)]
    document["state"] = "degraded" if troubles else "ok"
    document["summary"] = "; ".join(said)
    return document


def summary(document: Mapping[str, Any]) -> str:
    """One line for `systemctl status`."""
    return f"{document['state']}: {document['summary']}"


def _troubles(document: Mapping[str, Any]) -> list[str]:
    found = []
    if document["configuration"]["why"]:
        found.append("new configuration refused, running on the last good one")
    for kind in ("sources", "outputs", "archives"):
        found += [
            f"{kind[:-1]} {name} {of.get('state', 'unknown')}{_because(of)}"
            for name, of in document[kind].items()
            if of.get("state") not in UP
        ]
    found += [
        f"pipeline {name}: {of['error']}"
        for name, of in document["pipelines"].items()
        if of.get("error")
    ]
    found += [of["review"] for of in document["pipelines"].values() if of.get("review")]
    if document["registry"].get("state") == "stale":
        found.append("the model registry has been silent for long")
    if document["store"].get("state") == "failing":
        found.append("the store's disk is failing, records are kept in memory")
    elif document["store"].get("promise_state") == Promise.BROKEN:
        found.append(f"the store: {document['store']['promise']}")
    return found


def _because(of: Mapping[str, Any]) -> str:
    why = of.get("last_error") or of.get("error") or ""
    return f": {why}" if why else ""


def _all_well(document: Mapping[str, Any]) -> str:
    kinds = ("pipelines", "sources", "outputs")
    counted = [_counted(len(document[kind]), kind) for kind in kinds]
    counted.append(f"{_counted(document['store'].get('rows', 0), 'rows')} waiting")
    return ", ".join(counted)


def _counted(count: int, things: str) -> str:
    return f"{count} {things[:-1] if count == 1 else things}"
