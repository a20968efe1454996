-- The change of the region tree that is under way in steps. Until its last transaction commits, readers see the tree and the
-- totals before it. A step reads the stored totals of a month in one snapshot. Every batch that is applied or reverted after
-- the change began records the difference for its own prices, marked with its transaction. Such a record counts if and only if
-- the snapshot of its month does not contain that transaction, so no step needs a lock. The tables are empty unless a change is
-- under way.

-- lock_tree_change --
-- Takes the lock of tree changes until the transaction ends, after waiting for a change under way. Batches do not wait for it.
SELECT pg_advisory_xact_lock(7263005, 'locations'::regclass::oid::int)

-- try_lock_tree_change --
-- One row: whether this transaction now has the lock of lock_tree_change.
SELECT pg_try_advisory_xact_lock(7263005, 'locations'::regclass::oid::int)

-- lock_tree_change_session --
-- The lock of lock_tree_change, until unlock_tree_change_session or until the session ends.
SELECT pg_advisory_lock(7263005, 'locations'::regclass::oid::int)

-- unlock_tree_change_session --
-- Releases the lock of lock_tree_change_session.
SELECT pg_advisory_unlock(7263005, 'locations'::regclass::oid::int)

-- disable_lock_timeout --
-- Lets this transaction wait for locks without a limit.
SELECT set_config('lock_timeout', '0', true)

-- insert_tree_change --
-- One row: the ID of the change that begins. No batch is being applied meanwhile, because the caller holds the tree's lock.
INSERT INTO tree_changes (begun_in, last_audit_entry, location_ids, parent_ids)
VALUES (
    pg_current_snapshot(), coalesce((SELECT max(id) FROM audit_entries), 0), %(location_ids)s::integer[], %(parent_ids)s::integer[]
)
RETURNING id

-- find_tree_change --
-- At most one row: the change under way, with the locations that get another parent.
SELECT id, location_ids, parent_ids FROM tree_changes

-- delete_tree_change --
-- Deletes the change: batches that are applied from now on record nothing.
DELETE FROM tree_changes WHERE id = %(id)s

-- clear_tree_change --
-- Deletes the change under way with everything that it has recorded.
WITH changes AS (DELETE FROM tree_changes), months AS (DELETE FROM moved_months), batches AS (DELETE FROM moved_batches)
DELETE FROM moved_records

-- has_tree_change --
-- One row: whether a change is under way, or has left records behind.
SELECT EXISTS (SELECT FROM tree_changes) OR EXISTS (SELECT FROM moved_records)
    OR EXISTS (SELECT FROM moved_months) OR EXISTS (SELECT FROM moved_batches)

-- insert_moved_month --
-- Marks a month as read in the snapshot of this transaction.
INSERT INTO moved_months (month, read_in) VALUES (%(month)s, pg_current_snapshot())

-- delete_moved_months --
-- Marks months as not read. Records made before their next snapshot no longer count.
DELETE FROM moved_months WHERE month = ANY(%(months)s)

-- insert_moved_record --
-- Records differences of a month.
INSERT INTO moved_records (kind, month, content) VALUES (%(kind)s, %(month)s, %(content)s)

-- insert_moved_batch --
-- Records that this transaction has recorded the difference for the prices of a batch. A revert is recorded only if the batch
-- was applied before the change began, or was recorded too. Otherwise its months must be read again. Uses price_batches_pkey.
INSERT INTO moved_batches (written_in)
SELECT pg_current_xact_id()
FROM tree_changes c
WHERE NOT EXISTS (
    SELECT FROM price_batches b
    WHERE b.id = %(batch_id)s
      AND NOT pg_visible_in_snapshot(b.changed_in, c.begun_in)
      AND pg_visible_in_snapshot(b.changed_in, pg_current_snapshot())
      AND NOT EXISTS (SELECT FROM moved_batches m WHERE m.written_in = b.changed_in)
)
ON CONFLICT (written_in) DO NOTHING

-- get_snapshot --
-- One row: the snapshot of this statement.
SELECT pg_current_snapshot()::text

-- list_recorded_months --
-- One row per month with recorded differences, in order. Uses moved_records_month_idx.
SELECT DISTINCT month FROM moved_records ORDER BY month

-- list_moved_records --
-- One row per record of the month and kind that counts, after a number, in order: the records that the snapshot contains, or
-- the others. Uses moved_records_month_idx.
SELECT t.number, t.content
FROM moved_records t
LEFT JOIN moved_months m ON m.month = t.month
WHERE t.month = %(month)s
  AND t.kind = %(kind)s
  AND t.number > %(after)s
  AND pg_visible_in_snapshot(t.written_in, %(snapshot)s::pg_snapshot) = %(is_visible)s
  -- A month that was never read had no totals of moved lanes when the change began.
  AND (m.month IS NULL OR t.written_in = m.written_in OR NOT pg_visible_in_snapshot(t.written_in, m.read_in))
ORDER BY t.number
LIMIT %(limit)s

-- list_stale_months --
-- One row per month, in order, that must be read again. A process of the previous release has applied or reverted a batch with
-- prices in the month, without a record. The snapshot of the month does not contain that change. Uses
-- price_batches_changed_in_idx.
SELECT DISTINCT touched.month::date
FROM tree_changes c
JOIN price_batches b ON b.changed_in >= pg_snapshot_xmin(c.begun_in) AND NOT pg_visible_in_snapshot(b.changed_in, c.begun_in)
CROSS JOIN LATERAL generate_series(
    date_trunc('month', b.first_day::timestamp), b.last_day::timestamp, interval '1 month'
) AS touched (month)
LEFT JOIN moved_months m ON m.month = touched.month
-- A restored dump may contain transaction IDs that this server has not reached yet.
WHERE pg_visible_in_snapshot(b.changed_in, pg_current_snapshot())
  AND NOT EXISTS (SELECT FROM moved_batches w WHERE w.written_in = b.changed_in)
  AND (m.month IS NULL OR NOT pg_visible_in_snapshot(b.changed_in, m.read_in))
ORDER BY 1

-- has_deleted_archive --
-- One row: whether archived months have been deleted since the change began. Uses audit_entries_pkey.
SELECT EXISTS (
    SELECT FROM audit_entries a JOIN tree_changes c ON a.id > c.last_audit_entry WHERE a.action = %(action)s
)

-- store_moved_lanes --
-- One row per lane (port to port) with totals from the month `first` to the month `last` and with an end among the moved ports.
-- The lanes are numbered in parts of part_lanes lanes; lanes with more than 8 rows a month count several times. A part of a
-- month is sent as one value, which must stay below 1 GB. Uses price_totals_lane_month_idx: a range scan per moved origin, and
-- a probe per other port and moved destination.
CREATE TEMPORARY TABLE moved_lanes ON COMMIT DROP AS
SELECT origin, destination, min(month) AS first_month, max(month) AS last_month, sum(row_count) AS row_count,
       (sum((max(row_count) + 7) / 8) OVER (ORDER BY origin, destination) - 1)::bigint / %(part_lanes)s AS part
FROM (
    SELECT origin, destination, month, count(*) AS row_count
    FROM (
        SELECT t.origin, t.destination, t.month
        FROM price_totals t
        JOIN locations port ON port.id = t.destination AND port.kind = 'PORT'
        WHERE t.origin = ANY(%(moved)s::integer[]) AND t.month BETWEEN %(first)s AND %(last)s
        UNION ALL
        SELECT t.origin, t.destination, t.month
        FROM locations port
        CROSS JOIN unnest(%(moved)s::integer[]) AS moved(id)
        JOIN price_totals t ON t.origin = port.id AND t.destination = moved.id
        WHERE port.kind = 'PORT' AND NOT port.id = ANY(%(moved)s::integer[]) AND t.month BETWEEN %(first)s AND %(last)s
    ) AS moved_rows
    GROUP BY origin, destination, month
) AS lane_months
GROUP BY origin, destination

-- analyze_moved_lanes --
-- Updates the planner statistics: autovacuum does not analyze temporary tables.
ANALYZE moved_lanes

-- measure_moved_lanes --
-- One row: the number of rows of totals of all moved lanes, their first and last month and last part (NULL without lanes).
SELECT coalesce(sum(row_count), 0)::bigint, min(first_month), max(last_month), max(part) FROM moved_lanes

-- read_moved_month --
-- One row: the totals of one part of the moved lanes in one month, as columns in PostgreSQL's binary format; NULL without
-- totals. Rows with changes have columns of their own. The arrays are padded to 31 days, or to max_changes, so that all arrays
-- of a column have the same width. A few large values cost a fraction of one row per total. Uses price_totals_lane_month_idx: a
-- probe per lane.
SELECT string_agg(CASE WHEN t.packed_changes IS NULL THEN int4send(t.origin) END, ''),
       string_agg(CASE WHEN t.packed_changes IS NULL THEN int4send(t.destination) END, ''),
       string_agg(CASE WHEN t.packed_changes IS NULL THEN array_send(
           array_fill(0::bigint, ARRAY[before]) || t.price_sums || array_fill(0::bigint, ARRAY[31 - before - cardinality(t.price_sums)])
       ) END, ''),
       string_agg(CASE WHEN t.packed_changes IS NULL THEN array_send(
           array_fill(0, ARRAY[before]) || t.price_counts || array_fill(0, ARRAY[31 - before - cardinality(t.price_counts)])
       ) END, ''),
       string_agg(CASE WHEN t.packed_changes IS NOT NULL THEN int4send(t.origin) END, ''),
       string_agg(CASE WHEN t.packed_changes IS NOT NULL THEN int4send(t.destination) END, ''),
       string_agg(CASE WHEN t.packed_changes IS NOT NULL THEN array_send(
           t.packed_changes || array_fill(0::bigint, ARRAY[%(max_changes)s - cardinality(t.packed_changes)])
       ) END, '')
FROM moved_lanes l
JOIN price_totals t ON t.origin = l.origin AND t.destination = l.destination AND t.month = %(month)s
CROSS JOIN LATERAL (SELECT t.first_day - t.month AS before) AS month_days
WHERE l.part = %(part)s AND %(month)s BETWEEN l.first_month AND l.last_month

-- drop_moved_lanes --
-- Drops the moved lanes before the end of the transaction.
DROP TABLE moved_lanes
