"""Engineering units the agent knows, and which spellings mean the same.

The unit is a label on the operator's screen and the proof that a model gets what it
was trained on; nothing is converted. Spelling matters (mW is not MW), so an unknown
unit is refused and the nearest known one offered.
"""

from __future__ import annotations

from edge_agent.config.problems import did_you_mean

_GROUPS = {
    "pressure": "bar mbar kPa Pa hPa MPa psi psig bar(g) bar(a) mmHg inH2O mmH2O atm",
    "temperature": "degC °C K degF °F mK",
    "length": "m mm cm um µm nm km in ft mil",
    "vibration": "mm/s m/s cm/s in/s m/s2 m/s² mm/s2 g gE mg",
    "angle": "deg ° rad mrad deg/s rad/s",
    "speed": "rpm 1/min 1/s Hz kHz MHz km/h m/min mm/min ft/min",
    "current": "A mA uA µA kA",
    "voltage": "V mV kV uV µV",
    "power": "W mW kW MW VA kVA MVA var kvar hp",
    "energy": "Wh kWh MWh J kJ MJ",
    "resistance": "Ohm kOhm MOhm Ω uS/cm mS/cm S/m",
    "flow": "l/min l/h l/s ml/min m3/h m³/h m3/s m3/min Nm3/h kg/h kg/s kg/min g/s"
    " g/min t/h t/d gpm cfm",
    "volume": "l ml m3 m³ cm3 mm3 gal",
    "mass": "kg t lb oz",
    "density": "kg/m3 g/cm3 g/l",
    "force": "N kN MN Nm kNm N/mm N/mm2 N/m2",
    "time": "s ms us µs ns min h d",
    "share": "% ppm ppb 1 ratio %RH %vol",
    "concentration": "mg/m3 mg/l ug/m3 µg/m3 g/m3 mol/l pH",
    "sound": "dB dB(A) dBm",
    "light": "lx cd lm",
    "area": "mm2 cm2 m2",
    "magnetism": "T mT uT",
    "viscosity": "cSt mPas Pas mm2/s",
    "heat": "W/m2 kJ/kg kJ/kgK W/mK",
    "count": "pcs pcs/min pcs/h parts/min strokes/min cycles steps count px",
    "data": "bit B kB MB bit/s kbit/s Mbit/s B/s kB/s MB/s",
}
_SAME = {
    "°C": "degC",
    "°F": "degF",
    "°": "deg",
    "µm": "um",
    "µA": "uA",
    "µV": "uV",
    "µs": "us",
    "µg/m3": "ug/m3",
    "m/s²": "m/s2",
    "m³": "m3",
    "m³/h": "m3/h",
    "Ω": "Ohm",
    "1/min": "rpm",
    "1/s": "Hz",
}
UNITS = frozenset(unit for group in _GROUPS.values() for unit in group.split())
_MEANT = {
    "c": "degC",
    "celsius": "degC",
    "grad": "degC",
    "grad c": "degC",
    "deg c": "degC",
    "f": "degF",
    "fahrenheit": "degF",
    "kelvin": "K",
    "pct": "%",
    "percent": "%",
    "prozent": "%",
    "u/min": "rpm",
    "upm": "rpm",
    "barg": "bar(g)",
    "bara": "bar(a)",
    "amp": "A",
    "ampere": "A",
    "volt": "V",
    "cbm/h": "m3/h",
    "lpm": "l/min",
    "sec": "s",
    "hour": "h",
    "ohm": "Ohm",
}


def canonical(unit: str) -> str:
    """The spelling that stands for all equal ones: ``°C`` is ``degC``."""
    unit = unit.replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")
    return _SAME.get(unit, unit)


def known(unit: str) -> bool:
    """Whether the unit is in the list; an empty one means there is none."""
    return not unit or unit in UNITS or canonical(unit) in UNITS


def nearest(unit: str) -> str:
    """``did you mean 'x'?`` for an unknown unit, or an empty string."""
    meant = _MEANT.get(unit.casefold().strip("."))
    if meant:
        return f"did you mean {meant!r}?"
    by_fold = {name.casefold(): name for name in sorted(UNITS, reverse=True)}
    if unit.casefold() in by_fold:
        return f"did you mean {by_fold[unit.casefold()]!r}?"
    return did_you_mean(unit, sorted(UNITS))
