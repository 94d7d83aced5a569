-- How far each feature has moved, by site: counts of all gateways added up, exactly,
-- and their population stability index against what the model was trained on. Null
-- with fewer than 30 numbers, and of a feature that was constant in training.
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
  FROM once CROSS JOIN UNNEST(once.counts) WITH ORDINALITY AS u (numbers, bin)
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
  FROM trained t CROSS JOIN UNNEST(t.counts) WITH ORDINALITY AS u (numbers, bin)
), both_sides AS (
  SELECT p.site, p.model, p.model_version, p.baseline_id, p.context, p.feature,
    CASE WHEN r.numbers = 0 THEN 1E-04
      ELSE CAST(r.numbers AS DOUBLE) / CAST(p.trained_n AS DOUBLE) END AS was,
    CASE WHEN l.numbers = 0 THEN 1E-04
      ELSE CAST(l.numbers AS DOUBLE) / CAST(p.n AS DOUBLE) END AS is_now
  FROM pair p
  JOIN trained_bin r ON r.baseline_id = p.baseline_id AND r.context = p.trained_in
    AND r.feature = p.feature
  JOIN live_bin l ON l.site = p.site AND l.model = p.model
    AND l.model_version = p.model_version AND l.baseline_id = p.baseline_id
    AND l.context = p.context AND l.feature = p.feature AND l.bin = r.bin
  WHERE p.n >= 30 AND p.trained_n >= 30 AND cardinality(p.edges) > 2
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
