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
-- One row: the observations from the ports $1 to the ports $2 that are valid within the days $3 to $4, as columns in PostgreSQL's
-- binary format; NULL without observations. $5 is the maximum validity in days. A few large values cost a fraction of as many
-- rows. The ports are arguments (locations.list_port_ids): joined, they make the planner read the whole table, and no statement
-- can be sent to the shards of a distributed table while it contains the recursion. Uses prices_lane_day_idx for items valid for
-- up to 32 days, prices_long_lane_day_idx for longer ones: so a lane's whole history is not read.
SELECT string_agg(int8send(usd_cents), ''), string_agg(date_send(first_day), ''), string_agg(date_send(last_day), '')
FROM (
    SELECT p.usd_cents, p.first_day, p.last_day
    FROM prices p
    WHERE p.origin = ANY($1::integer[])
      AND p.destination = ANY($2::integer[])
      AND p.first_day BETWEEN $3::date - 31 AND $4::date
      AND p.last_day >= $3::date
      AND p.last_day - p.first_day <= 31
    UNION ALL
    SELECT p.usd_cents, p.first_day, p.last_day
    FROM prices p
    WHERE p.origin = ANY($1::integer[])
      AND p.destination = ANY($2::integer[])
      AND p.first_day BETWEEN $3::date - $5::integer AND $4::date
      AND p.last_day >= $3::date
      AND p.last_day - p.first_day > 31
) AS valid
