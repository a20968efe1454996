-- Derived data: distributions of prices by day for every pair of regions that a batch touched. The rows of a key are merged, in
-- any number and order. The format of a sketch is that of db/sketches/encoding.py.

-- declare_sketch_maintenance --
-- Declares that this transaction changes the sketches together with the prices or the tree. Without it, the triggers of
-- price_batches and audit_entries mark all sketches as stale.
SELECT set_config('ratesgraph.keeps_sketches', 'on', true)

-- copy_sketches --
-- One row per pair of regions, month and batch, in PostgreSQL's binary COPY format.
COPY price_sketches (origin, destination, month, sketch) FROM STDIN (FORMAT binary)

-- select_sketches --
-- One row per sketch of the pair of regions $1 and $2, from the month that begins on $3 to the month of the day $4. No row if
-- one of these months is stale. Uses price_sketches_lane_month_idx: one range scan.
SELECT month, sketch
FROM price_sketches
WHERE origin = $1
  AND destination = $2
  AND month BETWEEN $3 AND $4
  AND NOT EXISTS (SELECT FROM stale_sketches s WHERE s.month = '0001-01-01' OR s.month BETWEEN $3 AND $4)

-- list_stale_months --
-- One row per month whose sketches must not be read; 0001-01-01 stands for all. The table is nearly always empty.
SELECT month FROM stale_sketches ORDER BY month

-- mark_stale --
-- Marks months as stale.
INSERT INTO stale_sketches SELECT unnest(%(months)s::date[]) ON CONFLICT DO NOTHING

-- unmark_stale --
-- Removes the mark of a month, and returns one row if the month was stale. 0001-01-01 stands for all months.
DELETE FROM stale_sketches WHERE month = %(month)s RETURNING month

-- list_month_origins --
-- One row per origin with sketches in the month. Damaged rows may name another day of it than the first.
SELECT DISTINCT origin
FROM price_sketches
WHERE month >= %(month)s AND month < %(month)s::date + interval '1 month'
ORDER BY origin

-- select_origin_sketches --
-- One row per sketch of the origin in the month. The month of a damaged row may not be its first day: then the sketch is empty,
-- which no decoder accepts. Uses price_sketches_lane_month_idx.
SELECT destination, CASE WHEN month = %(month)s THEN sketch ELSE '' END
FROM price_sketches
WHERE origin = %(origin)s AND month >= %(month)s AND month < %(month)s::date + interval '1 month'

-- delete_month --
-- Deletes the sketches of a month. Damaged rows may name another day of it than the first.
DELETE FROM price_sketches WHERE month >= %(month)s AND month < %(month)s::date + interval '1 month'

-- copy_out_month --
-- One row per observation that is valid in the month, in CSV: origin, destination, first and last day, US cents. Days count
-- from 1970-01-01. Reads the whole table.
COPY (
    SELECT origin, destination, first_day - '1970-01-01'::date, last_day - '1970-01-01'::date, usd_cents
    FROM prices
    WHERE first_day < (%(month)s::date + interval '1 month')::date AND last_day >= %(month)s::date
) TO STDOUT (FORMAT csv)

-- copy_out_moved --
-- One row per observation that is valid on one of the days, of the lanes (port to port) with an end among the ports. The
-- format is that of copy_out_month. Reads the whole table.
COPY (
    SELECT origin, destination, first_day - '1970-01-01'::date, last_day - '1970-01-01'::date, usd_cents
    FROM prices
    WHERE (origin = ANY(%(ports)s::integer[]) OR destination = ANY(%(ports)s::integer[]))
      AND first_day <= %(last)s AND last_day >= %(first)s
) TO STDOUT (FORMAT csv)

-- delete_crowded_sketches --
-- Deletes the sketches of keys with more than max_rows rows, and returns them, ordered by key. It processes up to max_keys keys
-- after a given one and before an origin, in the order of price_sketches_lane_month_idx, and reads only that index to find
-- them. It stops after the key that brings the number of sketches to max_merged.
WITH found AS MATERIALIZED (
    SELECT origin, destination, month, count(*) AS row_count
    FROM price_sketches
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
    DELETE FROM price_sketches s
    USING crowded c
    WHERE s.origin = c.origin AND s.destination = c.destination AND s.month = c.month
    RETURNING s.origin, s.destination, s.month, s.sketch
)
SELECT origin, destination, month, sketch FROM gone ORDER BY origin, destination, month
