"""A report of a pump model as a plant would have it, small."""

from __future__ import annotations

from edge_agent.report.document import (
    Accuracy,
    Alarms,
    Column,
    Day,
    Drift,
    Fairness,
    Group,
    Happened,
    Measure,
    Place,
    Report,
    Version,
)


def column(name: str = "flow_mean", *, drifted: bool = False) -> Column:
    """One feature, with a gap where nothing is known."""
    live = (0.0, 0.05, 0.15, 0.8) if drifted else (0.0, 0.5, 0.49, 0.01)
    return Column(
        name,
        "m3/h",
        (60.0, 80.0, 100.0),
        (0.0, 0.5, 0.5, 0.0),
        live,
        80.9,
        71.2 if drifted else 80.7,
        5.1,
        None,
        0.012,
        1.3 if drifted else 0.01,
        0.4,
        0.45,
        None,
        2.5 if drifted else 0.1,
        "drifted" if drifted else "steady",
    )


def report(name: str = "pump-anomaly") -> Report:
    """Everything filled in."""
    days = (
        Day("2026-11-01", 0.9, 0.7, 0.97, 12),
        Day("2026-11-02", None),
        Day("2026-11-03", 0.8, 0.6, 0.9, 3),
    )
    passport = {
        "title": "Pumps that behave unlike a healthy pump",
        "kind": "anomaly",
        "owner": "Reliability",
        "limits": ["Not for other pumps", "Sees no leak"],
        "features": [
            {
                "name": "flow_mean",
                "tag": "flow",
                "aggregate": "mean",
                "window": 60.0,
                "trained": [55.0, 110.0],
            }
        ],
        "training": {"data": "hall 1", "rows": 9000, "start": "2026-01-01"},
        "accuracy": {"metric": "recall", "level": 0.8, "min_labels": 50},
    }
    return Report(
        name,
        "gw-07",
        "hamburg",
        "2026-11-25T12:00:00Z",
        "2026-10-26",
        "2026-11-25",
        "0.3.0",
        versions=(
            Version(
                "1.0.0",
                "ab" * 32,
                "plant key",
                passport,
                (Happened("2026-11-01T00:00:00Z", "active", "", "first version"),),
            ),
        ),
        places=(Place("pumps", "pump", 24, "1.0.0", "model", "", ("flow drifts",)),),
        drift=(
            Drift(
                "pumps",
                "water/early",
                "2026-11-24",
                "2026-11-25",
                86400,
                (column(), column("speed_mean", drifted=True)),
                days,
            ),
        ),
        accuracy=(
            Accuracy(
                "pumps",
                "1.0.0",
                "recall at least 0.8 on 50 labels",
                "breached",
                64,
                0.31,
                "half of them within 2 days",
                (
                    Measure("recall", 0.61, 0.5, 0.71, 64),
                    Measure("F1", 0.7, None, None, 64, estimated=True, note="CBPE"),
                ),
                (30, 4, 19, 11),
                days,
                "recall",
                0.8,
            ),
        ),
        alarms=(
            Alarms(
                *("pumps", 15, 9, 4, 2, 0.16, "2 a week and asset"),
                "A threshold of 1.2 would hold the budget.",
                days,
            ),
        ),
        fairness=(
            Fairness(
                "pumps",
                "shift",
                "alarm rate",
                (
                    Group("early", 300, 0.02, 0.01, 0.04),
                    Group("night", 280, 0.09, 0.06, 0.13),
                    Group("late", 3, None, None, None),
                ),
                "night has more alarms than chance explains",
            ),
        ),
        incidents=(
            Happened("2026-11-20T02:00:00Z", "model taken off", "pumps", "no number"),
        ),
        notes=("Alarms before 2026-10-30 are forgotten.",),
    )
