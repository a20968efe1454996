-- Verification of the totals, on one snapshot: rows in a form that numpy decodes at once, and the checksums of verified rows.
-- The tables are read in ranges of blocks (TID range scans). Days count from 1970-01-01, because Python may not be able to
-- represent a damaged day. A row is settled if its transaction ended before every transaction that was still running. A larger
-- age of its xmin proves that. A settled row without this proof counts as new, which costs time only.

-- describe_storage --
-- One row: the cluster, database, tables and major version to which transaction IDs and checksums belong. It also has the
-- oldest transaction in progress, the next one, and the numbers of blocks of totals, observations and sketches.
SELECT concat_ws(
           '/',
           (SELECT system_identifier FROM pg_control_system()),
           (SELECT oid FROM pg_database WHERE datname = current_database()),
           'price_totals'::regclass::oid,
           'prices'::regclass::oid,
           'price_sketches'::regclass::oid,
           current_setting('server_version_num')::integer / 10000
       ),
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       pg_relation_size('price_totals') / current_setting('block_size')::integer,
       pg_relation_size('prices') / current_setting('block_size')::integer,
       pg_relation_size('price_sketches') / current_setting('block_size')::integer

-- export_snapshot --
-- One row: the name under which another transaction can read the same snapshot until this one ends.
SELECT pg_export_snapshot()

-- import_snapshot --
-- Lets the transaction read the snapshot of another, before its first query.
SET TRANSACTION SNAPSHOT %(name)s

-- list_totals_checksums --
-- One row per month and range of origins with totals in a range of blocks, and per combination of two properties:
-- settled at the last verification (before the transaction `before`), and settled now. It has the latest first day, the number
-- of rows and the sum of their hashes over all columns.
SELECT month - '1970-01-01'::date AS period, origin / %(width)s * %(width)s AS first_origin,
       age(xmin) > (SELECT age(%(before)s::xid)) AS is_verified, age(xmin) > (SELECT age(%(settled)s::xid)) AS is_settled,
       max(first_day - '1970-01-01'::date), count(*), sum(hash_record_extended(t, 1))
FROM price_totals t
WHERE ctid >= %(first)s::tid AND ctid < %(until)s::tid
GROUP BY period, first_origin, is_verified, is_settled

-- list_sketches_checksums --
-- One row per month and range of origins with sketches in a range of blocks, as list_totals_checksums.
SELECT month - '1970-01-01'::date AS period, origin / %(width)s * %(width)s AS first_origin,
       age(xmin) > (SELECT age(%(before)s::xid)) AS is_verified, age(xmin) > (SELECT age(%(settled)s::xid)) AS is_settled,
       max(month - '1970-01-01'::date), count(*), sum(hash_record_extended(s, 1))
FROM price_sketches s
WHERE ctid >= %(first)s::tid AND ctid < %(until)s::tid
GROUP BY period, first_origin, is_verified, is_settled

-- list_prices_checksums --
-- One row per period of 32 days and range of origins with observations in a range of blocks, with the last day. Rows are
-- divided by the two properties of list_totals_checksums. An observation belongs to the period of its first day.
SELECT (first_day - '1970-01-01'::date) / 32 * 32 AS period, origin / %(width)s * %(width)s AS first_origin,
       age(xmin) > (SELECT age(%(before)s::xid)) AS is_verified, age(xmin) > (SELECT age(%(settled)s::xid)) AS is_settled,
       max(last_day - '1970-01-01'::date), count(*), sum(hash_record_extended(p, 1))
FROM prices p
WHERE ctid >= %(first)s::tid AND ctid < %(until)s::tid
GROUP BY period, first_origin, is_verified, is_settled

-- pack_totals --
-- One row: the totals in a range of blocks as columns in PostgreSQL's binary format; NULL without totals. They are the rows
-- that were not settled before a transaction, and all rows of the given parts. A part is a month and a range of origins.
SELECT string_agg(int4send(origin), ''), string_agg(int4send(destination), ''),
       string_agg(int4send(month - '1970-01-01'::date), ''), string_agg(int4send(first_day - '1970-01-01'::date), ''),
       string_agg(int4send(coalesce(cardinality(price_sums), 0)), ''),
       string_agg(int4send(coalesce(cardinality(price_counts), 0)), ''),
       string_agg(int4send(coalesce(cardinality(packed_changes), 0)), ''),
       string_agg(array_send(coalesce(price_sums, '{}')), ''), string_agg(array_send(coalesce(price_counts, '{}')), ''),
       string_agg(array_send(coalesce(packed_changes, '{}')), '')
FROM price_totals
WHERE ctid >= %(first)s::tid AND ctid < %(until)s::tid
  AND (
      %(is_full)s
      OR age(xmin) <= (SELECT age(%(before)s::xid))
      OR (month - '1970-01-01'::date, origin / %(width)s * %(width)s)
         IN (
             SELECT part.month, part.first_origin
             FROM unnest(%(months)s::integer[], %(first_origins)s::integer[]) AS part(month, first_origin)
         )
  )

-- pack_sketches --
-- One row: the sketches in a range of blocks as columns in PostgreSQL's binary format, chosen as by pack_totals; NULL without
-- sketches.
SELECT string_agg(int4send(origin), ''), string_agg(int4send(destination), ''),
       string_agg(int4send(month - '1970-01-01'::date), ''), string_agg(int4send(octet_length(sketch)), ''),
       string_agg(sketch, '')
FROM price_sketches
WHERE ctid >= %(first)s::tid AND ctid < %(until)s::tid
  AND (
      %(is_full)s
      OR age(xmin) <= (SELECT age(%(before)s::xid))
      OR (month - '1970-01-01'::date, origin / %(width)s * %(width)s)
         IN (
             SELECT part.month, part.first_origin
             FROM unnest(%(months)s::integer[], %(first_origins)s::integer[]) AS part(month, first_origin)
         )
  )

-- pack_prices --
-- One row: the observations in a range of blocks as columns in PostgreSQL's binary format; NULL without observations. They are
-- the rows that were not settled before a transaction, and all rows that are valid on a day of a range.
SELECT string_agg(int4send(origin), ''), string_agg(int4send(destination), ''),
       string_agg(int4send(first_day - '1970-01-01'::date), ''), string_agg(int4send(last_day - '1970-01-01'::date), ''),
       string_agg(int8send(usd_cents), ''), string_agg(boolsend(age(xmin) <= (SELECT age(%(before)s::xid))), '')
FROM prices
WHERE ctid >= %(first)s::tid AND ctid < %(until)s::tid
  AND (
      %(is_full)s
      OR age(xmin) <= (SELECT age(%(before)s::xid))
      OR (first_day - '1970-01-01'::date <= %(last_day)s AND last_day - '1970-01-01'::date >= %(first_day)s)
  )

-- find_verification --
-- At most one row: the last verification.
SELECT ended_at, storage, settled_xid, last_location, tree_sha256, month_count, failed, files FROM verifications

-- list_verified_parts --
-- One row per period and range of origins that the last verification has found correct.
SELECT subject, period, first_origin, row_count, checksum, last_day FROM verified_parts

-- lock_verifications --
-- Takes the lock of stored results until the transaction ends, after waiting for another command that holds it.
SELECT pg_advisory_xact_lock(7263006, 'verifications'::regclass::oid::int)

-- delete_verified_parts --
-- Deletes all checksums.
DELETE FROM verified_parts

-- insert_verified_parts --
-- Records checksums.
INSERT INTO verified_parts (subject, period, first_origin, row_count, checksum, last_day)
SELECT * FROM unnest(
    %(subjects)s::text[], %(periods)s::integer[], %(first_origins)s::integer[], %(row_counts)s::bigint[], %(checksums)s::numeric[],
    %(last_days)s::integer[]
)

-- upsert_verification --
-- Records a verification in place of the last one.
INSERT INTO verifications (id, storage, settled_xid, last_location, tree_sha256, month_count, failed, files)
VALUES (1, %(storage)s, %(settled_xid)s, %(last_location)s, %(tree_sha256)s, %(month_count)s, %(failed)s::date[], %(files)s::jsonb)
ON CONFLICT (id) DO UPDATE
SET ended_at = clock_timestamp(), storage = excluded.storage, settled_xid = excluded.settled_xid,
    last_location = excluded.last_location, tree_sha256 = excluded.tree_sha256, month_count = excluded.month_count,
    failed = excluded.failed, files = excluded.files
