"""The archive's tables and main questions as SQL of Spark, Trino and DuckDB.

The texts lie ready in ``sql/``: ``python -m edge_agent.fleet.statements`` writes them
anew from `centre.tables`, and a test holds them against it. ARCHIVE stands for where
the archive is.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge_agent.centre.tables import PARTITIONS, TABLES
from edge_agent.fleet.columns import ENGINES, quoted, typed
from edge_agent.monitoring.statistics.answers import FEWEST
from edge_agent.monitoring.statistics.binned import ZERO_SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.centre.tables import Table
    from edge_agent.fleet.columns import Engine

Part = Literal["tables", "models", "drift", "accuracy"]
PARTS: tuple[Part, ...] = ("tables", "models", "drift", "accuracy")

_BIN: Mapping[Engine, str] = {
    "duckdb": "CROSS JOIN UNNEST({0}.counts) WITH ORDINALITY AS u (numbers, bin)",
    "spark": "LATERAL VIEW posexplode({0}.counts) u AS bin, numbers",
    "trino": "CROSS JOIN UNNEST({0}.counts) WITH ORDINALITY AS u (numbers, bin)",
}
_LENGTH: Mapping[Engine, str] = {
    "duckdb": "len",
    "spark": "size",
    "trino": "cardinality",
}
_HEAD: Mapping[Engine, str] = {
    "duckdb": "-- Leave out tables that no gateway has written yet.\n",
    "spark": "-- After new days: MSCK REPAIR TABLE ..._objects, as below.\n",
    "trino": "-- Trino's Hive connector, hive.timestamp-precision = MICROSECONDS.\n"
    "-- Schema hive.edge. Not run against a Trino by us. As other Hive readers it may\n"
    "-- show letters beyond ASCII in names of sites and gateways as others.\n",
}
_MODELS = """\
-- Which model runs where: the newest word of each pipeline.
SELECT site, gateway, pipeline, model, model_version, model_digest, state, because,
  agent_version, ts
FROM (
  SELECT h.*, row_number() OVER (
    PARTITION BY site, gateway, pipeline ORDER BY ts DESC, boot DESC, seq DESC) AS place
  FROM health h
  WHERE day >= '1970-01-01'  -- narrow it: only these partitions are read
) newest
WHERE place = 1
ORDER BY site, gateway, pipeline
"""
_DRIFT = """\
-- How far each feature has moved, by site: counts of all gateways added up, exactly,
-- and their population stability index against what the model was trained on. Null
-- with fewer than {few} numbers, and of a feature that was constant in training.
WITH once AS (
  SELECT * FROM (
    SELECT d.*, row_number() OVER (
      PARTITION BY site, gateway, ts, boot, seq, feature, context ORDER BY day) AS place
    FROM drift d
    WHERE day >= '1970-01-01'  -- narrow it: only these partitions are read
  ) rows_
  WHERE place = 1
), live AS (
  SELECT site, model, model_version, baseline_id, context, feature,
    sum(n) AS n, sum(missing) AS missing, min(low) AS low, max(high) AS high
  FROM once
  GROUP BY site, model, model_version, baseline_id, context, feature
), live_bin AS (
  SELECT site, model, model_version, baseline_id, context, feature, bin,
    sum(numbers) AS numbers
  FROM once {live_bin}
  GROUP BY site, model, model_version, baseline_id, context, feature, bin
), trained AS (
  SELECT baseline_id, context, feature, n, edges, counts,
    max(CASE WHEN context <> '' THEN 1 ELSE 0 END)
      OVER (PARTITION BY baseline_id) AS named
  FROM (
    SELECT b.*, row_number() OVER (
      PARTITION BY baseline_id, context, feature
      ORDER BY told DESC, edges, counts) AS place
    FROM (
      SELECT baseline_id, context, feature, n, edges, counts,
        count(DISTINCT concat(site, '/', gateway)) AS told
      FROM baselines
      GROUP BY baseline_id, context, feature, n, edges, counts
    ) b
  ) c
  WHERE place = 1
), pair AS (
  SELECT * FROM (
    SELECT l.*, t.context AS trained_in, t.n AS trained_n, t.edges,
      row_number() OVER (
        PARTITION BY l.site, l.model, l.model_version, l.baseline_id, l.context,
          l.feature
        ORDER BY length(t.context) DESC) AS place
    FROM live l JOIN trained t
      ON t.baseline_id = l.baseline_id AND t.feature = l.feature
    WHERE t.context = l.context
      OR (t.context = '' AND t.named = 0)
      OR (t.context <> ''
        AND substr(l.context, 1, length(t.context) + 1) = concat(t.context, '/'))
  ) p
  WHERE place = 1
), trained_bin AS (
  SELECT t.baseline_id, t.context, t.feature, bin, numbers
  FROM trained t {trained_bin}
), both_sides AS (
  SELECT p.site, p.model, p.model_version, p.baseline_id, p.context, p.feature,
    CASE WHEN r.numbers = 0 THEN {zero}
      ELSE CAST(r.numbers AS DOUBLE) / CAST(p.trained_n AS DOUBLE) END AS was,
    CASE WHEN l.numbers = 0 THEN {zero}
      ELSE CAST(l.numbers AS DOUBLE) / CAST(p.n AS DOUBLE) END AS is_now
  FROM pair p
  JOIN trained_bin r ON r.baseline_id = p.baseline_id AND r.context = p.trained_in
    AND r.feature = p.feature
  JOIN live_bin l ON l.site = p.site AND l.model = p.model
    AND l.model_version = p.model_version AND l.baseline_id = p.baseline_id
    AND l.context = p.context AND l.feature = p.feature AND l.bin = r.bin
  WHERE p.n >= {few} AND p.trained_n >= {few} AND {length}(p.edges) > 2
), moved AS (
  SELECT site, model, model_version, baseline_id, context, feature,
    sum((was - is_now) * ln(was / is_now)) AS psi
  FROM both_sides
  GROUP BY site, model, model_version, baseline_id, context, feature
)
SELECT l.site, l.model, l.model_version, l.baseline_id, l.context, l.feature,
  l.n, l.missing, l.low, l.high, m.psi
FROM live l LEFT JOIN moved m
  ON m.site = l.site AND m.model = l.model AND m.model_version = l.model_version
  AND m.baseline_id = l.baseline_id AND m.context = l.context
  AND m.feature = l.feature
ORDER BY m.psi DESC, l.site, l.model, l.model_version, l.context, l.feature
"""
_ACCURACY = """\
-- Counts for accuracy, by site and model version: the newest label of a row counts.
-- Precision is tp / (tp + fp), recall tp / (tp + fn), F1 2 tp / (2 tp + fp + fn), the
-- mean absolute error absolute / numbers.
SELECT site, model, model_version, count(*) AS labels,
  sum(CASE WHEN predicted = 'bad' AND state = 'bad' THEN 1 ELSE 0 END) AS tp,
  sum(CASE WHEN predicted = 'bad' AND state = 'good' THEN 1 ELSE 0 END) AS fp,
  sum(CASE WHEN predicted = 'good' AND state = 'bad' THEN 1 ELSE 0 END) AS fn,
  sum(CASE WHEN predicted = 'good' AND state = 'good' THEN 1 ELSE 0 END) AS tn,
  sum(CASE WHEN value IS NOT NULL AND score IS NOT NULL THEN 1 ELSE 0 END) AS numbers,
  sum(abs(score - value)) AS absolute
FROM (
  SELECT l.*, row_number() OVER (
    PARTITION BY site, gateway, pipeline, row_id ORDER BY boot DESC, seq DESC) AS place
  FROM labels l
  WHERE day >= '1970-01-01'  -- narrow it: only these partitions are read
) newest
WHERE place = 1
GROUP BY site, model, model_version
ORDER BY site, model, model_version
"""


def written(engine: Engine, part: Part) -> str:
    """A text, made of the tables."""
    match part:
        case "tables":
            told = [_declared(engine, table) for table in TABLES.values()]
            return "\n".join([_HEAD[engine], *told])
        case "models":
            return _MODELS
        case "drift":
            return _DRIFT.format(
                live_bin=_BIN[engine].format("once"),
                trained_bin=_BIN[engine].format("t"),
                length=_LENGTH[engine],
                few=FEWEST,
                zero=f"{ZERO_SHARE:.0E}",
            )
        case "accuracy":
            return _ACCURACY


def shipped(engine: Engine, part: Part, archive: str = "ARCHIVE") -> str:
    """A text as it lies in the package.

    Args:
        engine: whose.
        part: which.
        archive: where the archive is, as the engine names it.
    """
    text = (files(__package__) / "sql" / f"{engine}_{part}.sql").read_text("utf-8")
    return text.replace("ARCHIVE", archive.rstrip("/").replace("'", "''"))


def statements(text: str) -> list[str]:
    """A text's statements one by one, without the semicolons."""
    return [one for one in (part.strip() for part in text.split(";\n")) if one]


def _declared(engine: Engine, table: Table) -> str:
    columns = [(quoted(engine, c.name), typed(engine, c.type)) for c in table.columns]
    match engine:
        case "spark":
            return _of_spark(table, columns)
        case "trino":
            return _of_trino(table, columns)
        case "duckdb":
            return _of_duckdb(table, columns)


def _of_spark(table: Table, columns: list[tuple[str, str]]) -> str:
    """Spark reads %C3%BC in a partition's name as two letters: a view mends that."""
    rows = f"{table.name}_objects"
    names = ", ".join(name for name, _ in columns)
    mended = ",\n  ".join(
        f"decode(encode({name}, 'ISO-8859-1'), 'UTF-8') AS {name}"
        for name in ("site", "gateway")
    )
    return (
        f"-- {table.meaning}\n"
        f"CREATE TABLE IF NOT EXISTS {rows} (\n{_lines(columns, 'STRING')}\n)\n"
        f"USING PARQUET PARTITIONED BY ({', '.join(PARTITIONS)})\n"
        f"LOCATION 'ARCHIVE/{table.name}';\n"
        f"MSCK REPAIR TABLE {rows};\n"
        f"CREATE OR REPLACE VIEW {table.name} AS SELECT\n  {names},\n  {mended},\n"
        f"  day FROM {rows};\n"
    )


def _of_trino(table: Table, columns: list[tuple[str, str]]) -> str:
    named = ", ".join(f"'{name}'" for name in PARTITIONS)
    return (
        f"-- {table.meaning}\n"
        f"CREATE TABLE IF NOT EXISTS hive.edge.{table.name} (\n"
        f"{_lines(columns, 'varchar')}\n)\n"
        f"WITH (external_location = 'ARCHIVE/{table.name}', format = 'PARQUET',\n"
        f"  partitioned_by = ARRAY[{named}]);\n"
        "CALL hive.system.sync_partition_metadata("
        f"'edge', '{table.name}', 'FULL');\n"
    )


def _of_duckdb(table: Table, columns: list[tuple[str, str]]) -> str:
    """With an empty row set in front: older objects may lack columns, all of them."""
    empty = ",\n".join(f"    NULL::{kind} AS {name}" for name, kind in columns)
    return (
        f"-- {table.meaning}\n"  # noqa: S608 - names of our own tables
        f"CREATE OR REPLACE VIEW {table.name} AS\n  SELECT\n{empty}\n"
        "  WHERE false\n  UNION ALL BY NAME SELECT * FROM read_parquet(\n"
        f"    'ARCHIVE/{table.name}/*/*/*/*.parquet',\n"
        "    hive_partitioning = true, hive_types_autocast = false, "
        "union_by_name = true);\n"
    )


def _lines(columns: list[tuple[str, str]], text: str) -> str:
    whose = [(name, text) for name in PARTITIONS]
    return ",\n".join(f"  {name} {kind}" for name, kind in (*columns, *whose))


def _write() -> None:
    """Write all texts anew."""
    folder = Path(__file__).with_name("sql")
    folder.mkdir(exist_ok=True)
    for engine in ENGINES:
        for part in PARTS:
            path = folder / f"{engine}_{part}.sql"
            path.write_text(written(engine, part), encoding="utf-8")


if __name__ == "__main__":
    _write()
