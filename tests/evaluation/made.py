"""Labelled rows of tests, and what scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_agent.alarms import Limits
from edge_agent.evaluation.active import Active
from edge_agent.labels.columns import Joined, Silent
from edge_agent.labels.operators import Judged
from edge_agent.monitoring.accuracy.requirement import Requirement

S = 1_000_000_000
DAY = 86_400 * S
START = 1_700_000_000 * S
OLD, NEW = "a" * 64, "b" * 64
BAD = frozenset({"bad"})


def active(**more: Any) -> Active:  # noqa: ANN401
    """The new version of two, which scores the chance of bad."""
    limits = Limits(0.5, on_delay=0, off_delay=0)
    known: dict[str, Any] = {
        "requirement": Requirement("recall", 0.8, 50),
        "classes": ("good", "bad"),
        "bad": "bad",
    }
    return Active("model", "2.0.0", NEW, limits, 0.5, **(known | more))


def joined(
    chance: np.ndarray[Any, Any],
    bad: np.ndarray[Any, Any],
    version: np.ndarray[Any, Any] | None = None,
    **more: Any,  # noqa: ANN401
) -> Joined:
    """Parts with their label; version 1 is the old one, 2 the new one."""
    n = len(chance)
    version = np.full(n, 2, np.uint16) if version is None else version
    over = chance > 0.5
    made = [
        (v, 0, ((version == v) & ~over).sum(), ((version == v) & over).sum())
        for v in (1, 2)
    ]
    known: dict[str, Any] = {
        "assets": ("A", "B"),
        "asset": np.arange(n, dtype=np.int32) % 2,
        "at": START + np.arange(n, dtype=np.int64) * S,
        "wall": START + np.arange(n, dtype=np.int64) * S,
        "score": chance.astype(np.float32),
        "threshold": np.full(n, 0.5, np.float32),
        "over": over,
        "alarm": np.ones(n, bool),
        "scored": np.ones(n, bool),
        "by_model": np.ones(n, bool),
        "bad": bad,
        "good": ~bad,
        "value": np.full(n, np.nan, np.float32),
        "label": np.where(bad, 2, 1).astype(np.int16),
        "predicted": np.where(over, 2, 1).astype(np.int16),
        "probability": np.maximum(chance, 1 - chance).astype(np.float32),
        "context": np.zeros(n, np.uint16),
        "version": version,
        "groups": {"lot": (np.arange(n) % 2 + 1).astype(np.uint16)},
        "delay": np.full(n, 3600.0),
        "rows": np.ones(n, np.uint16),
        "piece": np.full(n, -1, np.int64),
        "episode": np.full(n, -1, np.int64),
        "words": ("", "good", "bad"),
        "contexts": ("",),
        "versions": (("", ""), ("1.0.0", OLD), ("2.0.0", NEW)),
        "group_words": {"lot": ("", "L0", "L1")},
        "predictions": np.array([0, 0, n]),
        "made": np.array(made, np.int64),
        "silent": silent(np.zeros(0)),
    }
    return Joined(**(known | more))


def silent(chance: np.ndarray[Any, Any]) -> Silent:
    """Parts of the new version without a label."""
    n = len(chance)
    return Silent(
        np.full(n, 2, np.uint16),
        np.where(chance > 0.5, 2, 1).astype(np.int16),
        np.maximum(chance, 1 - chance).astype(np.float32),
        chance.astype(np.float32),
        chance > 0.5,
    )


def no_alarms() -> Judged:
    """Nothing alarmed."""
    none, whole = np.zeros(0), np.zeros(0, np.int64)
    verdict = np.zeros(0, np.int8)
    return Judged(whole.astype(np.int32), whole, whole, none, none, verdict, ())


def drawn(n: int, seed: int = 1, wrong: float = 0.0) -> tuple[Any, Any]:
    """Chances, and what was bad: true chances, but for a share."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.5, 0.5, n)
    bad = (rng.uniform(size=n) < chance) ^ (rng.uniform(size=n) < wrong)
    return chance, bad
