-- Every score.
CREATE TABLE IF NOT EXISTS predictions (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `pipeline` STRING,
  `asset` STRING,
  `part` STRING,
  `model` STRING,
  `model_version` STRING,
  `model_digest` STRING,
  `score` DOUBLE,
  `threshold` DOUBLE,
  `alarm` BOOLEAN,
  `severity` INT,
  `quality` INT,
  `completeness` DOUBLE,
  `age_s` DOUBLE,
  `no_score` STRING,
  `fallback` STRING,
  `context` STRING,
  `label` STRING,
  `top1_tag` STRING,
  `top1_value` DOUBLE,
  `top1_share` DOUBLE,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/predictions';
MSCK REPAIR TABLE predictions;

-- Every transition of an alarm.
CREATE TABLE IF NOT EXISTS alarms (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `occurrence` STRING,
  `pipeline` STRING,
  `asset` STRING,
  `part` STRING,
  `state` STRING,
  `since` TIMESTAMP,
  `score` DOUBLE,
  `threshold` DOUBLE,
  `severity` INT,
  `reason` STRING,
  `context` STRING,
  `model` STRING,
  `model_version` STRING,
  `model_digest` STRING,
  `fallback` STRING,
  `top` STRING,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/alarms';
MSCK REPAIR TABLE alarms;

-- What became of rows; a corrected label is a later row of the same row_id.
CREATE TABLE IF NOT EXISTS labels (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `told` TIMESTAMP,
  `row_id` STRING,
  `pipeline` STRING,
  `asset` STRING,
  `part` STRING,
  `model` STRING,
  `model_version` STRING,
  `context` STRING,
  `score` DOUBLE,
  `threshold` DOUBLE,
  `predicted` STRING,
  `state` STRING,
  `value` DOUBLE,
  `label` STRING,
  `delay_s` DOUBLE,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/labels';
MSCK REPAIR TABLE labels;

-- A model's columns over a stretch of time; those of one baseline add up.
CREATE TABLE IF NOT EXISTS drift (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `since` TIMESTAMP,
  `pipeline` STRING,
  `model` STRING,
  `model_version` STRING,
  `model_digest` STRING,
  `baseline_id` STRING,
  `context` STRING,
  `rows` BIGINT,
  `gated` BIGINT,
  `feature` STRING,
  `n` BIGINT,
  `missing` BIGINT,
  `total` DOUBLE,
  `square` DOUBLE,
  `low` DOUBLE,
  `high` DOUBLE,
  `counts` ARRAY<BIGINT>,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/drift';
MSCK REPAIR TABLE drift;

-- What a model was trained on, in the bins of its drift rows.
CREATE TABLE IF NOT EXISTS baselines (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `pipeline` STRING,
  `model` STRING,
  `model_version` STRING,
  `model_digest` STRING,
  `baseline_id` STRING,
  `context` STRING,
  `feature` STRING,
  `n` BIGINT,
  `edges` ARRAY<DOUBLE>,
  `counts` ARRAY<BIGINT>,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/baselines';
MSCK REPAIR TABLE baselines;

-- What was lost, and why.
CREATE TABLE IF NOT EXISTS losses (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `what` STRING,
  `subject` STRING,
  `cause` STRING,
  `count` BIGINT,
  `first` TIMESTAMP,
  `last` TIMESTAMP,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/losses';
MSCK REPAIR TABLE losses;

-- The chained log; see `evidence`.
CREATE TABLE IF NOT EXISTS evidence (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `number` BIGINT,
  `kind` STRING,
  `what` STRING,
  `subject` STRING,
  `body` STRING,
  `previous` STRING,
  `hash` STRING,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/evidence';
MSCK REPAIR TABLE evidence;

-- How each pipeline stood, from time to time and at every change.
CREATE TABLE IF NOT EXISTS health (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `pipeline` STRING,
  `model` STRING,
  `model_version` STRING,
  `model_digest` STRING,
  `state` STRING,
  `because` STRING,
  `agent_version` STRING,
  `area` STRING,
  `line` STRING,
  `uptime_s` DOUBLE,
  `assets` BIGINT,
  `rows_scored` BIGINT,
  `rows_without_score` BIGINT,
  `findings` BIGINT,
  `promised_s` DOUBLE,
  `kept_s` DOUBLE,
  `backlog_rows` BIGINT,
  `lost_rows` BIGINT,
  `site` STRING,
  `gateway` STRING,
  `day` STRING
)
USING PARQUET PARTITIONED BY (`site`, `gateway`, `day`)
LOCATION 'ARCHIVE/health';
MSCK REPAIR TABLE health;
