"""Limits judge although a version could score: its promise was broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.records import Fallback
from edge_agent.registry import orders
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.floor import Gone
from edge_agent.registry.orders import Order
from tests.registry.adopting import Plant
from tests.registry.test_adoption import MODEL, push

if TYPE_CHECKING:
    from pathlib import Path

WHY = "does not keep its promise"


def plant(folder: Path) -> Plant:
    """A gateway with one version that scores, or the same behind a restart."""
    stick = folder / "stick"
    fresh = not stick.is_dir()
    stick.mkdir(exist_ok=True)
    desk = DirectoryRegistry(stick, "gw-07")
    if fresh:
        push(desk, folder, "1.0.0")
        desk.point(MODEL, "champion", "1.0.0")
    one = Plant(folder / "state", desk, MODEL)
    for _ in range(5):
        one.adoption.turn()
    return one


def rung(one: Plant) -> Fallback:
    """Which rung works now."""
    return one.crew.rung


def breached(one: Plant) -> None:
    """What scores must go, and limits judge."""
    active = one.life.active
    assert active is not None
    one.floor.failing.append(Gone("pumps", active.key, WHY, limits=True))
    one.adoption.turn()


def test_limits_judge_until_a_person_activates_a_version(tmp_path: Path) -> None:
    """Once, with the reason, also behind a restart; the version stays at hand."""
    one = plant(tmp_path)
    assert rung(one) is Fallback.MODEL
    breached(one)
    breached(one)
    assert rung(one) is Fallback.LIMITS
    assert WHY in one.crew.because
    assert [event.name for event in one.events].count("limits judge") == 1

    again = plant(tmp_path)
    assert rung(again) is Fallback.LIMITS
    folder = again.cache.root / "orders"
    folder.mkdir(exist_ok=True)
    orders.give(folder, Order("pumps", "activate", "1.0.0", "test"))
    again.adoption.turn()
    assert rung(again) is Fallback.MODEL
    assert rung(plant(tmp_path)) is Fallback.MODEL


def test_another_version_than_the_judged_one_stays(tmp_path: Path) -> None:
    """A judgement that comes late says nothing about who scores now."""
    one = plant(tmp_path)
    one.floor.failing.append(Gone("pumps", "another", WHY, limits=True))
    one.adoption.turn()
    assert rung(one) is Fallback.MODEL
