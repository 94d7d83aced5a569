from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.monitoring.statistics import divergences, kolmogorov, wasserstein
from tests.monitoring import oracles

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.samples import F64

needs_oracles = pytest.mark.skipif(
    not oracles.ORACLES.exists(), reason="the oracles are not here"
)

ONE_TO_TEN = np.arange(1.0, 11.0)
THREE_ON = np.arange(3.0, 13.0)
FIVES, SIXES = np.full(50, 5.0), np.full(40, 6.0)
LEFT, RIGHT = np.linspace(0.0, 1.0, 100), np.linspace(10.0, 11.0, 100)


@needs_oracles
@pytest.mark.parametrize("held", oracles.HELD, ids=lambda h: f"{h.name} {h.library}")
def test_agrees_with_the_library_on_every_pair(held: oracles.Held) -> None:
    """A statistic is the library's, to a millionth, on all pairs of samples."""
    for name, (reference, current) in oracles.pairs().items():
        found = held.ours(reference, current)
        assert found == pytest.approx(held.theirs(name), abs=oracles.CLOSE), name


@needs_oracles
@pytest.mark.parametrize("held", oracles.HELD, ids=lambda h: f"{h.name} {h.library}")
def test_a_small_probability_keeps_its_digits(held: oracles.Held) -> None:
    """Not only the difference is small: the digits of 1e-293 are the library's too."""
    for name, (reference, current) in oracles.pairs().items():
        theirs = held.theirs(name)
        # what is next to 0 on a scale of 1 is what rounding leaves
        least = 0.0 if held.name.startswith("KS, p") else 1e-9
        found = held.ours(reference, current)
        assert found == pytest.approx(theirs, rel=2e-6, abs=least), name


@pytest.mark.parametrize(
    ("ours", "reference", "current", "wanted"),
    [
        (divergences.psi_evidently, ONE_TO_TEN, THREE_ON, 2.760339009481262),
        (divergences.psi_deciles, ONE_TO_TEN, THREE_ON, 1.599891962474253),
        (divergences.jensen_shannon_evidently, ONE_TO_TEN, THREE_ON, 0.3723297411),
        (divergences.jensen_shannon_nannyml, ONE_TO_TEN, THREE_ON, 0.2**0.5),
        (divergences.hellinger_evidently, ONE_TO_TEN, THREE_ON, 0.231494791488328),
        (divergences.hellinger_nannyml, ONE_TO_TEN, THREE_ON, 0.2**0.5),
        (kolmogorov.ks_d, ONE_TO_TEN, THREE_ON, 0.2),
        (kolmogorov.ks_p, ONE_TO_TEN, THREE_ON, 0.9944575548290717),
        (kolmogorov.ks_p_asymptotic, ONE_TO_TEN, THREE_ON, 0.9616),
        (wasserstein.wasserstein, ONE_TO_TEN, THREE_ON, 2.0),
        (wasserstein.wasserstein_evidently, ONE_TO_TEN, THREE_ON, 0.6963106238),
        (divergences.psi_evidently, FIVES, SIXES, 18.4188386758),
        (divergences.psi_deciles, FIVES, SIXES, 0.0),
        (divergences.jensen_shannon_evidently, FIVES, SIXES, np.log(2.0) ** 0.5),
        (divergences.jensen_shannon_nannyml, FIVES, SIXES, 1.0),
        (divergences.hellinger_evidently, FIVES, SIXES, 1.0),
        (divergences.hellinger_nannyml, FIVES, SIXES, 1.0),
        (kolmogorov.ks_d, FIVES, SIXES, 1.0),
        (wasserstein.wasserstein, FIVES, SIXES, 1.0),
        (wasserstein.wasserstein_evidently, FIVES, SIXES, 1000.0),
        (divergences.jensen_shannon_nannyml, LEFT, RIGHT, 1.0),
        (kolmogorov.ks_p, LEFT, RIGHT, 2.2087606931995054e-59),
        (wasserstein.wasserstein, LEFT, RIGHT, 10.0),
    ],
)
def test_small_cases_by_hand(
    ours: Callable[[F64, F64], float], reference: F64, current: F64, wanted: float
) -> None:
    """Cases that can be checked on paper come out as the libraries have them."""
    assert ours(reference, current) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_a_rare_bin_makes_evidentlys_zeros_smaller() -> None:
    """Beside a share of 1e-4 or less, an empty bin has a millionth of that one."""
    reference, current = np.r_[np.zeros(19_999), 1.0], np.full(10, 2.0)
    p = np.array([0.99995, 5e-5, 5e-11])
    q = np.array([1e-4, 1e-4, 1.0])
    wanted = ((p - q) * np.log(p / q)).sum()
    assert divergences.psi_evidently(reference, current) == pytest.approx(wanted)


@needs_oracles
def test_gaps_are_left_out_as_evidently_and_nannyml_do() -> None:
    """With every tenth number missing the figures are those of the rest."""
    reference, current = oracles.pairs()["normal_shift"]
    current[::10] = np.nan
    for ours, theirs in (
        (divergences.psi_evidently, 0.321415),
        (divergences.jensen_shannon_evidently, 0.184407),
        (wasserstein.wasserstein_evidently, 0.524206),
        (kolmogorov.ks_p, 0.002312),
        (divergences.jensen_shannon_nannyml, 0.222765),
        (kolmogorov.ks_d, 0.201852),
        (wasserstein.wasserstein, 0.522525),
    ):
        assert ours(reference, current) == pytest.approx(theirs, abs=1e-6)
