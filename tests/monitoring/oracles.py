"""What other people's libraries made of the same numbers, and which of ours it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.monitoring.statistics import divergences, kolmogorov, wasserstein
from edge_agent.monitoring.statistics.adwin import Adwin
from edge_agent.monitoring.statistics.page_hinkley import PageHinkley, Way
from tests.end_to_end.figures import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.samples import F64

ORACLES = SHARED / "oracles"
CLOSE = 1e-6


@dataclass(frozen=True)
class Held:
    """One of our statistics against one of a library's."""

    name: str
    library: str
    ours: Callable[[F64, F64], float]
    file: str
    keys: tuple[str, ...]

    def theirs(self, pair: str) -> float:
        """What the library found."""
        found: Any = results(self.file)[pair]
        for key in self.keys:
            found = found[key]
        return float(found)


def results(file: str) -> dict[str, Any]:
    """Results of a file of oracles."""
    found = json.loads((ORACLES / file).read_text(encoding="utf-8"))["results"]
    assert isinstance(found, dict)
    return found


def pairs() -> dict[str, tuple[F64, F64]]:
    """Reference and current sample by name."""
    found = json.loads((ORACLES / "inputs_pairs.json").read_text(encoding="utf-8"))
    return {
        name: (np.array(pair["ref"], float), np.array(pair["cur"], float))
        for name, pair in found.items()
    }


def streams() -> dict[str, F64]:
    """Streams by name."""
    found = json.loads((ORACLES / "inputs_streams.json").read_text(encoding="utf-8"))
    return {name: np.array(values, float) for name, values in found.items()}


_THEIRS = "out_evidently_frouros_scipy.json"
_NANNYML = "out_nannyml.json"
RIVER = "out_streams_river_0.26.1.json"

HELD = (
    Held(
        "PSI, sturges or values",
        "evidently",
        divergences.psi_evidently,
        _THEIRS,
        ("evidently", "psi"),
    ),
    Held(
        "PSI, reference deciles",
        "textbook",
        divergences.psi_deciles,
        _THEIRS,
        ("textbook", "psi_ref_deciles_eps1e_4"),
    ),
    Held(
        "Jensen-Shannon, base e",
        "evidently",
        divergences.jensen_shannon_evidently,
        _THEIRS,
        ("evidently", "jensenshannon"),
    ),
    Held(
        "Jensen-Shannon, base 2",
        "nannyml",
        divergences.jensen_shannon_nannyml,
        _NANNYML,
        ("jensen_shannon",),
    ),
    Held(
        "Hellinger, overlap",
        "evidently",
        divergences.hellinger_evidently,
        _THEIRS,
        ("evidently", "hellinger"),
    ),
    Held(
        "Hellinger, doane",
        "nannyml",
        divergences.hellinger_nannyml,
        _NANNYML,
        ("hellinger",),
    ),
    Held("KS, D", "scipy", kolmogorov.ks_d, _THEIRS, ("scipy", "ks_stat")),
    Held("KS, D", "nannyml", kolmogorov.ks_d, _NANNYML, ("kolmogorov_smirnov",)),
    Held("KS, p (auto)", "scipy", kolmogorov.ks_p, _THEIRS, ("scipy", "ks_p_auto")),
    Held("KS, p", "evidently", kolmogorov.ks_p, _THEIRS, ("evidently", "ks_p")),
    Held(
        "KS, p (asymptotic)",
        "scipy",
        kolmogorov.ks_p_asymptotic,
        _THEIRS,
        ("scipy", "ks_p_asymp"),
    ),
    Held(
        "Wasserstein-1",
        "scipy",
        wasserstein.wasserstein,
        _THEIRS,
        ("scipy", "wasserstein"),
    ),
    Held(
        "Wasserstein-1",
        "nannyml",
        wasserstein.wasserstein,
        _NANNYML,
        ("wasserstein",),
    ),
    Held(
        "Wasserstein-1 over std",
        "evidently",
        wasserstein.wasserstein_evidently,
        _THEIRS,
        ("evidently", "wasserstein_normed"),
    ),
)

DETECTORS: dict[str, Adwin | PageHinkley] = {
    "river.ADWIN_default": Adwin(),
    "river.ADWIN_delta0.05_clock1": Adwin(delta=0.05, clock=1),
    "river.PageHinkley_default": PageHinkley(),
    "river.PageHinkley_thr5_delta0.005": PageHinkley(threshold=5.0),
    "river.PageHinkley_up_thr20_alpha1": PageHinkley(
        threshold=20.0, alpha=1.0, way=Way.UP
    ),
}
"""Ours with the settings of river's."""
