-- Trino's Hive connector, hive.timestamp-precision = MICROSECONDS.
-- Schema hive.edge. Not run against a Trino by us. As other Hive readers it may
-- show letters beyond ASCII in names of sites and gateways as others.

-- Every score.
CREATE TABLE IF NOT EXISTS hive.edge.predictions (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "pipeline" varchar,
  "asset" varchar,
  "part" varchar,
  "model" varchar,
  "model_version" varchar,
  "model_digest" varchar,
  "score" double,
  "threshold" double,
  "alarm" boolean,
  "severity" integer,
  "quality" integer,
  "completeness" double,
  "age_s" double,
  "no_score" varchar,
  "fallback" varchar,
  "context" varchar,
  "label" varchar,
  "top1_tag" varchar,
  "top1_value" double,
  "top1_share" double,
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/predictions', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'predictions', 'FULL');

-- Every transition of an alarm.
CREATE TABLE IF NOT EXISTS hive.edge.alarms (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "occurrence" varchar,
  "pipeline" varchar,
  "asset" varchar,
  "part" varchar,
  "state" varchar,
  "since" timestamp(6),
  "score" double,
  "threshold" double,
  "severity" integer,
  "reason" varchar,
  "context" varchar,
  "model" varchar,
  "model_version" varchar,
  "model_digest" varchar,
  "fallback" varchar,
  "top" varchar,
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/alarms', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'alarms', 'FULL');

-- What became of rows; a corrected label is a later row of the same row_id.
CREATE TABLE IF NOT EXISTS hive.edge.labels (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "told" timestamp(6),
  "row_id" varchar,
  "pipeline" varchar,
  "asset" varchar,
  "part" varchar,
  "model" varchar,
  "model_version" varchar,
  "context" varchar,
  "score" double,
  "threshold" double,
  "predicted" varchar,
  "state" varchar,
  "value" double,
  "label" varchar,
  "delay_s" double,
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/labels', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'labels', 'FULL');

-- A model's columns over a stretch of time; those of one baseline add up.
CREATE TABLE IF NOT EXISTS hive.edge.drift (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "since" timestamp(6),
  "pipeline" varchar,
  "model" varchar,
  "model_version" varchar,
  "model_digest" varchar,
  "baseline_id" varchar,
  "context" varchar,
  "rows" bigint,
  "gated" bigint,
  "feature" varchar,
  "n" bigint,
  "missing" bigint,
  "total" double,
  "square" double,
  "low" double,
  "high" double,
  "counts" array(bigint),
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/drift', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'drift', 'FULL');

-- What a model was trained on, in the bins of its drift rows.
CREATE TABLE IF NOT EXISTS hive.edge.baselines (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "pipeline" varchar,
  "model" varchar,
  "model_version" varchar,
  "model_digest" varchar,
  "baseline_id" varchar,
  "context" varchar,
  "feature" varchar,
  "n" bigint,
  "edges" array(double),
  "counts" array(bigint),
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/baselines', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'baselines', 'FULL');

-- What was lost, and why.
CREATE TABLE IF NOT EXISTS hive.edge.losses (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "what" varchar,
  "subject" varchar,
  "cause" varchar,
  "count" bigint,
  "first" timestamp(6),
  "last" timestamp(6),
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/losses', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'losses', 'FULL');

-- The chained log; see `evidence`.
CREATE TABLE IF NOT EXISTS hive.edge.evidence (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "number" bigint,
  "kind" varchar,
  "what" varchar,
  "subject" varchar,
  "body" varchar,
  "previous" varchar,
  "hash" varchar,
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/evidence', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'evidence', 'FULL');

-- How each pipeline stood, from time to time and at every change.
CREATE TABLE IF NOT EXISTS hive.edge.health (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "pipeline" varchar,
  "model" varchar,
  "model_version" varchar,
  "model_digest" varchar,
  "state" varchar,
  "because" varchar,
  "agent_version" varchar,
  "area" varchar,
  "line" varchar,
  "uptime_s" double,
  "assets" bigint,
  "rows_scored" bigint,
  "rows_without_score" bigint,
  "findings" bigint,
  "promised_s" double,
  "kept_s" double,
  "backlog_rows" bigint,
  "lost_rows" bigint,
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/health', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'health', 'FULL');

-- Telemetry as it came, of chosen tags.
CREATE TABLE IF NOT EXISTS hive.edge.samples (
  "ts" timestamp(6),
  "boot" bigint,
  "seq" bigint,
  "tag" varchar,
  "value" double,
  "quality" integer,
  site varchar,
  gateway varchar,
  day varchar
)
WITH (external_location = 'ARCHIVE/samples', format = 'PARQUET',
  partitioned_by = ARRAY['site', 'gateway', 'day']);
CALL hive.system.sync_partition_metadata('edge', 'samples', 'FULL');
