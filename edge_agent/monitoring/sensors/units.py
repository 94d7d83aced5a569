"""Known factors between units: what a tag jumps by when somebody rescales it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

_ANY = frozenset[str]()
_HEAT = frozenset({"degc", "degf", "k", "°c", "°f", "c", "f", "celsius"})
_PRESSURE = frozenset({"bar", "psi", "kpa", "mpa", "mbar", "barg", "bara", "pa"})
_FLOW = frozenset({"m3/h", "m³/h", "l/s", "gpm", "l/min", "m3/s", "l/h"})
_LENGTH = frozenset({"mm", "in", "mm/s", "in/s", "inch", "m", "um", "µm"})
_TURNS = frozenset({"rpm", "1/min", "hz", "1/s", "min-1"})
_POWER = frozenset({"kw", "hp", "w", "mw"})
_ANGLE = frozenset({"deg", "rad", "°"})


@dataclass(frozen=True, slots=True)
class Factor:
    """``shown = times * true + plus``.

    Attributes:
        name: as a technician knows it.
        times, plus: the change.
        units: lower case, that it makes sense for; empty for any.
    """

    name: str
    times: float
    plus: float = 0.0
    units: frozenset[str] = _ANY

    def fits(self, unit: str) -> bool:
        """Whether it makes sense for a unit; a tag without one may be anything."""
        return not self.units or not unit or unit.lower() in self.units


def _both(name: str, times: float, units: frozenset[str] = _ANY) -> list[Factor]:
    one, other = name.split(" to ") if " to " in name else ("", "")
    back = f"{other} to {one}" if one else f"divided by {times:g}"
    forth = name if one else f"times {times:g}"
    return [Factor(forth, times, 0.0, units), Factor(back, 1.0 / times, 0.0, units)]


FACTORS: tuple[Factor, ...] = (
    *_both("", 10.0),
    *_both("", 100.0),
    *_both("", 1000.0),
    Factor("degC to degF", 1.8, 32.0, _HEAT),
    Factor("degF to degC", 1 / 1.8, -32.0 / 1.8, _HEAT),
    Factor("degC to K", 1.0, 273.15, _HEAT),
    Factor("K to degC", 1.0, -273.15, _HEAT),
    *_both("bar to psi", 14.5038, _PRESSURE),
    *_both("psi to kPa", 6.89476, _PRESSURE),
    Factor("gauge to absolute pressure", 1.0, 1.01325, frozenset({"bar", "barg"})),
    Factor("absolute to gauge pressure", 1.0, -1.01325, frozenset({"bar", "bara"})),
    *_both("l/s to m3/h", 3.6, _FLOW),
    *_both("m3/h to gpm", 4.40287, _FLOW),
    *_both("m3/h to l/min", 16.6667, _FLOW),
    *_both("in to mm", 25.4, _LENGTH),
    *_both("Hz to rpm", 60.0, _TURNS),
    *_both("kW to hp", 1.34102, _POWER),
    *_both("rad to deg", 57.29578, _ANGLE),
)
_SURE = 3.0
"""How many deviations the level after the jump may be off the factor's."""
_PLAIN = 2.0
"""How many times that a jump must be to be told from ordinary movement."""
_NOISE = 0.7
"""How far the noise may be off the factor's, as a logarithm: a step leaves it alone."""

_NOTHING = 0.5
"""Of the level that a factor makes: nearer to nought it is no factor."""


def factor(
    unit: str, before: float, after: float, usual: float, noise: float
) -> tuple[Factor, float] | None:
    """The factor that a jump is, or None.

    Args:
        unit: of the tag.
        before: its level until the jump.
        after: its level now.
        usual: standard deviation of the level, before.
        noise: logarithm of the noise after over the noise before; NaN for unknown.

    Returns:
        The factor and how far the level is off it, in deviations.
    """
    found = None
    for one in FACTORS:
        if not one.fits(unit):
            continue
        should = one.times * before + one.plus
        tolerance = _SURE * usual * max(one.times, 0.02) + 0.003 * abs(should)
        if abs(should - before) < _PLAIN * (tolerance + _SURE * usual):
            continue
        if abs(noise - log(one.times)) > _NOISE:
            continue
        # a machine that stops goes to nothing, which is a thousandth of anything
        if not one.plus and abs(after) < _NOTHING * abs(should):
            continue
        off = abs(after - should) / tolerance
        if off <= 1.0 and (found is None or off < found[1]):
            found = one, float(off)
    return found
