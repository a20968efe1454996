-- Price batches and their rejections.
--
-- Notifications reach a whole database, which may hold one installation in each of several schemas. So the name of a channel
-- ends with the OID of the schema of its tables (access.get_schema).

-- insert_batch --
-- One row: the new batch's ID, or none when the uploader has used the idempotency key. Uses
-- price_batches_idempotency_key_unique.
INSERT INTO price_batches (status, on_error, source, idempotency_key, payload_sha256, uploader)
VALUES ('QUEUED', %(on_error)s, %(source)s, %(idempotency_key)s, %(payload_sha256)s, %(uploader)s)
ON CONFLICT (idempotency_key, uploader) DO NOTHING
RETURNING id

-- announce_batch --
-- Wakes the workers when the transaction commits.
SELECT pg_notify('ratesgraph_queue_' || (SELECT relnamespace FROM pg_class WHERE oid = 'price_batches'::regclass), '')

-- get_batches --
-- One row per existing batch ID. Uses price_batches_pkey.
SELECT id, status, on_error, source, idempotency_key, payload_sha256, item_count, accepted_count, rejected_count,
       price_count, price_day_count, lane_count, first_day, last_day, attempts, failure, created_at, started_at, ended_at,
       reverted_at, uploader,
       CASE status WHEN 'QUEUED' THEN 0
                   WHEN 'RUNNING' THEN coalesce((SELECT progress FROM batch_progress p WHERE p.batch_id = price_batches.id), 0)
                   ELSE 1
       END::float AS progress
FROM price_batches
WHERE id = ANY(%(ids)s)

-- find_batch_by_key --
-- At most one row. A key may also be the ID of a message that was merged into the batch. Uses
-- price_batches_idempotency_key_unique, or message_keys_pkey and price_batches_pkey.
SELECT id, status, on_error, source, idempotency_key, payload_sha256, item_count, accepted_count, rejected_count,
       price_count, price_day_count, lane_count, first_day, last_day, attempts, failure, created_at, started_at, ended_at,
       reverted_at, uploader,
       CASE status WHEN 'QUEUED' THEN 0
                   WHEN 'RUNNING' THEN coalesce((SELECT progress FROM batch_progress p WHERE p.batch_id = price_batches.id), 0)
                   ELSE 1
       END::float AS progress
FROM price_batches
WHERE (idempotency_key = %(idempotency_key)s AND uploader = %(uploader)s)
   OR id = (SELECT b.id FROM message_keys k JOIN price_batches b ON b.id = k.batch_id
            WHERE k.message_id = %(idempotency_key)s AND b.uploader = %(uploader)s
            ORDER BY b.id
            LIMIT 1)
ORDER BY id
LIMIT 1

-- list_batches --
-- One row per batch between the cursors, of one uploader or of all, newest first. The caller requests one extra row to detect a
-- further page. Uses price_batches_pkey, with a status price_batches_status_idx, with an uploader price_batches_uploader_idx.
SELECT id, status, on_error, source, idempotency_key, payload_sha256, item_count, accepted_count, rejected_count,
       price_count, price_day_count, lane_count, first_day, last_day, attempts, failure, created_at, started_at, ended_at,
       reverted_at, uploader,
       CASE status WHEN 'QUEUED' THEN 0
                   WHEN 'RUNNING' THEN coalesce((SELECT progress FROM batch_progress p WHERE p.batch_id = price_batches.id), 0)
                   ELSE 1
       END::float AS progress
FROM price_batches
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(after_id)s::bigint IS NULL OR id < %(after_id)s)
  AND (%(before_id)s::bigint IS NULL OR id > %(before_id)s)
  AND (%(uploader)s::text IS NULL OR uploader = %(uploader)s)
ORDER BY id DESC
LIMIT %(limit)s

-- list_batches_backward --
-- The rows of list_batches from the end of the list: one row per batch, oldest first. Uses the same indexes.
SELECT id, status, on_error, source, idempotency_key, payload_sha256, item_count, accepted_count, rejected_count,
       price_count, price_day_count, lane_count, first_day, last_day, attempts, failure, created_at, started_at, ended_at,
       reverted_at, uploader,
       CASE status WHEN 'QUEUED' THEN 0
                   WHEN 'RUNNING' THEN coalesce((SELECT progress FROM batch_progress p WHERE p.batch_id = price_batches.id), 0)
                   ELSE 1
       END::float AS progress
FROM price_batches
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(after_id)s::bigint IS NULL OR id < %(after_id)s)
  AND (%(before_id)s::bigint IS NULL OR id > %(before_id)s)
  AND (%(uploader)s::text IS NULL OR uploader = %(uploader)s)
ORDER BY id
LIMIT %(limit)s

-- count_batches --
-- One row: the number of matching batches.
SELECT count(*)
FROM price_batches
WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(uploader)s::text IS NULL OR uploader = %(uploader)s)

-- begin_attempt --
-- At most one row: the due batch that has waited longest, and the number of this attempt. It is marked in a separate transaction, so that an attempt counts even
-- if it kills its worker. No other worker tries the batch before next_attempt_at. A batch whose row is locked is being applied.
-- A queued batch is always due. No wait is longer than 60 seconds: a later time means that the clock was set back since, and
-- must not delay the batch. Uses price_batches_waiting_idx.
UPDATE price_batches
SET status = 'RUNNING', attempts = attempts + 1, started_at = coalesce(started_at, clock_timestamp()),
    next_attempt_at = clock_timestamp() + least(power(2, attempts + 1), 60) * interval '1 second'
WHERE id = (
    SELECT id FROM price_batches
    WHERE status IN ('QUEUED', 'RUNNING') AND attempts < %(max_attempts)s
      AND (status = 'QUEUED' OR next_attempt_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '60 seconds')
    ORDER BY next_attempt_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, attempts

-- release_attempt --
-- Discounts an attempt that failed for reasons outside the batch, and makes the batch due at once. If another worker has begun a
-- later attempt since, nothing changes, and the statement does not wait for that worker.
UPDATE price_batches
SET status = 'QUEUED', attempts = greatest(attempts - 1, 0), next_attempt_at = clock_timestamp()
WHERE id = %(batch_id)s AND status = 'RUNNING' AND attempts = %(number)s

-- record_failure --
-- Records why an attempt failed. The batch is retried later; after the last attempt it becomes due at once, to be failed.
UPDATE price_batches
SET failure = %(failure)s,
    next_attempt_at = CASE WHEN attempts < %(max_attempts)s THEN next_attempt_at ELSE clock_timestamp() END
WHERE id = %(batch_id)s AND status = 'RUNNING'

-- fail_exhausted --
-- One row per batch without remaining attempts that no worker holds: it fails permanently. The condition on the time is that of
-- begin_attempt. Uses price_batches_waiting_idx.
UPDATE price_batches
SET status = 'FAILED', ended_at = clock_timestamp(), failure = coalesce(failure, 'every attempt ended its worker')
WHERE id IN (
    SELECT id FROM price_batches
    WHERE status = 'RUNNING' AND attempts >= %(max_attempts)s
      AND next_attempt_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '60 seconds'
    FOR UPDATE SKIP LOCKED
)
RETURNING id, pg_notify('ratesgraph_batches_' || (SELECT relnamespace FROM pg_class WHERE oid = 'price_batches'::regclass), id::text)

-- claim_batch --
-- At most one row: the batch if it still waits. The lock lasts until the transaction ends, so a dead process releases it. A
-- second worker skips the locked row. Uses price_batches_pkey.
SELECT on_error
FROM price_batches
WHERE id = %(batch_id)s AND status IN ('QUEUED', 'RUNNING')
FOR UPDATE SKIP LOCKED

-- measure_queue --
-- One row: the numbers of queued and running batches, the age of the oldest in seconds, and the number that ended in the last
-- minute. It also has the bytes of the payloads that wait, and the seconds that one worker needs for them. These are 0.03 for
-- each batch, 0.13 for each megabyte of text, and 0.5 for each megabyte in a compressed format. Only 10,000 batches are
-- measured: for more than that, which happens when no worker has run for long, bytes and seconds are extrapolated. Times later
-- than now come from a clock that was set back. Uses price_batches_waiting_idx, price_batches_ended_at_idx and
-- batch_payloads_pkey.
SELECT waiting.*,
       round(measured.bytes * scale.factor)::bigint AS payload_bytes,
       ((waiting.queued + waiting.running) * 0.03 + measured.seconds * scale.factor)::float AS work_seconds
FROM (
    SELECT count(*) FILTER (WHERE status = 'QUEUED') AS queued,
           count(*) FILTER (WHERE status = 'RUNNING') AS running,
           greatest(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS oldest_seconds,
           (SELECT count(*) FROM price_batches
            WHERE ended_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()) AS ended_last_minute
    FROM price_batches
    WHERE status IN ('QUEUED', 'RUNNING')
) AS waiting
CROSS JOIN (
    SELECT count(*) AS batches,
           coalesce(sum(payload.bytes), 0) AS bytes,
           coalesce(sum(payload.seconds), 0) AS seconds
    FROM (SELECT id FROM price_batches WHERE status IN ('QUEUED', 'RUNNING') LIMIT 10000) AS batch
    CROSS JOIN LATERAL (
        SELECT sum(octet_length(data)) AS bytes,
               sum(octet_length(data) * CASE WHEN format IN ('csv', 'ndjson') THEN 0.13e-6 ELSE 0.5e-6 END) AS seconds
        FROM batch_payloads
        WHERE batch_id = batch.id
    ) AS payload
) AS measured
CROSS JOIN LATERAL (
    SELECT coalesce((waiting.queued + waiting.running)::numeric / nullif(measured.batches, 0), 1) AS factor
) AS scale

-- has_waiting_batches --
-- One row: whether a batch is queued or running. Uses price_batches_waiting_idx.
SELECT EXISTS (SELECT FROM price_batches WHERE status IN ('QUEUED', 'RUNNING'))

-- count_ended_since --
-- One row: number of batches that ended in the last seconds. Times later than now come from a clock that was set back. Uses
-- price_batches_ended_at_idx.
SELECT count(*)
FROM price_batches
WHERE ended_at BETWEEN clock_timestamp() - make_interval(secs => %(seconds)s) AND clock_timestamp()

-- count_outcomes --
-- One row per status of ended batches, with their number. Reads all entries of price_batches_status_idx.
SELECT status, count(*)
FROM price_batches
WHERE status NOT IN ('QUEUED', 'RUNNING')
GROUP BY status

-- end_batch --
-- Marks the batch as ended and stores its outcome.
UPDATE price_batches
SET status = %(status)s, item_count = %(item_count)s, accepted_count = %(accepted_count)s,
    rejected_count = %(rejected_count)s, price_count = %(price_count)s, price_day_count = %(price_day_count)s,
    lane_count = %(lane_count)s, first_day = %(first_day)s, last_day = %(last_day)s, failure = NULL, ended_at = clock_timestamp(),
    changed_in = CASE %(status)s WHEN 'APPLIED' THEN pg_current_xact_id() END
WHERE id = %(batch_id)s
RETURNING pg_notify('ratesgraph_batches_' || (SELECT relnamespace FROM pg_class WHERE oid = 'price_batches'::regclass), id::text)

-- report_progress --
-- Records the progress of a running batch, outside of the transaction that applies it, and notifies subscribers. Uses
-- batch_progress_pkey.
INSERT INTO batch_progress (batch_id, progress)
VALUES (%(batch_id)s, %(progress)s)
ON CONFLICT (batch_id) DO UPDATE SET progress = excluded.progress
RETURNING pg_notify('ratesgraph_batches_' || (SELECT relnamespace FROM pg_class WHERE oid = 'price_batches'::regclass), batch_id::text)

-- clear_progress --
-- Deletes the progress of batches that have ended. Uses batch_progress_pkey.
DELETE FROM batch_progress p
USING price_batches b
WHERE b.id = p.batch_id AND b.status NOT IN ('QUEUED', 'RUNNING')

-- lock_batch --
-- At most one row: the batch's status, locked until the transaction ends. Uses price_batches_pkey.
SELECT status FROM price_batches WHERE id = %(batch_id)s FOR UPDATE

-- mark_reverted --
-- Marks an applied batch as reverted, in the transaction that deletes its prices.
UPDATE price_batches
SET status = 'REVERTED', reverted_at = clock_timestamp(), changed_in = pg_current_xact_id()
WHERE id = %(batch_id)s
RETURNING pg_notify('ratesgraph_batches_' || (SELECT relnamespace FROM pg_class WHERE oid = 'price_batches'::regclass), id::text)

-- list_changes --
-- One row: the snapshot of this statement and the ordered IDs of the batches that changed since the snapshot `seen`. A batch
-- changes when it is applied or reverted by a transaction that is visible now and was not visible in `seen`; without `seen` the
-- list is empty. However late a transaction commits, exactly one of two successive snapshots includes its change. Query the
-- primary: a standby's snapshots do not show which transactions are still running. Uses price_batches_changed_in_idx.
SELECT pg_current_snapshot()::text AS snapshot,
       ARRAY(
           SELECT id
           FROM price_batches
           WHERE changed_in >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
             AND NOT pg_visible_in_snapshot(changed_in, %(seen)s::pg_snapshot)
             -- A restored dump may contain transaction IDs that this server has not reached yet.
             AND pg_visible_in_snapshot(changed_in, pg_current_snapshot())
           ORDER BY changed_in, id
           LIMIT %(limit)s
       ) AS ids

-- copy_rejections --
-- One row per problem of an item, numbered within the batch, in CSV.
COPY batch_rejections (batch_id, number, item, field, code, severity, message, value) FROM STDIN (FORMAT csv)

-- list_rejections --
-- One row per problem of the batch after the cursor, by item, with the ID of the message that contained the item, if any. Uses
-- batch_rejections_pkey, and message_keys_batch_idx once per row.
SELECT number, item, field, code, message, value, severity,
       (SELECT message_id FROM message_keys k
        WHERE k.batch_id = r.batch_id AND k.first_item <= r.item
        ORDER BY k.first_item DESC
        LIMIT 1) AS message_id
FROM batch_rejections r
WHERE batch_id = %(batch_id)s AND number > %(after)s
ORDER BY number
LIMIT %(limit)s

-- count_rejections --
-- One row: the number of the batch's problems. Uses batch_rejections_pkey.
SELECT count(*) FROM batch_rejections WHERE batch_id = %(batch_id)s

-- export_rejections --
-- One row: the ordered problems of the batch after the cursor and up to the last one, as lines of JSON in UTF-8; null when there
-- are none. Decoding one value for thousands of problems costs the client next to nothing. Uses batch_rejections_pkey.
SELECT convert_to(string_agg(row_to_json(r)::text, E'\n' ORDER BY r.number), 'UTF8')
FROM (
    SELECT number, item, severity, field, code, message, value
    FROM batch_rejections
    WHERE batch_id = %(batch_id)s AND number > %(after)s AND number <= %(last)s
) AS r

-- select_batches_with_rejections --
-- One row per requested batch that has a problem. Uses batch_rejections_pkey, one entry of it per batch.
SELECT id
FROM unnest(%(ids)s::bigint[]) AS asked (id)
WHERE EXISTS (SELECT FROM batch_rejections r WHERE r.batch_id = asked.id)
