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
