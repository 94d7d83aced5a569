"""Does what a person ordered; each order gets an answer in a sentence."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import structlog

from edge_agent.registry import lifecycle, news, orders
from edge_agent.registry.lifecycle import Stage
from edge_agent.registry.orders import Answer

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
        nothing = Answer(False, "this is no order")
        said = nothing if order is None else _obeyed(manning, order)
        log.info("order", **(asdict(order) if order else {}), answer=said.said)
        if order is not None:
            at = manning.clock.now()
            manning.tell(news.ordered(order, at, done=said.done, said=said.said))
        orders.answer(path, said)
        if path.exists():  # a disk that is read-only by now: once is enough
            manning.obeyed.add(path.name)
    return bool(waiting)


def _obeyed(manning: Manning, order: Order) -> Answer:
    name = order.pipeline
    if name not in manning.lives:
        there = ", ".join(manning.lives)
        return Answer(False, f"there is no pipeline {name}; there is: {there}")
    life = manning.lives[name]
    if order.action == "rollback":
        former = life.active is not None and life.previous is not None
        return Answer(former, manning.rolled_back(name, order.who))
    if order.action == "follow":
        manning.keep(name, lifecycle.follow(life))
        return Answer(True, f"{name} follows the registry again")
    for version in reversed(life.versions):
        if order.version in (version.label, version.version, version.digest[:8]):
            return Answer(True, _activated(manning, name, version))
    known = sorted({v.label or v.version for v in life.versions})
    return Answer(
        False,
        f"{name} has not met a version {order.version}; it has met: "
        f"{', '.join(known) or 'none'}. Point an alias at it, or write model: "
        f"{manning.models[name]}@{order.version}",
    )


def _activated(manning: Manning, name: str, version: Version) -> str:
    if version.stage in (Stage.SHADOW, Stage.PREVIOUS, Stage.ACTIVE):
        manning.activate(name, version, held=True)
        return f"{version.shown} scores {name}, and stays until told otherwise"
    life = lifecycle.see(manning.lives[name], version.offer, "by hand", urgent=True)
    manning.keep(name, life)
    return (
        f"{version.shown} is fetched and tried; it scores as soon as it is proven: "
        "edge-agent status shows how far it is"
    )
