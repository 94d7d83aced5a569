-- After new days: MSCK REPAIR TABLE ..._objects, as below.

-- Every score.
CREATE TABLE IF NOT EXISTS predictions_objects (
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
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/predictions';
MSCK REPAIR TABLE predictions_objects;
CREATE OR REPLACE VIEW predictions AS SELECT
  `ts`, `boot`, `seq`, `pipeline`, `asset`, `part`, `model`, `model_version`, `model_digest`, `score`, `threshold`, `alarm`, `severity`, `quality`, `completeness`, `age_s`, `no_score`, `fallback`, `context`, `label`, `top1_tag`, `top1_value`, `top1_share`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM predictions_objects;

-- Every transition of an alarm.
CREATE TABLE IF NOT EXISTS alarms_objects (
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
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/alarms';
MSCK REPAIR TABLE alarms_objects;
CREATE OR REPLACE VIEW alarms AS SELECT
  `ts`, `boot`, `seq`, `occurrence`, `pipeline`, `asset`, `part`, `state`, `since`, `score`, `threshold`, `severity`, `reason`, `context`, `model`, `model_version`, `model_digest`, `fallback`, `top`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM alarms_objects;

-- What became of rows; a corrected label is a later row of the same row_id.
CREATE TABLE IF NOT EXISTS labels_objects (
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
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/labels';
MSCK REPAIR TABLE labels_objects;
CREATE OR REPLACE VIEW labels AS SELECT
  `ts`, `boot`, `seq`, `told`, `row_id`, `pipeline`, `asset`, `part`, `model`, `model_version`, `context`, `score`, `threshold`, `predicted`, `state`, `value`, `label`, `delay_s`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM labels_objects;

-- A model's columns over a stretch of time; those of one baseline add up.
CREATE TABLE IF NOT EXISTS drift_objects (
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
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/drift';
MSCK REPAIR TABLE drift_objects;
CREATE OR REPLACE VIEW drift AS SELECT
  `ts`, `boot`, `seq`, `since`, `pipeline`, `model`, `model_version`, `model_digest`, `baseline_id`, `context`, `rows`, `gated`, `feature`, `n`, `missing`, `total`, `square`, `low`, `high`, `counts`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM drift_objects;

-- What a model was trained on, in the bins of its drift rows.
CREATE TABLE IF NOT EXISTS baselines_objects (
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
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/baselines';
MSCK REPAIR TABLE baselines_objects;
CREATE OR REPLACE VIEW baselines AS SELECT
  `ts`, `boot`, `seq`, `pipeline`, `model`, `model_version`, `model_digest`, `baseline_id`, `context`, `feature`, `n`, `edges`, `counts`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM baselines_objects;

-- What was lost, and why.
CREATE TABLE IF NOT EXISTS losses_objects (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `what` STRING,
  `subject` STRING,
  `cause` STRING,
  `count` BIGINT,
  `first` TIMESTAMP,
  `last` TIMESTAMP,
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/losses';
MSCK REPAIR TABLE losses_objects;
CREATE OR REPLACE VIEW losses AS SELECT
  `ts`, `boot`, `seq`, `what`, `subject`, `cause`, `count`, `first`, `last`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM losses_objects;

-- The chained log; see `evidence`.
CREATE TABLE IF NOT EXISTS evidence_objects (
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
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/evidence';
MSCK REPAIR TABLE evidence_objects;
CREATE OR REPLACE VIEW evidence AS SELECT
  `ts`, `boot`, `seq`, `number`, `kind`, `what`, `subject`, `body`, `previous`, `hash`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM evidence_objects;

-- How each pipeline stood, from time to time and at every change.
CREATE TABLE IF NOT EXISTS health_objects (
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
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/health';
MSCK REPAIR TABLE health_objects;
CREATE OR REPLACE VIEW health AS SELECT
  `ts`, `boot`, `seq`, `pipeline`, `model`, `model_version`, `model_digest`, `state`, `because`, `agent_version`, `area`, `line`, `uptime_s`, `assets`, `rows_scored`, `rows_without_score`, `findings`, `promised_s`, `kept_s`, `backlog_rows`, `lost_rows`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM health_objects;

-- Telemetry as it came, of chosen tags.
CREATE TABLE IF NOT EXISTS samples_objects (
  `ts` TIMESTAMP,
  `boot` BIGINT,
  `seq` BIGINT,
  `tag` STRING,
  `value` DOUBLE,
  `quality` INT,
  site STRING,
  gateway STRING,
  day STRING
)
USING PARQUET PARTITIONED BY (site, gateway, day)
LOCATION 'ARCHIVE/samples';
MSCK REPAIR TABLE samples_objects;
CREATE OR REPLACE VIEW samples AS SELECT
  `ts`, `boot`, `seq`, `tag`, `value`, `quality`,
  decode(encode(site, 'ISO-8859-1'), 'UTF-8') AS site,
  decode(encode(gateway, 'ISO-8859-1'), 'UTF-8') AS gateway,
  day FROM samples_objects;
