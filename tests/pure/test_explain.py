"""Explanations: the tags that made a score, in words a technician can check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.config.languages import english
from edge_agent.explain import Top, Usual, explain
from edge_agent.wording import sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL = Usual(
    labels=("flow", "vibration_rms", "temperature", "level"),
    units=("m3/h", "mm/s", "degC", "m"),
    role=np.array([0, 0, 1, 1, 2]),
    aggregates=("mean", "std", "mean", "std", "slope"),
    windows=(10.0, 10.0, 10.0, 10.0, 60.0),
    low=np.array([50.0, 0.3, 1.2, 0.05, -0.01]),
    high=np.array([80.0, 0.8, 3.9, 0.09, 0.01]),
    mean=np.array([65.0, 0.5, 2.5, 0.07, 0.0]),
    std=np.array([8.0, 0.1, 0.6, 0.01, 0.004]),
)
CALM = [65.0, 0.5, 2.5, 0.07, 0.0]


def told(
    values: list[float], contributions: list[float], score: float = 7.3
) -> tuple[Top, str]:
    """Explanation and sentence of one row against a limit of 3."""
    row = np.array([values], np.float32)
    top = explain(row, np.array([contributions], np.float32), USUAL)
    return top, sentence(score, 3.0, top, 0, row, USUAL, english())


@pytest.mark.parametrize(
    ("values", "contributions", "expected"),
    [
        (
            [65, 0.5, 9.8, 0.07, 0],
            [0, 0, 7.3, 0, 0],
            (
                "Score 7.3 above limit 3.0: vibration_rms 9.8 mm/s (usual 1.2 to 3.9) "
                "far above usual"
            ),
        ),
        (
            [45, 0.5, 2.5, 0.07, 0],
            [7, 0, 0.3, 0, 0],
            "Score 7.3 above limit 3.0: flow 45 m3/h (usual 50 to 80) below usual",
        ),
        (
            [65, 0.0, 2.5, 0.07, 0],
            [0.1, 7, 0, 0, 0],
            (
                "Score 7.3 above limit 3.0: flow unusually still (std over 10 s "
                "0.00 m3/h, usual 0.30 to 0.80)"
            ),
        ),
        (
            [65, 0.5, 2.5, 0.4, 0],
            [0, 0, 0.1, 7, 0],
            (
                "Score 7.3 above limit 3.0: vibration_rms unusually restless (std "
                "over 10 s 0.400 mm/s, usual 0.050 to 0.090)"
            ),
        ),
        (
            [65, 0.5, 2.5, 0.07, 0.05],
            [0, 0, 0, 0, 7],
            (
                "Score 7.3 above limit 3.0: temperature rises unusually fast (slope "
                "over 60 s 0.050 degC/s, usual -0.010 to 0.010)"
            ),
        ),
        (
            [60, 0.5, 3.0, 0.07, 0],
            [4, 0, 3, 0, 0],
            (
                "Score 7.3 above limit 3.0: flow 60 m3/h (usual 50 to 80) does not "
                "fit the other tags; vibration_rms 3.0 mm/s (usual 1.2 to 3.9) does "
                "not fit the other tags"
            ),
        ),
    ],
    ids=["high", "low", "still", "restless", "fast", "in range"],
)
def test_the_sentence_says_what_is_unusual(
    values: list[float], contributions: list[float], expected: str
) -> None:
    """Tag, value with unit, usual range and direction; small parts are left out."""
    _, text = told(values, contributions)

    assert text == expected


def test_a_calm_row_says_so() -> None:
    """A score at or below the limit is not called above it."""
    _, text = told(CALM, [0, 0, 0, 0, 0], score=3.0)

    assert text == "Score 3.0 not above limit 3.0"


def test_the_value_shown_is_the_instruments_own() -> None:
    """A still tag is shown with its level, the number that is on the panel."""
    top, _ = told([65, 0.0, 2.5, 0.07, 0], [0.1, 7, 0, 0, 0])

    assert top.role[0].tolist() == [0, -1, -1]
    assert (top.value[0, 0], top.low[0, 0], top.high[0, 0]) == (65.0, 50.0, 80.0)
    assert top.feature[0, 0] == 1
    assert top.share[0].tolist() == [1.0, 0.0, 0.0]


def test_without_contributions_distance_decides() -> None:
    """A model that does not explain itself is explained by the reference profile."""
    values = np.array([[65, 0.5, 9.8, 0.07, 0]], np.float32)

    top = explain(values, None, USUAL)

    assert top.role[0, 0] == 1
    assert top.share[0, 0] > 0.9


def test_an_asset_type_with_one_tag_has_one_reason() -> None:
    """Places beyond the tags there are stay empty."""
    one = Usual(
        *(("flow",), ("m3/h",), np.array([0]), ("last",), (None,)),
        *(np.ones(1), np.ones(1), np.ones(1), np.ones(1)),
    )

    top = explain(np.ones((2, 1), np.float32), np.ones((2, 1), np.float32), one)

    assert top.role.tolist() == [[0, -1, -1]] * 2
    assert top.value.shape == (2, 3)


def test_a_row_without_a_score_has_no_reason() -> None:
    """Zero contributions, as for a row that was not run, name no tag."""
    top = explain(
        np.full((1, 5), np.nan, np.float32), np.zeros((1, 5), np.float32), USUAL
    )

    assert (top.role == -1).all()
    assert np.isnan(top.value).all()


numbers = st.floats(-10, 1000, width=32) | st.sampled_from([np.nan, np.inf])


@given(
    values=arrays(np.float32, (6, 5), elements=st.floats(-100, 100, width=32)),
    contributions=arrays(np.float32, (6, 5), elements=numbers),
    order=st.permutations(range(6)),
)
@settings(max_examples=100, deadline=None)
def test_shares_add_up_whatever_the_model_says(
    values: NDArray[np.float32], contributions: NDArray[np.float32], order: list[int]
) -> None:
    """Shares are what a plain loop finds; rows do not touch each other or the input."""
    kept = contributions.copy()

    top = explain(values, contributions, USUAL)
    moved = explain(values[order], contributions[order], USUAL)

    for row in range(6):
        sums: dict[int, float] = {}
        for feature, part in enumerate(contributions[row].tolist()):
            good = part if np.isfinite(part) and part > 0 else 0.0
            role = int(USUAL.role[feature])
            sums[role] = sums.get(role, 0.0) + good
        total = sum(sums.values())
        best = sorted(sums.items(), key=lambda kv: (-kv[1], kv[0]))
        expected = [(r, a / total) for r, a in best if a > 0]
        found = [
            (int(r), s)
            for r, s in zip(top.role[row], top.share[row], strict=True)
            if r >= 0
        ]
        assert [r for r, _ in found] == [r for r, _ in expected]
        assert [s for _, s in found] == pytest.approx([s for _, s in expected])
        assert sentence(5.0, 3.0, top, row, values, USUAL, english()).isascii()
    assert np.array_equal(contributions, kept, equal_nan=True)
    _same(moved.role, top.role[order])
    _same(moved.share, top.share[order])


def _same(one: NDArray[Any], other: NDArray[Any]) -> None:
    assert np.array_equal(one, other)
