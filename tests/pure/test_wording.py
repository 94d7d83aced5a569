"""What a German technician reads."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.config.languages import catalogue
from edge_agent.explain import Ranges, Usual, explain
from edge_agent.wording import sentence
from tests.pure.test_explain import USUAL

GERMAN = catalogue("de").phrases


@pytest.mark.parametrize(
    ("values", "contributions", "expected"),
    [
        (
            [65, 0.5, 9.8, 0.07, 0],
            [0, 0, 7.3, 0, 0],
            "vibration_rms 9,8 mm/s (üblich 1,2 bis 3,9), weit über dem Üblichen",
        ),
        (
            [45, 0.5, 2.5, 0.07, 0],
            [7, 0, 0.3, 0, 0],
            "flow 45 m3/h (üblich 50 bis 80), unter dem Üblichen",
        ),
        (
            [65, 0.0, 2.5, 0.07, 0],
            [0.1, 7, 0, 0, 0],
            (
                "flow ungewöhnlich ruhig (Standardabweichung über 10 s: 0,00 m3/h, "
                "üblich 0,30 bis 0,80)"
            ),
        ),
        (
            [65, 0.5, 2.5, 0.07, 0.05],
            [0, 0, 0, 0, 7],
            (
                "temperature steigt ungewöhnlich schnell (Steigung über 60 s: 0,050 "
                "degC/s, üblich -0,010 bis 0,010)"
            ),
        ),
        (
            [60, 0.5, 3.0, 0.07, 0],
            [4, 0, 3, 0, 0],
            (
                "flow 60 m3/h (üblich 50 bis 80) passt nicht zu den anderen "
                "Messwerten; vibration_rms 3,0 mm/s (üblich 1,2 bis 3,9) passt nicht "
                "zu den anderen Messwerten"
            ),
        ),
    ],
    ids=["high", "low", "still", "fast", "in range"],
)
def test_german_sentences(
    values: list[float], contributions: list[float], expected: str
) -> None:
    """Whole sentences of their own, a comma before decimals, units as they are."""
    row = np.array([values], np.float32)
    top = explain(row, np.array([contributions], np.float32), USUAL)

    text = sentence(7.3, 3.0, top, 0, row, USUAL, GERMAN)

    assert text == f"Modellwert 7,3 über dem Grenzwert 3,0: {expected}"


@pytest.mark.parametrize(
    ("aggregate", "window", "expected"),
    [
        (
            "count",
            60.0,
            "parts über dem Üblichen (Anzahl über 60 s: 9, üblich 2 bis 8)",
        ),
        ("age", None, "parts über dem Üblichen (Alter 9 s, üblich 2 bis 8)"),
        ("max", 2.5, "parts (größter Wert über 2,5 s) 9 m (üblich 2 bis 8), über dem"),
    ],
)
def test_an_aggregate_has_its_own_unit(
    aggregate: str, window: float | None, expected: str
) -> None:
    """A count of metres is no metres, an age is in seconds."""
    made = Usual(
        *(("parts",), ("m",), np.array([0]), (aggregate,), (window,)),
        *(np.array([2.0]), np.array([8.0]), np.array([5.0]), np.array([1.0])),
    )
    row = np.array([[9.0]], np.float32)
    top = explain(row, row, made)

    digits = sentence(70.0, 30.0, top, 0, row, made, GERMAN).replace(",0", "")

    assert expected in digits


def test_the_usual_range_is_the_context_s() -> None:
    """45 m3/h is low for water in general and right for the thin product."""
    low, high = np.array([[40.0], [50.0]]), np.array([[48.0], [80.0]])
    made = Usual(
        *(("flow",), ("m3/h",), np.array([0]), ("last",), (None,)),
        *(low[1], high[1], np.array([65.0]), np.array([8.0])),
        Ranges(low, high, np.array([[44.0], [65.0]]), np.array([[2.0], [8.0]])),
    )
    rows = np.full((2, 1), 45, np.float32)
    place = made.places(np.array([0, -1], np.int32), 2)
    top = explain(rows, None, made, place)

    said = [
        sentence(7.0, 3.0, top, i, rows, made, GERMAN, int(place[i])) for i in (0, 1)
    ]

    assert "(üblich 40,0 bis 48,0) passt nicht" in said[0]
    assert "(üblich 50 bis 80), unter dem Üblichen" in said[1]
    assert top.low[:, 0].tolist() == [40.0, 50.0]
    assert top.share[:, 0].tolist() == [1.0, 1.0]
