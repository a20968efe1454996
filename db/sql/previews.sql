-- Dry runs: the effect of an upload on the averages of the lanes that it touches. All data is in the temporary table
-- `previewed_totals` of a transaction that is rolled back.

-- create_previewed_totals --
-- One row holds the partial sums of one lane (port to port) in one month, as in price_totals.
CREATE TEMPORARY TABLE previewed_totals (LIKE price_totals) ON COMMIT DROP

-- copy_previewed_totals --
-- One row per lane and month, in PostgreSQL's binary COPY format. The rows of a key are summed.
COPY previewed_totals (origin, destination, month, first_day, price_sums, price_counts, packed_changes) FROM STDIN (FORMAT binary)

-- analyze_previewed_totals --
-- Updates the planner statistics: autovacuum does not analyze temporary tables.
ANALYZE previewed_totals

-- list_average_deltas --
-- One row per day of a lane whose average (in cents, half away from zero) would change, each with the number of new averages.
-- New averages come last. Within both groups the largest changes come first; a new average changes from zero. Totals are read
-- only on the days that the upload touches. If a key has several partial sums in previewed_totals, each is joined with all
-- totals of the key. So the sums before the upload are divided by their number. PostgreSQL's integer division truncates
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
    UNION ALL
    SELECT p.origin, p.destination, p.first_day + (part.position - 1)::integer, 0,
           change >> 24, (((change >> 6 & 262143) # 131072) - 131072)::integer, 0, 0
    FROM previewed_totals p
    JOIN price_totals t USING (origin, destination, month)
    CROSS JOIN LATERAL unnest(p.price_counts) WITH ORDINALITY AS part(price_count, position)
    CROSS JOIN LATERAL unnest(t.packed_changes) AS change
    CROSS JOIN LATERAL (SELECT p.first_day - p.month + part.position - 1 AS day_offset) AS month_days
    WHERE part.price_count > 0
      AND (change & 63 = day_offset OR change & 63 BETWEEN 32 AND 32 + day_offset)
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
