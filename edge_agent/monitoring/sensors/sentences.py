"""What is odd about a tag, for a technician: the evidence, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.monitoring.conditions import Condition, What
from edge_agent.monitoring.sensors.habits import spike
from edge_agent.monitoring.sensors.movements import TIED
from edge_agent.monitoring.sensors.sums import NEVER
from edge_agent.monitoring.sensors.units import factor
from edge_agent.monitoring.sensors.words import lasting, shown, spoken
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.monitoring.sensors.facts import Facts
    from edge_agent.monitoring.sensors.movements import Move
    from edge_agent.monitoring.sensors.state import Health
    from edge_agent.monitoring.sensors.watch import Seen
    from edge_agent.samples import F64


class Words(NamedTuple):
    """All that a sentence on one tag may need."""

    place: int
    strength: float
    seen: Seen
    health: Health
    facts: Facts

    @property
    def name(self) -> str:
        """Tag and asset as they are said."""
        asset, role, _ = self.facts.named(self.place)
        return f"{spoken(role)} of {asset}"

    @property
    def value(self) -> str:
        """What the tag shows."""
        _, _, unit = self.facts.named(self.place)
        return shown(float(self.health.trail.value[self.place]), unit)

    def usual(self, name: str) -> float:
        """A habit of the tag."""
        return float(getattr(self.health.habits, name)[self.place])

    def late(self, name: str) -> float:
        """How the tag is of late."""
        return float(getattr(self.health.late, name)[self.place])

    def condition(
        self, what: What, text: str, action: str, **evidence: float
    ) -> Condition:
        """A condition of the tag; ``text`` goes on from its name."""
        asset, role, _ = self.facts.named(self.place)
        return Condition(
            what,
            self.strength,
            f"{self.name[0].upper()}{self.name[1:]} {text}.",
            action,
            asset,
            role,
            evidence={k: float(v) for k, v in evidence.items()},
        )


def signs_in_words(seen: Seen) -> list[tuple[Callable[[Words], Condition], F64]]:
    """Signs of a tag, the one that says most first: a tag has one condition."""
    s = seen.signs
    rests = np.tile(seen.rests, len(seen.level))
    running = np.where(rests, 0.0, 1.0)
    return [
        (_beyond, s.beyond * running),
        (_at_end, np.maximum(s.ceiling, s.floor) * running),
        (_bad, s.bad),
        (_silent, np.maximum(s.silent, s.lost)),
        (_stood, s.stood),
        (_stuck, s.stuck * running),
        (_spikes, s.spikes * running),
        (_delay, s.clock),
        (_noise, s.noise * running),
    ]


def _stuck(w: Words) -> Condition:
    still = float(w.seen.signs.still[w.place])
    text = (
        f"has shown {w.value} without any change for {lasting(still)}, while it "
        f"usually changes every {lasting(w.usual('hold'))} and never stood longer than "
        f"{lasting(w.usual('held'))}"
    )
    action = "Check the transmitter and its cable."
    return w.condition(What.SENSOR_STUCK, text, action, still_s=still)


def _silent(w: Words) -> Condition:
    silence, lost = float(w.seen.signs.silence[w.place]), w.late("lost")
    if w.seen.signs.silent[w.place] >= 1.0:
        text = (
            f"has sent nothing for {lasting(silence)}, while it usually comes every "
            f"{lasting(w.usual('period'))}"
        )
    else:
        text = (
            f"misses {lost:.0%} of its samples, while it usually misses "
            f"{max(w.usual('lost'), 0.0):.0%}"
        )
    action = "Check the transmitter, its cable and its link."
    numbers = {"silence_s": silence, "lost_share": lost}
    return w.condition(What.SENSOR_DROPOUT, text, action, **numbers)


def _bad(w: Words) -> Condition:
    since, share = int(w.health.trail.bad[w.place]), w.late("bad")
    text = f"is bad or empty in {share:.0%} of its samples of the last minute"
    if since != NEVER:
        passed = (w.seen.at - since) / NANOSECONDS
        text = f"has been bad or empty for {lasting(passed)}"
    action = "Check the transmitter and what its controller says of the channel."
    return w.condition(What.SENSOR_DROPOUT, text, action, bad_share=share)


def _spikes(w: Words) -> Condition:
    count, limit = w.late("spikes"), spike(w.health.habits, w.health.late)
    text = (
        f"has jumped away and back {count:.0f} times in five minutes, each time by "
        f"more than {shown(float(limit[w.place]), w.facts.named(w.place)[2])}"
    )
    action = "Look for a loose contact, or for what disturbs the cable."
    return w.condition(What.SENSOR_SPIKES, text, action, spikes=count)


def _beyond(w: Words) -> Condition:
    role, _ = divmod(w.place, w.facts.shape[1])
    tag = w.facts.kind.tags[role]
    text = (
        f"shows {w.value}, outside its range of {tag.low:g} to "
        f"{shown(tag.high, tag.unit)}"
    )
    action = "Check the transmitter, and its range in the controller."
    return w.condition(What.SENSOR_RANGE, text, action, share=w.late("beyond"))


def _at_end(w: Words) -> Condition:
    upper = w.seen.signs.ceiling[w.place] >= 1.0
    text = (
        f"stands at the {'upper' if upper else 'lower'} end of its range ({w.value}), "
        "where it usually never is"
    )
    action = "Check the transmitter and its cable for a break or a short circuit."
    share = w.late("ceiling" if upper else "floor")
    return w.condition(What.SENSOR_RANGE, text, action, share=share)


def _noise(w: Words) -> Condition:
    ratio = float(np.exp(w.late("noise") - w.usual("noise")))
    more = ratio > 1
    text = (
        f"is {ratio if more else 1 / ratio:.1f} times as "
        f"{'noisy' if more else 'still'} from sample to sample as usual"
    )
    action = (
        "Check shield, earth and contacts of the transmitter."
        if more
        else "Check whether its damping was changed, or whether its line is clogged."
    )
    return w.condition(What.SENSOR_NOISE, text, action, ratio=ratio)


def _delay(w: Words) -> Condition:
    delay, usual = w.late("delay"), w.usual("delay")
    text = (
        f"is stamped {delay:.1f} s before it arrives, while {usual:.1f} s is usual: "
        "its clock is off or runs wrong"
    )
    action = "Set the device's clock, or let it follow a time server."
    return w.condition(What.SENSOR_CLOCK, text, action, delay_s=delay, usual_s=usual)


def _stood(w: Words) -> Condition:
    share = w.late("stood")
    text = f"keeps one and the same stamp in {share:.0%} of its samples that arrive"
    action = "Check the device's clock: it stands still."
    return w.condition(What.SENSOR_CLOCK, text, action, stood_share=share)


TOO_EARLY = frozenset({_noise, _spikes})
"""Not said of a tag that has just begun to move alone."""


def unit_or_step(
    move: Move, place: int, seen: Seen, health: Health, facts: Facts
) -> Condition:
    """A tag that moved alone: another unit if a known factor fits, else a step.

    Args:
        move: of its asset.
        place: the tag.
        seen: by `watch.look`.
        health: behind it.
        facts: of the asset type.
    """
    words = Words(place, move.strength, seen, health, facts)
    role, _ = divmod(place, facts.shape[1])
    shift = move.shifts[0]
    usual = float(seen.unusual.usual[0, role])
    noise = float(health.late.now[place] - health.habits.noise[place])
    known = factor(shift.unit, shift.before, shift.after, usual, noise)
    numbers = {"before": shift.before, "after": shift.after, "shifts": shift.size}
    ago = lasting(move.age)
    span = f"from {shift.before:.4g} to {shown(shift.after, shift.unit)}"
    if known is not None:
        text = f"jumped {span} {ago} ago: exactly {known[0].name}"
        action = "Check the scaling in the controller and the unit in the tag list."
        return words.condition(What.SENSOR_UNIT, text, action, **numbers)
    others = "its other tags are to each other as always"
    if move.tied < TIED:
        others = "no other tag moved"
    text = f"has gone {span} within {ago}, and {others}"
    action = "Compare the transmitter with a second instrument."
    return words.condition(What.SENSOR_STEP, text, action, **numbers)
