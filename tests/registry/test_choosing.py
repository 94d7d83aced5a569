"""Which version a gateway runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.registry.choosing import Choice, Reference, bucket, choose
from edge_agent.registry.listing import Gateway, Listing

GATEWAY = Gateway("gw-07", "hamburg")
ALIASES = {
    "gw-gw-07": "4",
    "site-hamburg": "3",
    "canary": "2",
    "champion": "1",
    "challenger": "9",
}


@pytest.mark.parametrize(
    ("gone", "via", "version"),
    [
        ((), "gw-gw-07", "4"),
        (("gw-gw-07",), "site-hamburg", "3"),
        (("gw-gw-07", "site-hamburg"), "canary", "2"),
        (("gw-gw-07", "site-hamburg", "canary"), "champion", "1"),
    ],
)
def test_the_nearest_alias_wins(gone: tuple[str, ...], via: str, version: str) -> None:
    """Gateway before site before canary before champion; the challenger is watched."""
    left = {k: v for k, v in ALIASES.items() if k not in gone}
    listing = Listing("pump", left, {"edge.canary.percent": "100"})

    found = choose(listing, Reference.of("pump"), GATEWAY)

    assert found == Choice(version, via, "9")
    assert found == choose(listing, Reference.of("pump@champion"), GATEWAY)


def test_a_halted_version_is_passed_over() -> None:
    """Halting the canary takes its gateways back to the champion."""
    tags = {"edge.canary.percent": "100", "edge.halted.2": "alarms doubled"}
    listing = Listing("pump", {"canary": "2", "champion": "1"}, tags)

    assert choose(listing, Reference.of("pump"), GATEWAY).version == "1"


def test_nothing_to_run_says_why() -> None:
    """A halted champion, and a registry without one, are told in a sentence."""
    halted = Listing("pump", {"champion": "1"}, {"edge.halted.1": "it is wrong"})
    strange = Listing("pump", {"canary": "2"})

    assert "halted: it is wrong" in choose(halted, Reference("pump"), GATEWAY).reason
    assert "none of gw-gw-07" in choose(strange, Reference("pump"), GATEWAY).reason


def test_a_folder_without_aliases_gives_its_newest_release() -> None:
    """Pre-releases and halted versions are left out."""
    there = ("1.0.0", "1.1.0", "1.2.0", "2.0.0-rc.1")
    listing = Listing("pump", tags={"edge.halted.1.2.0": "no"}, versions=there)

    assert choose(listing, Reference("pump"), GATEWAY) == Choice("1.1.0", "newest")


def test_other_aliases_and_pins_are_taken_by_their_word() -> None:
    """NAME@night follows only that alias; NAME@1.0.0 is that version."""
    listing = Listing("pump", {**ALIASES, "night": "5"})

    assert choose(listing, Reference.of("pump@night"), GATEWAY).version == "5"
    assert choose(listing, Reference.of("pump@1.0.0"), GATEWAY).version == "1.0.0"
    assert choose(listing, Reference.of("pump@7"), GATEWAY).via == "pinned"


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=8))
def test_a_share_grows_and_never_swaps(model: str, gateway: str, salt: str) -> None:
    """Whoever is in a share of 10 % is in every larger one."""
    assert 0 <= bucket(model, gateway, salt) < 100


def test_ten_percent_is_about_ten_percent() -> None:
    """Of 2,000 gateways about 200 are in, and another salt draws others."""
    names = [f"gw-{i:04}" for i in range(2000)]
    first = {n for n in names if bucket("pump", n) < 10}
    second = {n for n in names if bucket("pump", n, "b") < 10}

    assert 150 < len(first) < 250
    assert first != second
