"""Models, alarms, losses and silence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_agent.fleet.alarms import alarms
from edge_agent.fleet.models import models
from edge_agent.fleet.silent import silent
from edge_agent.monitoring.accuracy.intervals import poisson
from tests.fleet.made import BEGIN, DAY_US, EVER, HOUR_US, alarm, health, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.fleet.lake import Lake

MINUTE_US = 60_000_000


def test_the_newest_word_of_each_pipeline_is_told(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """With its age, version, digest, state and reason."""
    rows = [
        health(BEGIN, 1, model_version="1.0"),
        health(BEGIN + 5_000_000, 3, model_version="2.0", model_digest="d2"),
        health(BEGIN + 4_000_000, 2, model_version="1.0"),
        health(BEGIN, 4, pipeline="fans", state="by limits", because="no model"),
    ]
    put(archive, "health", "s", "g", rows)

    fans, pumps = models(opened(), (BEGIN + 65_000_000) * 1000)

    assert (fans.state, fans.because) == ("by limits", "no model")
    assert (pumps.model_version, pumps.model_digest) == ("2.0", "d2")
    assert (pumps.at, pumps.age_s) == ("2026-01-01T00:00:05Z", 60.0)


def test_alarm_rates_are_an_asset_and_week(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """By the days with a health row; an alarm with two rows is one, its end is none."""
    days = [health(BEGIN + day * DAY_US, day) for day in range(7)]
    put(archive, "health", "s", "g", days)
    rows = [alarm(BEGIN + i * HOUR_US, i, asset=f"P{i % 3}") for i in range(7)]
    rows += [
        alarm(BEGIN, 90, occurrence="0", asset="P0"),
        alarm(BEGIN, 91, state="normal"),
    ]
    put(archive, "alarms", "s", "g", rows)

    (one,) = alarms(opened())

    low, high = poisson(7, 10)
    assert (one.count, one.asset_weeks, one.rate) == (7, 10.0, 0.7)
    assert (one.low, one.high) == pytest.approx((float(low), float(high)))
    assert one.top[0] == ("g", "P0", 3)
    assert one.flood_hours == 0


def test_pipelines_without_alarms_have_a_rate_too(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Zero, with how much it may be; unknown where nothing says who was watched."""
    put(archive, "health", "s", "g", [health(BEGIN, pipeline="fans")])
    put(archive, "alarms", "s", "g", [alarm(BEGIN, 1)])

    found = {one.pipeline: one for one in alarms(opened())}

    assert (found["fans"].rate, found["fans"].count) == (0.0, 0)
    assert (found["fans"].high or 0) > 1
    assert (found["pumps"].rate, found["pumps"].count) == (None, 1)


def test_a_flood_is_more_than_ten_alarms_of_a_site_in_ten_minutes(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """From all its gateways together; ten are none yet."""
    for hour, each in enumerate((5, 6, 6)):
        for gateway in ("g", "h"):
            rows = [
                alarm(BEGIN + hour * HOUR_US + i * MINUTE_US, 10 * hour + i)
                for i in range(each)
            ]
            put(archive, "alarms", "s", gateway, rows)

    assert [one.flood_hours for one in alarms(opened())] == [2]


def test_silence_is_a_day_without_a_row_of_any_table(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Also of gateways known by a folder only, or whose last day is damaged."""
    now = BEGIN + 10 * DAY_US
    put(archive, "health", "s", "well", [health(now - HOUR_US)])
    put(archive, "health", "s", "quiet", [health(now - 2 * DAY_US)])
    put(archive, "health", "s", "no health", [health(now - 3 * DAY_US)])
    put(archive, "alarms", "s", "no health", [alarm(now - HOUR_US, 1)])
    put(archive, "labels", "s", "labels only", [{"ts": now - 4 * DAY_US, "boot": 1}])
    (archive / "drift/site=s/gateway=folder").mkdir(parents=True)
    put(archive, "health", "s", "damaged", [health(now - 3 * DAY_US)])
    (one,) = put(archive, "health", "s", "damaged", [health(now - HOUR_US)])
    (archive / str(one)).write_bytes(b"")
    lake = opened()

    found = {one.gateway: one for one in silent(lake, now * 1000)}

    assert set(found) == {"quiet", "labels only", "folder", "damaged"}
    assert (found["folder"].last, found["folder"].silent_s) == ("", None)
    assert (found["quiet"].table, found["quiet"].silent_s) == ("health", 2 * 86_400)
    assert found["labels only"].table == "labels"
    assert found["damaged"].silent_s == 3 * 86_400
    assert list(lake.left_out) == [str(one)]


def test_other_sites_are_not_silent_when_one_is_asked_of(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """What is asked bounds the gateways, too."""
    for site in ("north", "south"):
        put(archive, "health", site, "g", [health(BEGIN)])
    now = (BEGIN + 5 * DAY_US) * 1000

    found = silent(opened(replace(EVER, site="north")), now)

    assert [(one.site, one.gateway) for one in found] == [("north", "g")]
