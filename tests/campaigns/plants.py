"""What became of the plants of a campaign of kills."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edge_agent.store.tray import ROWS_A_COMMIT
from tests.campaigns.telling import Findings, quantiles

#: Messages the agent may have unacknowledged, as configured.
INFLIGHT = 20
#: Messages that may be acknowledged and not on the disk at a kill: as many as are worth
#: a commit, and as many again while one is being written.
UNWRITTEN = 2 * ROWS_A_COMMIT
#: Seconds of a start, with a core to itself, until it scores again.
AGAIN = 5.0


@dataclass
class Life:
    """One start and its end.

    Attributes:
        manner: of the slow link.
        again: seconds from the start to the first new score; None when it was killed
            before.
        waited: of them, seconds that its main thread got no core of a busy machine.
        doubled: messages heard again until the next kill.
        committed: rows and alarms in the store of the dead agent.
        early: it was to be killed without waiting for a score.
        forked: its start did without imports.
    """

    manner: str
    again: float | None = None
    waited: float = 0.0
    doubled: int = 0
    committed: int = 0
    early: bool = False
    forked: bool = False


@dataclass
class Plant:
    """What became of one plant."""

    seed: int
    lives: list[Life] = field(default_factory=list)
    lost: int = 0
    """Rows and alarms that were committed and that the slow output never got."""
    lost_quick: int = 0
    disordered: int = 0
    """First hearings with a smaller number than one before on their topic."""
    examples: list[str] = field(default_factory=list)
    """Some of them: topic, number before, number."""
    different: int = 0
    """Repetitions that say something else."""
    committed: int = 0
    heard: int = 0
    published: int = 0
    damaged: int = 0
    """Stores found damaged at a start."""
    drained: float = 0.0
    """Seconds until everything was acknowledged, at the end."""


def plant_of(told: dict[str, Any]) -> Plant:
    """A plant as it was written to a file."""
    return Plant(**{**told, "lives": [Life(**life) for life in told["lives"]]})


def findings_of(plants: list[Plant], seed: int) -> Findings:
    """The figures of some plants."""
    lives = [life for plant in plants for life in plant.lives]
    scored = sum(life.again is not None for life in lives)
    again = [life for plant in plants for life in plant.lives[1:]]
    starts = [one for one in again if one.again is not None and not one.forked]
    whole = [one.again or 0.0 for one in starts]
    alone = [(one.again or 0.0) - one.waited for one in starts]
    never = [one for one in lives if one.again is None and not one.early]
    found = Findings("kills", seed)
    total = {
        name: sum(getattr(plant, name) for plant in plants)
        for name in ("lost", "lost_quick", "disordered", "different", "damaged")
    }
    doubled = [life.doubled for life in lives]
    found.figures = {
        "kills": len(lives),
        "of them before the first score": len(lives) - scored - len(never),
        "never scored within 60 s": len(never),
        "rows published": sum(p.published for p in plants),
        "rows and alarms committed and owed at a kill": sum(
            p.committed for p in plants
        ),
        "committed lost, slow output / quick output": [
            total["lost"],
            total["lost_quick"],
        ],
        "out of order on their topic": total["disordered"],
        "of them": [one for plant in plants for one in plant.examples][:10],
        "repetitions that say something else": total["different"],
        "stores found damaged": total["damaged"],
        "messages heard again, a kill": quantiles(doubled)
        | {"mean": round(sum(doubled) / max(len(doubled), 1), 2)},
        "in-flight window / and acknowledged, not yet written": [INFLIGHT, UNWRITTEN],
        "kills with more repetitions than in flight": sum(
            d > INFLIGHT for d in doubled
        ),
        "start of the command to first new score, s": quantiles(whole),
        "... without waiting for a core, s": quantiles(alone),
        "first start of a plant, its model fetched and vetted, s": quantiles(
            [p.lives[0].again for p in plants if p.lives and p.lives[0].again]
        ),
        "... forked, without imports, s": quantiles(
            [one.again for one in lives if one.again is not None and one.forked]
        ),
        "last drain, s": quantiles([p.drained for p in plants]),
    }
    found.promise(not total["lost"] and not total["lost_quick"], "committed rows lost")
    found.promise(not total["disordered"], "order on a topic")
    found.promise(not total["different"], "a repetition says the same")
    found.promise(not total["damaged"], "no kill damages the store")
    window = INFLIGHT + UNWRITTEN
    found.promise(max(doubled, default=0) <= window, "repetitions within the window")
    found.promise(not never, "scores again at all")
    # the machine of a campaign is shared: what a core was waited for is not the agent's
    found.promise(max(alone, default=0) < AGAIN, "scores again within 5 s")
    return found
