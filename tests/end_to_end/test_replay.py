"""A recording of a live run, replayed, gives its scores again, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end import pumps
from tests.end_to_end.listening import Historian
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent
from tests.end_to_end.waiting import until
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path

    from tests import peers

pytestmark = pytest.mark.timeout(180)
RATE = 100
"""Rows a second of each pump."""


def windowed() -> dict[str, Any]:
    """The small model with its windows."""
    text = bundles.passport("windowed")
    for feature in text["features"]:
        if "window" in feature:
            feature |= {"window": "2s", "rate": RATE}
    return text


def test_a_replay_gives_the_live_scores_bit_for_bit(
    tmp_path: Path, mosquitto: peers.Mosquitto
) -> None:
    """Rows on update and on ticks, newest values and windows: every bit the same."""
    config = pumps.configuration(tmp_path, mosquitto, mosquitto)
    bundles.make(tmp_path / "models", windowed())
    config["pipelines"] |= {
        "ticking": pumps.pipeline("windowed", every="300ms"),
        "following": pumps.pipeline("windowed", on="update"),
    }
    with (
        Historian(tmp_path, mosquitto) as historian,
        Agent(tmp_path / "agent", config) as agent,
    ):
        until(agent.connected, "links")
        with Hall(mosquitto, rate=RATE) as hall:
            until(lambda: heard(historian, "ticking") > 40, "ticks with a score")
        rows = len(hall.rows)
        until(lambda: heard(historian, "small") >= rows, "all rows")
        agent.stop()

    live = {
        (topic.split("/")[-2], topic.split("/")[-4], p["ts_ms"]): p["score"]
        for topic, _, p in historian.messages("state")
        if p["score_valid"]
    }
    again = {
        (line["pipeline"], line["asset"], line["ts_ns"] // 10**6): line["score"]
        for line in agent.replayed()
        if line.get("score") is not None
    }
    until_last = max(stamp for _, _, stamp in again)
    assert again == {key: live[key] for key in live if key[2] <= until_last}
    assert {pipeline for pipeline, _, _ in again} == set(config["pipelines"])
    assert sum(pipeline == "small" for pipeline, _, _ in again) == rows


def heard(historian: Historian, pipeline: str) -> int:
    """Scores of a pipeline so far."""
    rows = [one for one in historian.messages("state") if f"/{pipeline}/" in one.topic]
    return sum(one.payload["score_valid"] for one in rows)
