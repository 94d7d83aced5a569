"""The budget of false alarms: as a short text or as a block."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from edge_agent.config import loading
from edge_agent.config.monitoring import AlarmBudget, parse_rate
from edge_agent.config.published import json_schema
from edge_agent.config.scalars import Wrong

BAD = Path(__file__).with_name("bad") / "alarm_budget_words.yaml"


def written(tmp_path: Path, budget: str) -> AlarmBudget | None:
    """The budget of a pipeline with this text in its place."""
    path = tmp_path / "agent.yaml"
    path.write_text(BAD.read_text().replace("2 a week", budget))
    return loading.read(path).config.pipelines["pump-anomaly"].alarm.budget


@pytest.mark.parametrize(
    ("text", "per_week"),
    [("2 per week", 2.0), ("'0.5 per day'", 3.5), ("3 per month", 0.7)],
)
def test_a_budget_is_a_number_of_alarms_in_a_time(
    text: str, per_week: float, tmp_path: Path
) -> None:
    """Short, with the defaults of the block; a month is thirty days."""
    found = written(tmp_path, text)

    assert found is not None
    assert found.per_week == pytest.approx(per_week)
    assert found == AlarmBudget(per_week=found.per_week)


def test_a_budget_may_be_a_block(tmp_path: Path) -> None:
    """Where the threshold may move by itself."""
    found = written(tmp_path, "{ per_week: 2, apply: true, at_most: 0.1 }")

    assert found == AlarmBudget(per_week=2.0, apply=True, at_most=0.1)


@pytest.mark.parametrize(
    "text", ["0 per week", "-1 per day", "two per week", "per week"]
)
def test_no_budget_is_no_number(text: str) -> None:
    """Nothing, or less, cannot be kept."""
    with pytest.raises(Wrong):
        parse_rate(text)


def test_editors_know_both_ways() -> None:
    """And mark what is neither."""
    schema = {"$defs": json_schema()["$defs"], "$ref": "#/$defs/AlarmBudget"}

    jsonschema.validate("2 per week", schema)
    jsonschema.validate({"per_week": 2, "apply": True}, schema)
    for wrong in ("2 a week", {"apply": True}, {"per_week": 2, "aply": True}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
