"""Does what a person ordered; each order gets an answer in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge_agent.registry import lifecycle, orders
from edge_agent.registry.lifecycle import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.registry.lifecycle import Version
    from edge_agent.registry.manning import Manning
    from edge_agent.registry.orders import Order

log = structlog.get_logger()


def obey(manning: Manning, folder: Path) -> bool:
    """Obey every order that waits; True if there was one.

    Args:
        manning: the lives, and who scores.
        folder: where orders lie.
    """
    waiting = [
        (path, order)
        for path, order in orders.taken(folder)
        if path.name not in manning.obeyed
    ]
    for path, order in waiting:
        said = "this is no order" if order is None else _obeyed(manning, order)
        log.info("order", order=str(order), answer=said)
        orders.answer(path, said)
        if path.exists():  # a disk that is read-only by now: once is enough
            manning.obeyed.add(path.name)
    return bool(waiting)


def _obeyed(manning: Manning, order: Order) -> str:
    name = order.pipeline
    if name not in manning.lives:
        there = ", ".join(manning.lives)
        return f"there is no pipeline {name}; there is: {there}"
    life = manning.lives[name]
    if order.action == "rollback":
        return manning.rolled_back(name, order.who)
    if order.action == "follow":
        manning.keep(name, lifecycle.follow(life))
        return f"{name} follows the registry again"
    for version in reversed(life.versions):
        if order.version in (version.label, version.version, version.digest[:8]):
            return _activated(manning, name, version)
    there = ", ".join(v.label or v.version for v in life.versions) or "none"
    return f"{name} knows no version {order.version} here; it knows: {there}"


def _activated(manning: Manning, name: str, version: Version) -> str:
    if version.stage in (Stage.SHADOW, Stage.PREVIOUS, Stage.ACTIVE):
        manning.activate(name, version, held=True)
        return f"{version.shown} scores {name}, and stays until told otherwise"
    life = lifecycle.see(manning.lives[name], version.offer, "by hand", urgent=True)
    manning.keep(name, life)
    return f"{version.shown} is fetched and tried; it scores as soon as it is proven"
