"""Engineering units: which are known, which are the same, which were meant."""

from __future__ import annotations

import pytest

from edge_agent.config import units

NAMEPLATES = """
    bar mbar kPa psi degC °C K mm/s m/s2 A mA kV kW kWh Hz rpm 1/min % l/min m3/h
    m³/h kg/h t/h kN Nm mm um µm ppm mg/m3 pH dB
"""


@pytest.mark.parametrize("unit", NAMEPLATES.split())
def test_units_of_a_plant(unit: str) -> None:
    """What stands on nameplates is known as it stands there."""
    assert units.known(unit)


@pytest.mark.parametrize("unit", ["Bar", "C", "mm/sec", "mW ", "m3h", "kw"])
def test_spelling_matters(unit: str) -> None:
    """A milliwatt is no megawatt: nothing is taken for what it might mean."""
    assert not units.known(unit)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("°C", "degC"),
        ("m³/h", "m3/h"),
        ("µm", "um"),
        ("\N{GREEK SMALL LETTER MU}m", "um"),
        ("1/min", "rpm"),
    ],
)
def test_spellings_of_one_unit(one: str, other: str) -> None:
    """A model's unit and a plant's may be spelt differently."""
    assert units.canonical(one) == units.canonical(other)


@pytest.mark.parametrize("unit", ["mW", "MW", "degC", "degF", "bar", "mbar", "g", "mg"])
def test_other_units_stay_apart(unit: str) -> None:
    """Only spellings are made equal."""
    assert units.canonical(unit) == unit


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("Bar", "bar"),
        ("celsius", "degC"),
        ("C", "degC"),
        ("U/min", "rpm"),
        ("mm/sec", "mm/s"),
        ("m^3/h", "m3/h"),
        ("prozent", "%"),
    ],
)
def test_a_near_unit_is_offered(slip: str, meant: str) -> None:
    """Slips of the pen and of the language lead to the known spelling."""
    assert units.nearest(slip) == f"did you mean {meant!r}?"


def test_every_spelling_leads_to_a_known_unit() -> None:
    """The tables agree with each other."""
    for unit in units.UNITS:
        assert units.canonical(unit) in units.UNITS
