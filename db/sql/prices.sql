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

-- pack_lane_prices --
-- One row: the observations between the ports below two locations that are valid within a range of days, as
-- columns in PostgreSQL's binary format; NULL without observations. A few large values cost a fraction of as many rows. The ports
-- come from the recursive region SQL as arrays: joined, they make the planner read the whole table. Uses
-- locations_parent_id_idx, prices_lane_day_idx for items valid for up to 32 days, prices_long_lane_day_idx for longer ones: so a
-- lane's whole history is not read.
WITH RECURSIVE origins AS (
    SELECT id FROM locations WHERE id = %(origin)s
    UNION
    SELECT l.id FROM origins o JOIN locations l ON l.parent_id = o.id
), destinations AS (
    SELECT id FROM locations WHERE id = %(destination)s
    UNION
    SELECT l.id FROM destinations d JOIN locations l ON l.parent_id = d.id
), ends AS MATERIALIZED (
    SELECT ARRAY(SELECT id FROM origins) AS origins, ARRAY(SELECT id FROM destinations) AS destinations
)
SELECT string_agg(int8send(usd_cents), ''), string_agg(date_send(first_day), ''), string_agg(date_send(last_day), '')
FROM (
    SELECT p.usd_cents, p.first_day, p.last_day
    FROM prices p
    WHERE p.origin = ANY((SELECT origins FROM ends)::integer[])
      AND p.destination = ANY((SELECT destinations FROM ends)::integer[])
      AND p.first_day BETWEEN %(first)s::date - 31 AND %(last)s::date
      AND p.last_day >= %(first)s::date
      AND p.last_day - p.first_day <= 31
    UNION ALL
    SELECT p.usd_cents, p.first_day, p.last_day
    FROM prices p
    WHERE p.origin = ANY((SELECT origins FROM ends)::integer[])
      AND p.destination = ANY((SELECT destinations FROM ends)::integer[])
      AND p.first_day BETWEEN %(first)s::date - %(max_validity_days)s::integer AND %(last)s::date
      AND p.last_day >= %(first)s::date
      AND p.last_day - p.first_day > 31
) AS valid
