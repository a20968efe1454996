-- Observations, in the table and in the Parquet files of archived months, and the statistics that are computed directly from
-- them.
--
-- A change of the archive holds the lock of the archive exclusively while it moves observations from the table to the files.
-- Work that reads both in several statements holds it shared.

-- copy_prices --
-- One row per observation, in PostgreSQL's binary COPY format. Sorted input keeps prices_lane_day_idx local.
COPY prices (batch_id, usd_cents, item, origin, destination, first_day, last_day, rate_day, amount, rate, currency)
FROM STDIN (FORMAT binary)

-- copy_out_batch --
-- One row per observation of a batch, days since 1970-01-01, in CSV. Uses prices_batch_idx.
COPY (
    SELECT origin, destination, first_day - '1970-01-01'::date, last_day - '1970-01-01'::date, usd_cents
    FROM prices
    WHERE batch_id = %(batch_id)s
    ORDER BY origin, destination, first_day
) TO STDOUT (FORMAT csv)

-- delete_batch_prices --
-- Deletes the observations of a batch. Uses prices_batch_idx.
DELETE FROM prices WHERE batch_id = %(batch_id)s

-- pack_lane_prices --
-- One row: the observations from the ports $1 to the ports $2 that are valid within the days $3 to $4. They are columns in
-- PostgreSQL's binary format; NULL without observations. $5 is the maximum validity in days. A few large values cost a
-- fraction of as many rows. The ports are arguments (locations.list_port_ids) instead of a join, which would make the planner
-- read the whole table. The recursion of that join could not be sent to the shards of a distributed table either. Uses
-- prices_lane_day_idx for items valid for up to 32 days, and prices_long_lane_day_idx for longer ones. So the whole history of
-- a lane is not read.
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

-- try_lock_archiving --
-- One row: whether this session now holds the lock of the command, which lasts until the session ends.
SELECT pg_try_advisory_lock(7263003, 'archived_files'::regclass::oid::int)

-- lock_archive_shared --
-- Locks the archive against changes until the transaction ends.
SELECT pg_advisory_xact_lock_shared(7263004, 'archived_files'::regclass::oid::int)

-- lock_archive_exclusive --
-- Waits for all work that reads the archive, then locks it exclusively until the transaction ends.
SELECT pg_advisory_xact_lock(7263004, 'archived_files'::regclass::oid::int)

-- lock_archive_session --
-- Locks the archive exclusively until unlock_archive_session, or until the session ends.
SELECT pg_advisory_lock(7263004, 'archived_files'::regclass::oid::int)

-- unlock_archive_session --
-- Releases the lock of lock_archive_session.
SELECT pg_advisory_unlock(7263004, 'archived_files'::regclass::oid::int)

-- set_snapshot_isolation --
-- The first statement of a transaction: all others see the data of one moment. A change of rows that another transaction has
-- changed since then fails.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

-- disable_idle_timeout --
-- The transaction may be idle for any time: while it holds a snapshot, another connection or a file may be read for an hour.
SET LOCAL idle_in_transaction_session_timeout = 0

-- count_old_prices --
-- One row per month with observations whose last day lies in it, before a day: number of observations. Reads the whole table.
SELECT date_trunc('month', last_day)::date AS month, count(*)
FROM prices
WHERE last_day < %(before)s
GROUP BY 1
ORDER BY 1

-- copy_out_month --
-- One row per observation whose last day lies in the month, by lane, in CSV; days since 1970-01-01. The order is total, so
-- equal observations make equal files. Reads the whole table.
COPY (
    SELECT batch_id, usd_cents, item, origin, destination, first_day - '1970-01-01'::date, last_day - '1970-01-01'::date,
           rate_day - '1970-01-01'::date, amount, rate, currency
    FROM prices
    WHERE last_day >= %(month)s::date AND last_day < %(month)s::date + interval '1 month'
    ORDER BY origin, destination, first_day, last_day, batch_id, item, rate_day, usd_cents, amount, rate, currency
) TO STDOUT (FORMAT csv)

-- delete_month_prices --
-- Deletes the observations that copy_out_month has returned to the same snapshot. Reads the whole table.
DELETE FROM prices WHERE last_day >= %(month)s::date AND last_day < %(month)s::date + interval '1 month'

-- insert_archived_file --
-- Records a file. A file with the same URL has the same content.
INSERT INTO archived_files (month, url, byte_count, sha256, row_count, first_day, last_day, first_batch, last_batch,
                            first_origin, last_origin)
VALUES (%(month)s, %(url)s, %(byte_count)s, %(sha256)s, %(row_count)s, %(first_day)s, %(last_day)s, %(first_batch)s,
        %(last_batch)s, %(first_origin)s, %(last_origin)s)

-- list_archived_files --
-- One row per file with observations that are valid on a day of a range, or with a batch number in a range; NULL does not
-- limit. Each has the reverted batches among its own. The table is small: a file holds up to a million observations.
SELECT id, month, url, byte_count, sha256, row_count, first_day, last_day, first_batch, last_batch, first_origin, last_origin,
       ARRAY(
           SELECT batch_id FROM archive_tombstones t
           WHERE t.batch_id BETWEEN f.first_batch AND f.last_batch
           ORDER BY batch_id
       ) AS reverted
FROM archived_files f
WHERE (%(first)s::date IS NULL OR last_day >= %(first)s)
  AND (%(last)s::date IS NULL OR first_day <= %(last)s)
  AND (%(batch_id)s::bigint IS NULL OR %(batch_id)s BETWEEN first_batch AND last_batch)
ORDER BY id

-- delete_archived_file --
-- Removes a file from the list, and returns one row if the file was listed.
DELETE FROM archived_files WHERE id = %(file_id)s RETURNING id

-- add_archived_lanes --
-- Adds numbers of observations, which may be negative, to those of lanes. The lanes are sorted, which prevents deadlocks.
INSERT INTO archived_lanes (origin, destination, price_count)
SELECT origin, destination, price_count
FROM unnest(%(origins)s::integer[], %(destinations)s::integer[], %(counts)s::bigint[]) AS lane(origin, destination, price_count)
ORDER BY origin, destination
ON CONFLICT (origin, destination) DO UPDATE SET price_count = archived_lanes.price_count + excluded.price_count

-- list_archived_lanes --
-- One row per lane (port to port) from the origins with archived observations, by IDs. Uses archived_lanes_pkey.
SELECT origin, destination
FROM archived_lanes
WHERE price_count > 0 AND origin = ANY(%(origins)s::integer[])
ORDER BY origin, destination

-- insert_tombstone --
-- Marks the archived observations of a batch as reverted.
INSERT INTO archive_tombstones (batch_id) VALUES (%(batch_id)s)

-- create_archived_days --
-- One row holds the sum of the archived observations of one lane (port to port) and day. The table is dropped at the end of the
-- transaction.
CREATE TEMPORARY TABLE archived_days (
    origin integer NOT NULL, destination integer NOT NULL, day date NOT NULL, price_sum bigint NOT NULL, price_count bigint NOT NULL
) ON COMMIT DROP

-- copy_archived_days --
-- One row per lane and day of a file, in CSV.
COPY archived_days (origin, destination, day, price_sum, price_count) FROM STDIN (FORMAT csv)

-- analyze_archived_days --
-- Updates the planner statistics: autovacuum does not analyze temporary tables.
ANALYZE archived_days

-- add_archived_days --
-- Adds the sums of archived_days to day_sums for every pair of locations, with the temporary table ancestors.
WITH from_ancestors AS MATERIALIZED (
    SELECT a.ancestor AS origin, d.destination, d.day, sum(d.price_sum) AS price_sum, sum(d.price_count) AS price_count
    FROM archived_days d JOIN ancestors a ON a.location = d.origin
    GROUP BY a.ancestor, d.destination, d.day
)
INSERT INTO day_sums
SELECT d.origin, a.ancestor, d.day, sum(d.price_sum), sum(d.price_count)
FROM from_ancestors d JOIN ancestors a ON a.location = d.destination
GROUP BY d.origin, a.ancestor, d.day

-- merge_day_sums --
-- Leaves one row per pair of locations and day in day_sums.
WITH parts AS (
    DELETE FROM day_sums RETURNING *
)
INSERT INTO day_sums
SELECT origin, destination, day, sum(price_sum), sum(price_count)
FROM parts
GROUP BY origin, destination, day
