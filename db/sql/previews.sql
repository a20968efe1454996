-- What an upload would do to the averages of the lanes that it touches. All of it stands in the temporary table
-- `previewed_totals` of a transaction that is rolled back.

-- create_previewed_totals --
-- One row will be the partial sums of one lane (port to port) in one month, as in price_totals.
CREATE TEMPORARY TABLE previewed_totals (LIKE price_totals) ON COMMIT DROP

-- copy_previewed_totals --
-- One row per lane and month, in PostgreSQL's binary COPY format. The rows of a key add up.
COPY previewed_totals (origin, destination, month, first_day, price_sums, price_counts) FROM STDIN (FORMAT binary)

-- analyze_previewed_totals --
-- Tells the planner how many lanes and months there are: nobody else looks at a temporary table.
ANALYZE previewed_totals

-- list_average_deltas --
-- One row per day of a lane whose average (in cents, half away from zero) would change, and with each how many days would
-- have one for the first time. Those come last; the first of either are the largest moves, a new average's from zero.
-- Totals are looked at only on the days that are touched. Where a key has several partial sums in previewed_totals, each
-- meets all totals of the key, so what stood before is divided by their number. An integer division of PostgreSQL cuts
-- towards zero. Uses price_totals_lane_month_idx.
WITH parts AS (
    SELECT p.origin, p.destination, p.first_day + (part.position - 1)::integer AS day, 1 AS partial_sums,
           0::bigint AS sum_before, 0 AS count_before, part.price_sum AS sum_added, part.price_count AS count_added
    FROM previewed_totals p
    CROSS JOIN LATERAL unnest(p.price_sums, p.price_counts) WITH ORDINALITY AS part(price_sum, price_count, position)
    WHERE part.price_count > 0
    UNION ALL
    SELECT p.origin, p.destination, p.first_day + (part.position - 1)::integer, 0,
           t.price_sums[p.first_day - t.first_day + part.position], t.price_counts[p.first_day - t.first_day + part.position],
           0, 0
    FROM previewed_totals p
    JOIN price_totals t USING (origin, destination, month)
    CROSS JOIN LATERAL unnest(p.price_counts) WITH ORDINALITY AS part(price_count, position)
    WHERE part.price_count > 0 AND t.price_counts[p.first_day - t.first_day + part.position] IS NOT NULL
), lane_days AS (
    SELECT origin, destination, day,
           (sum(sum_before) / sum(partial_sums))::bigint AS sum_before,
           sum(count_before) / sum(partial_sums) AS count_before,
           (sum(sum_before) / sum(partial_sums) + sum(sum_added))::bigint AS sum_after,
           sum(count_before) / sum(partial_sums) + sum(count_added) AS count_after
    FROM parts
    GROUP BY origin, destination, day
), averages AS (
    SELECT *,
           CASE WHEN count_before >= %(min_prices)s
                THEN (2 * sum_before + CASE WHEN sum_before < 0 THEN -count_before ELSE count_before END) / (2 * count_before)
           END AS cents_before,
           (2 * sum_after + CASE WHEN sum_after < 0 THEN -count_after ELSE count_after END) / (2 * count_after) AS cents_after
    FROM lane_days
    WHERE count_after >= %(min_prices)s
)
SELECT origin, destination, day, sum_before, count_before, sum_after, count_after,
       count(*) FILTER (WHERE cents_before IS NULL) OVER () AS new_average_count
FROM averages
WHERE cents_before IS DISTINCT FROM cents_after
ORDER BY cents_before IS NULL, abs(cents_after - coalesce(cents_before, 0)) DESC, day, origin, destination
LIMIT %(limit)s
