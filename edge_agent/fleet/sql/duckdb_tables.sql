-- Leave out tables that no gateway has written yet.

-- Every score.
CREATE OR REPLACE VIEW predictions AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::VARCHAR AS "pipeline",
    NULL::VARCHAR AS "asset",
    NULL::VARCHAR AS "part",
    NULL::VARCHAR AS "model",
    NULL::VARCHAR AS "model_version",
    NULL::VARCHAR AS "model_digest",
    NULL::DOUBLE AS "score",
    NULL::DOUBLE AS "threshold",
    NULL::BOOLEAN AS "alarm",
    NULL::INTEGER AS "severity",
    NULL::INTEGER AS "quality",
    NULL::DOUBLE AS "completeness",
    NULL::DOUBLE AS "age_s",
    NULL::VARCHAR AS "no_score",
    NULL::VARCHAR AS "fallback",
    NULL::VARCHAR AS "context",
    NULL::VARCHAR AS "label",
    NULL::VARCHAR AS "top1_tag",
    NULL::DOUBLE AS "top1_value",
    NULL::DOUBLE AS "top1_share"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/predictions/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- Every transition of an alarm.
CREATE OR REPLACE VIEW alarms AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::VARCHAR AS "occurrence",
    NULL::VARCHAR AS "pipeline",
    NULL::VARCHAR AS "asset",
    NULL::VARCHAR AS "part",
    NULL::VARCHAR AS "state",
    NULL::TIMESTAMP WITH TIME ZONE AS "since",
    NULL::DOUBLE AS "score",
    NULL::DOUBLE AS "threshold",
    NULL::INTEGER AS "severity",
    NULL::VARCHAR AS "reason",
    NULL::VARCHAR AS "context",
    NULL::VARCHAR AS "model",
    NULL::VARCHAR AS "model_version",
    NULL::VARCHAR AS "model_digest",
    NULL::VARCHAR AS "fallback",
    NULL::VARCHAR AS "top"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/alarms/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- What became of rows; a corrected label is a later row of the same row_id.
CREATE OR REPLACE VIEW labels AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::TIMESTAMP WITH TIME ZONE AS "told",
    NULL::VARCHAR AS "row_id",
    NULL::VARCHAR AS "pipeline",
    NULL::VARCHAR AS "asset",
    NULL::VARCHAR AS "part",
    NULL::VARCHAR AS "model",
    NULL::VARCHAR AS "model_version",
    NULL::VARCHAR AS "context",
    NULL::DOUBLE AS "score",
    NULL::DOUBLE AS "threshold",
    NULL::VARCHAR AS "predicted",
    NULL::VARCHAR AS "state",
    NULL::DOUBLE AS "value",
    NULL::VARCHAR AS "label",
    NULL::DOUBLE AS "delay_s"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/labels/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- A model's columns over a stretch of time; those of one baseline add up.
CREATE OR REPLACE VIEW drift AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::TIMESTAMP WITH TIME ZONE AS "since",
    NULL::VARCHAR AS "pipeline",
    NULL::VARCHAR AS "model",
    NULL::VARCHAR AS "model_version",
    NULL::VARCHAR AS "model_digest",
    NULL::VARCHAR AS "baseline_id",
    NULL::VARCHAR AS "context",
    NULL::BIGINT AS "rows",
    NULL::BIGINT AS "gated",
    NULL::VARCHAR AS "feature",
    NULL::BIGINT AS "n",
    NULL::BIGINT AS "missing",
    NULL::DOUBLE AS "total",
    NULL::DOUBLE AS "square",
    NULL::DOUBLE AS "low",
    NULL::DOUBLE AS "high",
    NULL::BIGINT[] AS "counts"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/drift/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- What a model was trained on, in the bins of its drift rows.
CREATE OR REPLACE VIEW baselines AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::VARCHAR AS "pipeline",
    NULL::VARCHAR AS "model",
    NULL::VARCHAR AS "model_version",
    NULL::VARCHAR AS "model_digest",
    NULL::VARCHAR AS "baseline_id",
    NULL::VARCHAR AS "context",
    NULL::VARCHAR AS "feature",
    NULL::BIGINT AS "n",
    NULL::DOUBLE[] AS "edges",
    NULL::BIGINT[] AS "counts"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/baselines/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- What was lost, and why.
CREATE OR REPLACE VIEW losses AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::VARCHAR AS "what",
    NULL::VARCHAR AS "subject",
    NULL::VARCHAR AS "cause",
    NULL::BIGINT AS "count",
    NULL::TIMESTAMP WITH TIME ZONE AS "first",
    NULL::TIMESTAMP WITH TIME ZONE AS "last"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/losses/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- The chained log; see `evidence`.
CREATE OR REPLACE VIEW evidence AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::BIGINT AS "number",
    NULL::VARCHAR AS "kind",
    NULL::VARCHAR AS "what",
    NULL::VARCHAR AS "subject",
    NULL::VARCHAR AS "body",
    NULL::VARCHAR AS "previous",
    NULL::VARCHAR AS "hash"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/evidence/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- How each pipeline stood, from time to time and at every change.
CREATE OR REPLACE VIEW health AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::VARCHAR AS "pipeline",
    NULL::VARCHAR AS "model",
    NULL::VARCHAR AS "model_version",
    NULL::VARCHAR AS "model_digest",
    NULL::VARCHAR AS "state",
    NULL::VARCHAR AS "because",
    NULL::VARCHAR AS "agent_version",
    NULL::VARCHAR AS "area",
    NULL::VARCHAR AS "line",
    NULL::DOUBLE AS "uptime_s",
    NULL::BIGINT AS "assets",
    NULL::BIGINT AS "rows_scored",
    NULL::BIGINT AS "rows_without_score",
    NULL::BIGINT AS "findings",
    NULL::DOUBLE AS "promised_s",
    NULL::DOUBLE AS "kept_s",
    NULL::BIGINT AS "backlog_rows",
    NULL::BIGINT AS "lost_rows"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/health/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);

-- Telemetry as it came, of chosen tags.
CREATE OR REPLACE VIEW samples AS
  SELECT
    NULL::TIMESTAMP WITH TIME ZONE AS "ts",
    NULL::BIGINT AS "boot",
    NULL::BIGINT AS "seq",
    NULL::VARCHAR AS "tag",
    NULL::DOUBLE AS "value",
    NULL::INTEGER AS "quality"
  WHERE false
  UNION ALL BY NAME SELECT * FROM read_parquet(
    'ARCHIVE/samples/*/*/*/*.parquet',
    hive_partitioning = true, hive_types_autocast = false, union_by_name = true);
