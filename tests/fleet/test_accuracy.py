"""Accuracy of the archive's labels equals the agent's own on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.fleet.accuracy import ONLY_ALARMS, SHIFT_S, accuracy
from edge_agent.monitoring.accuracy.counting import summed
from edge_agent.monitoring.accuracy.joined import Joined
from edge_agent.monitoring.accuracy.measuring import measured
from edge_agent.monitoring.accuracy.requirement import Requirement
from tests.fleet.made import BEGIN, label, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.fleet.accuracy import Accuracy
    from edge_agent.fleet.lake import Lake

WORDS = ("good", "bad")


def labels(count: int, seed: int, *, parts: bool) -> list[dict[str, object]]:
    """Rows by chance: several assets, two versions, some with a number."""
    chance = np.random.default_rng(seed)
    minute = 60_000_000
    return [
        label(
            BEGIN + int(chance.integers(0, 6 * 1440)) * minute,
            seq,
            asset=f"P{chance.integers(3)}",
            part=f"part{seq}" if parts else "",
            model_version=f"{chance.integers(1, 3)}.0",
            predicted=WORDS[int(chance.random() < 0.3)],
            state=WORDS[int(chance.random() < 0.4)],
            score=float(chance.normal()),
            value=float(chance.normal()) if chance.random() < 0.5 else None,
        )
        for seq in range(count)
    ]


def in_memory(rows: list[dict[str, object]], version: str, *, parts: bool) -> Joined:
    """The same rows as the gateway's desk has them."""
    mine = [row for row in rows if row["model_version"] == version]

    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        given = (np.nan if row[name] is None else row[name] for row in mine)
        return np.array(list(given), np.float64)

    joined = Joined.of(
        column("score"),
        np.array([row["predicted"] == "bad" for row in mine]),
        np.array([row["state"] == "bad" for row in mine]),
        value=column("value"),
        asset=np.array([int(str(row["asset"])[1:]) for row in mine]),
        at=np.array([row["ts"] for row in mine], np.int64) * 1000,
    )
    return joined if parts else joined.in_stretches(SHIFT_S)


@pytest.mark.parametrize("parts", [True, False])
def test_it_equals_the_agents_own(
    archive: Path, opened: Callable[..., Lake], *, parts: bool
) -> None:
    """Values and intervals of each version, with rows of a shift as one piece."""
    rows = labels(400, 5, parts=parts)
    put(archive, "labels", "s", "g", rows)

    found = {one.model_version: one for one in accuracy(opened()) if one.site == "s"}

    for version in ("1.0", "2.0"):
        joined = in_memory(rows, version, parts=parts)
        sums = summed(joined, np.zeros(len(joined), np.int32), 1)
        wanted, one = measured(sums), found[version]
        assert (one.labels, one.evidence) == (len(joined), int(sums.pieces[0]))
        for name in ("precision", "recall", "f1", "mae"):
            figure = wanted.of(name)
            got = getattr(one, name)
            assert got == pytest.approx((figure.value, figure.low, figure.high))


def test_the_fleet_is_its_sites_together(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """The same asset and shift of another gateway is another piece of evidence."""
    for site, gateway, seed in (("a", "g", 1), ("a", "h", 2), ("b", "g", 3)):
        put(archive, "labels", site, gateway, labels(100, seed, parts=False))

    found = accuracy(opened())

    whole = [one for one in found if not one.site and one.model_version == "1.0"]
    sites = [one for one in found if one.site and one.model_version == "1.0"]
    assert len(whole) == 1
    assert whole[0].labels == sum(one.labels for one in sites)
    assert whole[0].evidence == sum(one.evidence for one in sites)
    assert whole[0].tp == sum(one.tp for one in sites)


def one_of(lake: Lake) -> Accuracy:
    """Of the only site."""
    (one,) = [one for one in accuracy(lake) if one.site]
    return one


def test_the_newest_label_of_a_row_counts(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Corrected, and taken back."""
    wrong = {"row_id": "r1", "predicted": "bad"}
    rows = [
        *(
            label(BEGIN, 1, **wrong, state="bad"),
            label(BEGIN, 2, **wrong, state="good"),
        ),
        label(BEGIN, 3, row_id="r2", predicted="bad", state="bad"),
        label(BEGIN, 4, row_id="r2", predicted="bad", state=""),
        label(BEGIN, 5, row_id="r3", predicted="good", state="good"),
    ]
    put(archive, "labels", "s", "g", rows)

    one = one_of(opened())

    assert (one.tp, one.fp, one.fn, one.tn, one.labels) == (0, 1, 0, 1, 2)


def test_recall_is_refused_where_only_alarms_were_looked_at(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """It would read 1 whatever was missed; precision can be told."""
    rows = [label(BEGIN, i, predicted="bad", state=WORDS[i % 2]) for i in range(40)]
    put(archive, "labels", "s", "g", rows)

    one = one_of(opened())

    assert one.precision.value == pytest.approx(0.5)
    assert (one.recall.value, one.f1.value, one.because) == (None, None, ONLY_ALARMS)


def test_a_requirement_is_held_against_the_interval(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Breached beyond chance, and not said before there are labels enough."""
    rows = [
        label(BEGIN, i, part=str(i), predicted=WORDS[i % 2], state="bad")
        for i in range(60)
    ]
    put(archive, "labels", "s", "g", rows)

    def standing(level: float, fewest: int) -> str:
        wanted = {"pump": Requirement("recall", level, fewest)}
        return accuracy(opened(), wanted)[0].standing

    assert standing(0.9, 50) == "breached"
    assert standing(0.4, 50) == "met"
    assert standing(0.9, 61) == "not yet"
