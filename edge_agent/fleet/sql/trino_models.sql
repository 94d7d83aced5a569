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
