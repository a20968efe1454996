-- Derived data: partial sums by day for every pair of locations that a batch touched. The rows of a key are summed, in any
-- number and order, so a change of totals appends a difference. A row has sums and counts by day, or changes (see migration
-- 0016). A change is one bigint. Its sum is `change >> 24`, and its count `((change >> 6 & 262143) # 131072) - 131072`. Its
-- day of the month, from 0, is `change & 31`. If `change & 32` is not 0, it applies to all later days of the month too. Sums
-- that SQL computes are first collected by day in the transaction's temporary table `day_sums`, then packed by
-- `pack_day_sums`.

-- select_day_totals --
-- One row per partial sum of the location pair $1 and $2, from the month that begins on $3 to the month of the day $4. A row
-- without counts has its changes instead of its sums. Uses price_totals_lane_month_idx: one range scan. The caller sums the
-- arrays, in a third of the time that unnest, GROUP BY and ORDER BY need here.
SELECT first_day, coalesce(price_sums, packed_changes), price_counts
FROM price_totals
WHERE origin = $1
  AND destination = $2
  AND month BETWEEN $3 AND $4

-- select_lane_histories --
-- One row per partial sum of the location pair $1 and $2, over all months. Uses price_totals_lane_month_idx.
SELECT first_day, price_counts, packed_changes
FROM price_totals
WHERE origin = $1
  AND destination = $2

-- list_priced_lanes --
-- One row: the destinations to which the port $1 has observations, in order and in PostgreSQL's binary format; NULL without
-- observations. Steps from lane to lane along prices_lane_day_idx, which reads an entry per lane instead of every observation.
-- One origin at a time: a shard of a distributed table can then answer.
WITH RECURSIVE lanes AS (
    (SELECT destination FROM prices WHERE origin = $1::integer ORDER BY destination LIMIT 1)
    UNION ALL
    SELECT (
        SELECT p.destination FROM prices p
        WHERE p.origin = $1::integer AND p.destination > l.destination
        ORDER BY p.destination
        LIMIT 1
    )
    FROM lanes l
    WHERE l.destination IS NOT NULL
)
SELECT string_agg(int4send(destination), '' ORDER BY destination)
FROM lanes
WHERE destination IS NOT NULL

-- select_price_period --
-- One row: the first and last day with a price, the number of daily prices, and whether an applied batch of the demo data
-- exists. Every price counts once in the totals between two roots of the tree. Arrays instead of joins with the roots, and a
-- column in the EXISTS, let the shards of a distributed table use price_totals_lane_month_idx too.
WITH days AS (
    SELECT t.first_day + day_offset AS day,
           sum(coalesce(part.price_count, ((part.change >> 6 & 262143) # 131072) - 131072)) AS price_count
    FROM price_totals t
    CROSS JOIN LATERAL unnest(t.price_counts, t.packed_changes) WITH ORDINALITY AS part(price_count, change, position)
    CROSS JOIN LATERAL generate_series(
        coalesce(part.change & 31, part.position - 1)::integer,
        CASE WHEN part.change & 32 > 0 THEN (t.month + interval '1 month')::date - t.month - 1
             ELSE coalesce(part.change & 31, part.position - 1)::integer END
    ) AS day_offset
    WHERE t.origin = ANY(ARRAY(SELECT id FROM locations WHERE parent_id IS NULL))
      AND t.destination = ANY(ARRAY(SELECT id FROM locations WHERE parent_id IS NULL))
    GROUP BY 1
    HAVING sum(coalesce(part.price_count, ((part.change >> 6 & 262143) # 131072) - 131072)) > 0
)
SELECT min(day), max(day), coalesce(sum(price_count), 0)::bigint,
       EXISTS (SELECT 1 FROM price_batches WHERE status = 'APPLIED' AND uploader = '' AND idempotency_key LIKE 'demo:%%')
FROM days

-- copy_totals --
-- One row per origin, destination, month and batch, in PostgreSQL's binary COPY format.
COPY price_totals (origin, destination, month, first_day, price_sums, price_counts, packed_changes) FROM STDIN (FORMAT binary)

-- can_store_changes --
-- One row: whether rows with changes may be written. PostgreSQL refuses them until `ratesgraph migrate --contract`.
SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = 'price_totals'::regclass AND attname = 'price_sums'

-- create_day_sums --
-- One row holds the sum of one day for a pair of locations. The table is dropped at the end of the transaction.
CREATE TEMPORARY TABLE day_sums (
    origin integer NOT NULL, destination integer NOT NULL, day date NOT NULL, price_sum bigint NOT NULL, price_count bigint NOT NULL
) ON COMMIT DROP

-- create_ancestors --
-- One row per location and itself or an ancestor of it. The table is dropped at the end of the transaction. It is separate from
-- collect_observed_month, because a statement with the recursion cannot be sent to the shards of a distributed table.
CREATE TEMPORARY TABLE ancestors ON COMMIT DROP AS
WITH RECURSIVE above AS (
    SELECT id AS location, id AS ancestor FROM locations
    UNION
    SELECT a.location, l.parent_id FROM above a JOIN locations l ON l.id = a.ancestor WHERE l.parent_id IS NOT NULL
)
SELECT location, ancestor FROM above

-- collect_observed_month --
-- Fills day_sums with one row per pair of locations and day of the month, from the observations and the temporary table
-- ancestors.
WITH port_days AS MATERIALIZED (
    SELECT p.origin, p.destination, day::date AS day, sum(p.usd_cents) AS price_sum, count(*) AS price_count
    FROM prices p
    CROSS JOIN LATERAL generate_series(
        greatest(p.first_day, %(month)s::date)::timestamp,
        least(p.last_day, (%(month)s::date + interval '1 month')::date - 1)::timestamp,
        interval '1 day'
    ) AS day
    WHERE p.first_day < (%(month)s::date + interval '1 month')::date AND p.last_day >= %(month)s::date
    GROUP BY p.origin, p.destination, day
), from_ancestors AS MATERIALIZED (
    SELECT a.ancestor AS origin, d.destination, d.day, sum(d.price_sum) AS price_sum, sum(d.price_count) AS price_count
    FROM port_days d JOIN ancestors a ON a.location = d.origin
    GROUP BY a.ancestor, d.destination, d.day
)
INSERT INTO day_sums
SELECT d.origin, a.ancestor, d.day, sum(d.price_sum), sum(d.price_count)
FROM from_ancestors d JOIN ancestors a ON a.location = d.destination
GROUP BY d.origin, a.ancestor, d.day

-- compact_keys --
-- Replaces the rows of keys that have more than max_rows rows by their sum. It processes up to max_keys keys after a given one
-- and before an origin, in the order of price_totals_lane_month_idx, and reads only that index to find them. It stops after the
-- key that brings the number of merged rows to max_merged. One row: the last of these keys and the number of deleted rows. No
-- row at the end. The row is one column of JSON, because a shard of a distributed table returns only one column. Arrays are
-- summed by day of the month: a subscript outside of an array adds nothing, and this costs a tenth of unnesting. Changes are
-- summed by slot. They stay changes if all rows of the key are changes and their sum has at most max_changes. Otherwise they
-- are spread over the days and added to the arrays.
WITH found AS MATERIALIZED (
    SELECT origin, destination, month, count(*) AS row_count
    FROM price_totals
    WHERE (origin, destination, month) > (%(origin)s, %(destination)s, %(month)s) AND origin < %(until)s
    GROUP BY origin, destination, month
    HAVING count(*) > %(max_rows)s
    ORDER BY origin, destination, month
    LIMIT %(max_keys)s
), crowded AS MATERIALIZED (
    SELECT origin, destination, month
    FROM (
        SELECT origin, destination, month,
            sum(row_count) OVER (ORDER BY origin, destination, month) - row_count AS merged_before
        FROM found
    ) AS counted
    WHERE merged_before < %(max_merged)s
), gone AS (
    DELETE FROM price_totals t
    USING crowded c
    WHERE t.origin = c.origin AND t.destination = c.destination AND t.month = c.month
    RETURNING t.origin, t.destination, t.month, t.first_day - t.month AS before, t.price_sums, t.price_counts, t.packed_changes
), changes AS MATERIALIZED (
    SELECT g.origin, g.destination, g.month, change & 63 AS slot,
           sum(change >> 24) AS price_sum, sum(((change >> 6 & 262143) # 131072) - 131072) AS price_count
    FROM gone g
    CROSS JOIN LATERAL unnest(g.packed_changes) AS change
    GROUP BY g.origin, g.destination, g.month, change & 63
), sparse AS MATERIALIZED (
    SELECT origin, destination, month, array_agg(slot ORDER BY slot) AS slots,
           array_agg(price_sum ORDER BY slot) AS price_sums, array_agg(price_count ORDER BY slot) AS price_counts,
           count(*) <= %(max_changes)s AND max(abs(price_sum)) < 549755813888 AND max(abs(price_count)) < 131072
               AND NOT EXISTS (
                   SELECT FROM gone g
                   WHERE (g.origin, g.destination, g.month) = (c.origin, c.destination, c.month) AND g.packed_changes IS NULL
               ) AS stays_sparse
    FROM changes c
    WHERE price_sum <> 0 OR price_count <> 0
    GROUP BY origin, destination, month
), dense AS (
    SELECT origin, destination, month, before, price_sums, price_counts FROM gone WHERE packed_changes IS NULL
    UNION ALL
    SELECT s.origin, s.destination, s.month, 0, spread.price_sums, spread.price_counts
    FROM sparse s
    CROSS JOIN LATERAL (
        SELECT array_agg(day.price_sum ORDER BY day_offset) AS price_sums, array_agg(day.price_count ORDER BY day_offset) AS price_counts
        FROM generate_series(0, (s.month + interval '1 month')::date - s.month - 1) AS day_offset
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(part.price_sum), 0) AS price_sum, coalesce(sum(part.price_count), 0) AS price_count
            FROM unnest(s.slots, s.price_sums, s.price_counts) AS part(slot, price_sum, price_count)
            WHERE part.slot = day_offset OR part.slot BETWEEN 32 AND 32 + day_offset
        ) AS day
    ) AS spread
    WHERE NOT s.stays_sparse
), summed AS (
    SELECT origin, destination, month, min(before) AS before, max(before + cardinality(price_counts)) AS until,
        ARRAY[
            sum(price_sums[1 - before]), sum(price_sums[2 - before]), sum(price_sums[3 - before]), sum(price_sums[4 - before]),
            sum(price_sums[5 - before]), sum(price_sums[6 - before]), sum(price_sums[7 - before]), sum(price_sums[8 - before]),
            sum(price_sums[9 - before]), sum(price_sums[10 - before]), sum(price_sums[11 - before]), sum(price_sums[12 - before]),
            sum(price_sums[13 - before]), sum(price_sums[14 - before]), sum(price_sums[15 - before]), sum(price_sums[16 - before]),
            sum(price_sums[17 - before]), sum(price_sums[18 - before]), sum(price_sums[19 - before]), sum(price_sums[20 - before]),
            sum(price_sums[21 - before]), sum(price_sums[22 - before]), sum(price_sums[23 - before]), sum(price_sums[24 - before]),
            sum(price_sums[25 - before]), sum(price_sums[26 - before]), sum(price_sums[27 - before]), sum(price_sums[28 - before]),
            sum(price_sums[29 - before]), sum(price_sums[30 - before]), sum(price_sums[31 - before])
        ]::bigint[] AS price_sums,
        ARRAY[
            sum(price_counts[1 - before]), sum(price_counts[2 - before]), sum(price_counts[3 - before]), sum(price_counts[4 - before]),
            sum(price_counts[5 - before]), sum(price_counts[6 - before]), sum(price_counts[7 - before]), sum(price_counts[8 - before]),
            sum(price_counts[9 - before]), sum(price_counts[10 - before]), sum(price_counts[11 - before]), sum(price_counts[12 - before]),
            sum(price_counts[13 - before]), sum(price_counts[14 - before]), sum(price_counts[15 - before]), sum(price_counts[16 - before]),
            sum(price_counts[17 - before]), sum(price_counts[18 - before]), sum(price_counts[19 - before]), sum(price_counts[20 - before]),
            sum(price_counts[21 - before]), sum(price_counts[22 - before]), sum(price_counts[23 - before]), sum(price_counts[24 - before]),
            sum(price_counts[25 - before]), sum(price_counts[26 - before]), sum(price_counts[27 - before]), sum(price_counts[28 - before]),
            sum(price_counts[29 - before]), sum(price_counts[30 - before]), sum(price_counts[31 - before])
        ]::integer[] AS price_counts
    FROM dense
    GROUP BY origin, destination, month
), appended AS (
    INSERT INTO price_totals (origin, destination, month, first_day, price_sums, price_counts)
    SELECT origin, destination, month, month + before,
        array_replace(price_sums[before + 1:until], NULL, 0), array_replace(price_counts[before + 1:until], NULL, 0)
    FROM summed
    WHERE 0 <> ANY (price_sums) OR 0 <> ANY (price_counts)
), appended_changes AS (
    INSERT INTO price_totals (origin, destination, month, first_day, packed_changes)
    SELECT origin, destination, month, month, ARRAY(
        SELECT (part.price_sum::bigint << 24) | ((part.price_count::bigint & 262143) << 6) | part.slot
        FROM unnest(slots, price_sums, price_counts) AS part(slot, price_sum, price_count)
        ORDER BY part.slot
    )
    FROM sparse
    WHERE stays_sparse
)
SELECT json_build_array(origin, destination, month, (SELECT count(*) FROM gone)) AS step
FROM crowded
ORDER BY origin DESC, destination DESC, month DESC
LIMIT 1

-- pack_day_sums --
-- Appends one row per pair of locations and month from day_sums. Days in between that have no sum become 0.
INSERT INTO price_totals (origin, destination, month, first_day, price_sums, price_counts)
SELECT span.origin, span.destination, span.month, span.first_day,
       array_agg(coalesce(d.price_sum, 0) ORDER BY day_offset),
       array_agg(coalesce(d.price_count, 0)::integer ORDER BY day_offset)
FROM (
    SELECT origin, destination, date_trunc('month', day)::date AS month, min(day) AS first_day, max(day) AS last_day
    FROM day_sums
    GROUP BY origin, destination, date_trunc('month', day)
) AS span
CROSS JOIN LATERAL generate_series(0, span.last_day - span.first_day) AS day_offset
LEFT JOIN day_sums d
       ON d.origin = span.origin AND d.destination = span.destination AND d.day = span.first_day + day_offset
GROUP BY span.origin, span.destination, span.month, span.first_day

-- list_months --
-- One row per month from the first observation to the last one, and per month of a total, in order.
SELECT DISTINCT date_trunc('month', day)::date AS month
FROM (
    SELECT generated.day
    FROM (SELECT min(first_day) AS first_day, max(last_day) AS last_day FROM prices) AS observed
    CROSS JOIN LATERAL generate_series(
        date_trunc('month', observed.first_day::timestamp), observed.last_day::timestamp, interval '1 month'
    ) AS generated(day)
    UNION
    SELECT month FROM price_totals
) AS known
ORDER BY month

-- diff_month --
-- One row per pair of locations and day of the month whose totals differ from day_sums, largest difference first. The locations
-- of a damaged row may not exist. If its month is not the first day of a month, or if it begins outside of its month, it
-- counts after the end of the month, because Python may not be able to represent its days. OFFSET 0 makes the
-- workers of a cluster send rows as they are stored instead of one row per day. A single server takes two thirds of the time
-- with it.
SELECT coalesce(o.key, '?' || origin) AS origin, coalesce(d.key, '?' || destination) AS destination, day,
       coalesce(expected.price_sum, 0) AS expected_sum, coalesce(expected.price_count, 0) AS expected_count,
       coalesce(actual.price_sum, 0) AS actual_sum, coalesce(actual.price_count, 0) AS actual_count
FROM day_sums AS expected
FULL JOIN (
    SELECT t.origin, t.destination,
           CASE WHEN t.month = %(month)s AND t.first_day BETWEEN t.month AND t.month + 30 THEN t.first_day
                ELSE %(month)s::date + 31 END + day_offset AS day,
           -- The sum of damaged numbers may exceed the type.
           least(
               greatest(sum(coalesce(part.price_sum, part.change >> 24)), -9223372036854775808), 9223372036854775807
           )::bigint AS price_sum,
           sum(coalesce(part.price_count, ((part.change >> 6 & 262143) # 131072) - 131072))::bigint AS price_count
    FROM (
        SELECT origin, destination, month, first_day, price_sums, price_counts, packed_changes
        FROM price_totals
        WHERE month >= %(month)s AND month < %(month)s::date + interval '1 month'
        OFFSET 0
    ) AS t
    CROSS JOIN LATERAL unnest(t.price_sums, t.price_counts, t.packed_changes)
        WITH ORDINALITY AS part(price_sum, price_count, change, position)
    CROSS JOIN LATERAL generate_series(
        coalesce(part.change & 31, part.position - 1)::integer,
        CASE WHEN part.change & 32 > 0 THEN (t.month + interval '1 month')::date - t.month - 1
             ELSE coalesce(part.change & 31, part.position - 1)::integer END
    ) AS day_offset
    GROUP BY 1, 2, 3
) AS actual USING (origin, destination, day)
LEFT JOIN locations o ON o.id = origin
LEFT JOIN locations d ON d.id = destination
WHERE coalesce(expected.price_sum, 0) <> coalesce(actual.price_sum, 0)
   OR coalesce(expected.price_count, 0) <> coalesce(actual.price_count, 0)
ORDER BY abs(coalesce(expected.price_sum, 0)::numeric - coalesce(actual.price_sum, 0)) DESC, origin, destination, day
LIMIT %(limit)s

-- delete_month --
-- Deletes the totals of a month, before they are rebuilt from the observations. Damaged rows may name another day of the month.
DELETE FROM price_totals WHERE month >= %(month)s AND month < %(month)s::date + interval '1 month'
