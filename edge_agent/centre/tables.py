"""The tables of the archive: names, types and meanings of their columns. Pure.

One place for those who write (`centre`), ask (`fleet`) and declare (Spark, Trino). A
column is never renamed, removed or given another type: readers must be able to read
years of objects at once. A new one comes at the end and is null in older objects.

Every table is partitioned by ``site``, ``gateway`` and ``day`` (UTC), which are no
columns of the objects. ``gateway, boot, seq`` names a row (in ``drift`` and
``baselines`` with ``feature`` and ``context``): rows of an object that was written
again by compaction, or of a gateway that was cut off between PUT and acknowledgement,
may be there twice for a while, and a reader keeps one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Type = Literal[
    "string",
    "int32",
    "int64",
    "float64",
    "bool",
    "timestamp",
    "list<int64>",
    "list<float64>",
]
"""``timestamp`` is in microseconds, UTC."""
PARTITIONS = ("site", "gateway", "day")


_ROW = ("boot", "seq")


class Column(NamedTuple):
    """A column; anything but ``boot`` and ``seq`` may be null."""

    name: str
    type: Type
    meaning: str


class Table(NamedTuple):
    """A table."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Beside the gateway: what names a row."""


_PREDICTIONS = (
    Column("ts", "timestamp", "the time the row stands for"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("pipeline", "string", "name"),
    Column("asset", "string", "id"),
    Column("part", "string", "id of a part, empty for none"),
    Column("model", "string", "name"),
    Column("model_version", "string", "as its passport says"),
    Column("model_digest", "string", "SHA-256 over the bundle"),
    Column("score", "float64", "null where there is none, see no_score"),
    Column("threshold", "float64", "alarms come above it"),
    Column("alarm", "bool", "an alarm was active behind the row"),
    Column("severity", "int32", "0 to 1000"),
    Column("quality", "int32", "0 good, 1 uncertain, 2 bad"),
    Column("completeness", "float64", "0 to 1, of the input"),
    Column("age_s", "float64", "of the oldest input"),
    Column("no_score", "string", "why there is none, empty where there is one"),
    Column("fallback", "string", "rung of the ladder that scored"),
    Column("context", "string", "recipe, product, shift; empty for none"),
    Column("label", "string", "likeliest class, empty for none"),
    Column("top1_tag", "string", "that contributed most, empty for none"),
    Column("top1_value", "float64", "of it"),
    Column("top1_share", "float64", "of the score, 0 to 1"),
)
_ALARMS = (
    Column("ts", "timestamp", "of the transition"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("occurrence", "string", "ties both ends of an alarm together"),
    Column("pipeline", "string", "name"),
    Column("asset", "string", "id"),
    Column("part", "string", "id of a part, empty for none"),
    Column("state", "string", "active or normal"),
    Column("since", "timestamp", "the alarm began"),
    Column("score", "float64", "behind it"),
    Column("threshold", "float64", "at the time"),
    Column("severity", "int32", "0 to 1000"),
    Column("reason", "string", "one sentence"),
    Column("context", "string", "empty for none"),
    Column("model", "string", "name"),
    Column("model_version", "string", "as its passport says"),
    Column("model_digest", "string", "SHA-256 over the bundle"),
    Column("fallback", "string", "rung of the ladder that scored"),
    Column("top", "string", "JSON: role, value, usual low and high, share; most first"),
)
_LABELS = (
    Column("ts", "timestamp", "of the row"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("told", "timestamp", "the label was joined"),
    Column("row_id", "string", "names the labelled row within its gateway"),
    Column("pipeline", "string", "name"),
    Column("asset", "string", "id"),
    Column("part", "string", "id of a part, empty for none"),
    Column("model", "string", "name"),
    Column("model_version", "string", "that scored"),
    Column("context", "string", "empty for none"),
    Column("score", "float64", "null for none"),
    Column("threshold", "float64", "at the time"),
    Column("predicted", "string", "bad, good, or empty for no answer"),
    Column("state", "string", "bad, good, or empty for neither"),
    Column("value", "float64", "measured, null for none"),
    Column("label", "string", "class as told"),
    Column("delay_s", "float64", "from the row to its label"),
)
_DRIFT = (
    Column("ts", "timestamp", "the stretch ended"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("since", "timestamp", "it began"),
    Column("pipeline", "string", "name"),
    Column("model", "string", "name"),
    Column("model_version", "string", "as its passport says"),
    Column("model_digest", "string", "SHA-256 over the bundle"),
    Column("baseline_id", "string", "names the bins"),
    Column("context", "string", "empty for all rows"),
    Column("rows", "int64", "counted"),
    Column("gated", "int64", "not counted, as the machine did not run"),
    Column("feature", "string", "name of the feature or output"),
    Column("n", "int64", "numbers counted"),
    Column("missing", "int64", "rows without one"),
    Column("total", "float64", "sum about the bins' origin"),
    Column("square", "float64", "sum of squares about it"),
    Column("low", "float64", "smallest, null where n is 0"),
    Column("high", "float64", "largest, null where n is 0"),
    Column("counts", "list<int64>", "by bin"),
)
_BASELINES = (
    Column("ts", "timestamp", "first told"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("pipeline", "string", "name"),
    Column("model", "string", "name"),
    Column("model_version", "string", "as its passport says"),
    Column("model_digest", "string", "SHA-256 over the bundle"),
    Column("baseline_id", "string", "names the bins"),
    Column("context", "string", "empty for all rows"),
    Column("feature", "string", "name of the feature or output"),
    Column("n", "int64", "numbers counted"),
    Column("edges", "list<float64>", "between the bins"),
    Column("counts", "list<int64>", "by bin"),
)
_LOSSES = (
    Column("ts", "timestamp", "it was told"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("what", "string", "rows, samples, messages ..."),
    Column("subject", "string", "class, tag, topic or output"),
    Column("cause", "string", "one sentence"),
    Column("count", "int64", "how many"),
    Column("first", "timestamp", "time of the first"),
    Column("last", "timestamp", "time of the last"),
)
_EVIDENCE = (
    Column("ts", "timestamp", "of the entry"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("number", "int64", "of the entry; none is left out"),
    Column("kind", "string", "alarm, event, loss, finding, window, anchor"),
    Column("what", "string", "short name"),
    Column("subject", "string", "whom it is about"),
    Column("body", "string", "the entry itself, JSON, byte for byte"),
    Column("previous", "string", "hash of the entry before"),
    Column("hash", "string", "SHA-256 over previous and body"),
)
_HEALTH = (
    Column("ts", "timestamp", "of the report"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("pipeline", "string", "name"),
    Column("model", "string", "name"),
    Column("model_version", "string", "as its passport says"),
    Column("model_digest", "string", "SHA-256 over the bundle"),
    Column("state", "string", "scoring, watching, by limits, no score ..."),
    Column("because", "string", "why it is not scoring with its model, else empty"),
    Column("agent_version", "string", "of the agent"),
    Column("area", "string", "ISA-95, empty for none"),
    Column("line", "string", "ISA-95, empty for none"),
    Column("uptime_s", "float64", "of the agent"),
    Column("assets", "int64", "scored by the pipeline"),
    Column("rows_scored", "int64", "since the start"),
    Column("rows_without_score", "int64", "since the start"),
    Column("findings", "int64", "open"),
    Column("promised_s", "float64", "outage the store is promised to survive"),
    Column(
        "kept_s", "float64", "outage it can survive at the rate so far, null if unknown"
    ),
    Column("backlog_rows", "int64", "not yet sent everywhere"),
    Column("lost_rows", "int64", "dropped since the start"),
)
_SAMPLES = (
    Column("ts", "timestamp", "the sample was taken"),
    Column(
        "boot", "int64", "opening of the gateway's store; with seq the order of rows"
    ),
    Column("seq", "int64", "number of the row within the boot"),
    Column("tag", "string", "ASSET.ROLE"),
    Column("value", "float64", "null for a sample without a number"),
    Column("quality", "int32", "0 good, 1 uncertain, 2 bad"),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("predictions", "Every score.", _PREDICTIONS, _ROW),
        Table("alarms", "Every transition of an alarm.", _ALARMS, _ROW),
        Table(
            "labels",
            "What became of rows; a corrected label is a later row of the same row_id.",
            _LABELS,
            _ROW,
        ),
        Table(
            "drift",
            "A model's columns over a stretch of time; those of one baseline add up.",
            _DRIFT,
            ("boot", "seq", "feature", "context"),
        ),
        Table(
            "baselines",
            "What a model was trained on, in the bins of its drift rows.",
            _BASELINES,
            ("boot", "seq", "feature", "context"),
        ),
        Table("losses", "What was lost, and why.", _LOSSES, _ROW),
        Table("evidence", "The chained log; see `evidence`.", _EVIDENCE, ("hash",)),
        Table(
            "health",
            "How each pipeline stood, from time to time and at every change.",
            _HEALTH,
            _ROW,
        ),
        Table("samples", "Telemetry as it came, of chosen tags.", _SAMPLES, _ROW),
    )
}
