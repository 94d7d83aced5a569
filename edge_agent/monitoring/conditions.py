"""What monitoring sees, in one shape: the same for drift, sensors and accuracy.

A `Condition` is what is so at one look. `episodes` makes findings of those that last:
one when it begins, one when it is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class What(StrEnum):
    """What can be found."""

    INPUT_DRIFT = "input drift"
    SCORE_DRIFT = "score drift"
    UNSEEN_CONTEXT = "unseen context"
    TOO_MUCH_MISSING = "input missing"
    SENSOR_STUCK = "sensor stuck"
    SENSOR_DROPOUT = "sensor dropout"
    SENSOR_SPIKES = "sensor spikes"
    SENSOR_RANGE = "sensor out of range"
    SENSOR_STEP = "sensor step"
    SENSOR_UNIT = "sensor unit"
    SENSOR_NOISE = "sensor noise"
    SENSOR_CLOCK = "sensor clock"
    ACCURACY = "accuracy below requirement"
    PARITY = "groups differ"
    FALSE_ALARMS = "false alarms over budget"


class Cause(StrEnum):
    """What is the matter: the diagnosis."""

    NONE = ""
    SENSOR = "sensor fault"
    PROCESS = "process change"
    MODEL = "model drift"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so now.

    Attributes:
        what: kind.
        strength: size of the effect over its limit; at least 1.
        sentence: with the evidence, for a technician.
        action: what to do.
        asset: empty for all assets of the pipeline.
        tag: role, feature or output; empty for none.
        context: empty for all.
        cause: the diagnosis, where there is one.
        evidence: the numbers behind it.
    """

    what: What
    strength: float
    sentence: str
    action: str
    asset: str = ""
    tag: str = ""
    context: str = ""
    cause: Cause = Cause.NONE
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same condition at the next look."""
        return (self.what.value, self.asset, self.tag, self.context)
