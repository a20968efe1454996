-- Observations, and the statistics that are computed directly from them.

-- copy_prices --
-- One row per observation, in PostgreSQL's binary COPY format. Sorted input keeps prices_lane_day_idx local.
COPY prices (batch_id, usd_cents, item, origin, destination, first_day, last_day, rate_day, amount, rate, currency)
FROM STDIN (FORMAT binary)

-- copy_out_batch --
-- One row per observation of a batch, days since 1970-01-01, in CSV. Uses prices_batch_idx.
COPY (
    SELECT origin, destination, first_day - '1970-01-01'::date, last_day - '1970-01-01'::date, usd_cents
    FROM prices
    WHERE batch_id = {batch_id}
    ORDER BY origin, destination, first_day
) TO STDOUT (FORMAT csv)

-- delete_batch_prices --
-- Deletes the observations of a batch. Uses prices_batch_idx.
DELETE FROM prices WHERE batch_id = %(batch_id)s

-- select_day_statistics --
-- One row per day with observations between the ports below two locations: the recursive region SQL. It provides low, high and
-- median, and serves as the oracle for the totals. Uses locations_parent_id_idx and prices_lane_day_idx.
WITH RECURSIVE origins AS (
    SELECT id FROM locations WHERE id = %(origin)s
    UNION
    SELECT l.id FROM origins o JOIN locations l ON l.parent_id = o.id
), destinations AS (
    SELECT id FROM locations WHERE id = %(destination)s
    UNION
    SELECT l.id FROM destinations d JOIN locations l ON l.parent_id = d.id
)
SELECT day::date AS day,
       sum(p.usd_cents)::bigint AS price_sum,
       count(*) AS price_count,
       min(p.usd_cents) AS low,
       max(p.usd_cents) AS high,
       (2 * percentile_cont(0.5) WITHIN GROUP (ORDER BY p.usd_cents))::bigint AS median_half_cents
FROM origins o
CROSS JOIN destinations d
JOIN prices p ON p.origin = o.id AND p.destination = d.id
CROSS JOIN LATERAL generate_series(
    greatest(p.first_day, %(first)s::date)::timestamp, least(p.last_day, %(last)s::date)::timestamp, interval '1 day'
) AS day
WHERE p.first_day <= %(last)s::date
  AND p.first_day >= %(first)s::date - %(max_validity_days)s::integer
  AND p.last_day >= %(first)s::date
GROUP BY day
ORDER BY day
